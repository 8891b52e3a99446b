package vault

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"cardswitch/spec"

	"github.com/cockroachdb/pebble/v2/vfs"
)

func TestTokens(t *testing.T) {
	y := newYard(t)
	f := opaque(t)
	a := y.put(t, Ask{PAN: cardOf(1), Scope: "ginza", Format: f})
	if again := y.put(t, Ask{PAN: cardOf(1), Scope: "ginza", Format: f}); again != a {
		t.Errorf("the same card got %s and %s", a, again) // the first may not be durable yet
	}
	y.settle(t)
	digits := preserving(t, "990000", "990999", true)
	if again := y.put(t, Ask{PAN: cardOf(1), Scope: "ginza", Format: digits}); again != a {
		t.Errorf("in another format the card got %s, not %s", again, a)
	}
	b := y.put(t, Ask{PAN: cardOf(1), Scope: "aoyama", Format: digits})
	other := y.put(t, Ask{PAN: cardOf(2), Scope: "ginza", Format: f})
	shared := y.put(t, Ask{PAN: cardOf(1), Format: f})
	once := y.put(t, Ask{PAN: cardOf(1), Scope: "ginza", Format: f, Life: time.Hour})
	twice := y.put(t, Ask{PAN: cardOf(1), Scope: "ginza", Format: f, Life: time.Hour})
	all := []Token{a, b, other, shared, once, twice}
	for i, token := range all {
		if slices.Contains(all[:i], token) {
			t.Errorf("%s is given twice", token)
		}
	}
	y.settle(t)
	check := func() {
		t.Helper()
		for token, want := range map[Token]spec.PAN{a: cardOf(1), other: cardOf(2), shared: cardOf(1),
			once: cardOf(1), twice: cardOf(1)} {
			if got := y.redeem(t, token, "ginza"); got != want {
				t.Errorf("%s is %v", token, got)
			}
		}
		for _, token := range []Token{a, other, once} {
			if _, err := y.Redeem(token, "aoyama"); !errors.Is(err, ErrForeign) {
				t.Errorf("aoyama got %s: %v", token, err)
			}
			if _, err := y.Redeem(token, ""); !errors.Is(err, ErrForeign) {
				t.Errorf("somebody without a scope got %s: %v", token, err)
			}
		}
		if got := y.redeem(t, shared, "aoyama"); got != cardOf(1) {
			t.Errorf("the shared token is %v", got)
		}
		if n := y.consistent(t); n != len(all) {
			t.Errorf("%d tokens", n)
		}
	}
	check()
	y.close(t)
	y = yardOn(t, y.disk)
	defer y.close(t)
	check()
	for _, token := range []Token{"", "tk-", a + "x", "nonsense", Token(strings.Repeat("a", 500))} {
		if _, err := y.Redeem(token, "ginza"); !errors.Is(err, ErrNoToken) {
			t.Errorf("%q: %v", token, err)
		}
	}
}

func TestWhatGetsNoToken(t *testing.T) {
	y := newYard(t)
	defer y.close(t)
	short, _ := spec.ParsePAN("12345678901")
	inRange, _ := spec.ParsePAN("9901234567890123")
	digits := preserving(t, "990000", "990999", true)
	for name, tt := range map[string]struct {
		ask  Ask
		want error
	}{
		"no number": {Ask{Format: digits}, ErrNoFit},
		"short":     {Ask{PAN: short, Format: digits}, ErrNoFit},
		"long scope": {Ask{PAN: cardOf(1), Format: digits, Scope: strings.Repeat("x", 65)},
			ErrNoFit},
		"a token's range": {Ask{PAN: inRange, Format: preserving(t, "990", "990", false)}, ErrIsToken},
	} {
		if _, err := y.Prepare(tt.ask); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := y.Prepare(Ask{PAN: cardOf(1)}); err == nil {
		t.Error("a token without a format")
	}
	// What is prepared and never put leaves nothing.
	if _, err := y.Prepare(Ask{PAN: cardOf(1), Format: digits}); err != nil {
		t.Error(err)
	}
	y.settle(t)
	if n := y.consistent(t); n != 0 || y.Status().Pending != 0 {
		t.Errorf("%d tokens, %d pending", n, y.Status().Pending)
	}
}

// TestTogether has many ask for the same few cards at the same time, while some are deleted: each
// card has one token in a scope, whoever asks, and what was given out is durable.
func TestTogether(t *testing.T) {
	y := newYard(t, func(o *Options) { o.CacheTokens = 8 })
	f, digits := opaque(t), preserving(t, "990000", "990999", true)
	var given sync.Map
	var group sync.WaitGroup
	for worker := range 8 {
		group.Go(func() {
			rng := rand.New(rand.NewPCG(1, uint64(worker)))
			for range 300 {
				a := Ask{PAN: cardOf(rng.IntN(60)), Scope: fmt.Sprint("m", rng.IntN(2)), Format: f}
				if rng.IntN(2) == 0 {
					a.Format = digits
				}
				o, err := y.Prepare(a)
				if err != nil {
					t.Error(err)
					return
				}
				var token Token
				y.shelf.fill(func(b Batch) { token, err = o.Put(b) })
				if err != nil {
					t.Error(err)
					return
				}
				key := a.PAN.Reveal() + a.Scope
				if was, loaded := given.LoadOrStore(key, token); loaded && was != token {
					t.Errorf("a card got %s and %s", was, token)
				}
			}
		})
	}
	group.Wait()
	y.settle(t)
	count := 0
	given.Range(func(key, token any) bool {
		count++
		k := key.(string)
		if got := y.redeem(t, token.(Token), k[16:]); got.Reveal() != k[:16] {
			t.Errorf("%s is %v", token, got)
		}
		return true
	})
	if n := y.consistent(t); n != count || y.Status().Pending != 0 {
		t.Errorf("%d tokens, %d were given out, %d pending", n, count, y.Status().Pending)
	}
	if c := y.Status().Cached; c > 16 {
		t.Errorf("%d tokens in a cache of 8", c)
	}
	y.close(t)
}

// TestDeleteWhileAsked deletes tokens while others ask for them: nobody ends with a card that has
// none, or with two.
func TestDeleteWhileAsked(t *testing.T) {
	y := newYard(t)
	f := opaque(t)
	var asking sync.WaitGroup
	var done atomic.Bool
	for worker := range 4 {
		asking.Go(func() {
			for n := worker; !done.Load(); n++ {
				y.put(t, Ask{PAN: cardOf(n % 5), Scope: "m", Format: f})
			}
		})
	}
	officer := Access{Actor: "sato", Role: "officer", Reason: "a test"}
	for n := range 200 {
		token := y.put(t, Ask{PAN: cardOf(n % 5), Scope: "m", Format: f})
		if err := y.Delete(t.Context(), token, officer); err != nil && !errors.Is(err, ErrNoToken) {
			t.Error(err)
		}
		if _, err := y.Redeem(token, "m"); !errors.Is(err, ErrNoToken) {
			t.Errorf("a deleted token: %v", err)
		}
	}
	done.Store(true)
	asking.Wait()
	y.settle(t)
	for n := range 5 {
		token := y.put(t, Ask{PAN: cardOf(n), Scope: "m", Format: f})
		if got := y.redeem(t, token, "m"); got != cardOf(n) {
			t.Errorf("card %d is %v", n, got)
		}
	}
	y.settle(t)
	if n := y.consistent(t); n != 5 {
		t.Errorf("%d tokens for 5 cards", n)
	}
	y.close(t)
}

// TestOnce spends a single-use token from many sides: one succeeds.
func TestOnce(t *testing.T) {
	y := newYard(t)
	f := opaque(t)
	for range 20 {
		token := y.put(t, Ask{PAN: cardOf(1), Scope: "m", Format: f, Life: time.Hour})
		y.settle(t)
		var spent atomic.Int32
		var group sync.WaitGroup
		for range 8 {
			group.Go(func() {
				u, err := y.Redeem(token, "m")
				if err != nil {
					if !errors.Is(err, ErrNoToken) {
						t.Error(err)
					}
					return
				}
				y.shelf.fill(func(b Batch) { err = u.Put(b) })
				if err == nil {
					spent.Add(1)
				} else if !errors.Is(err, ErrSpent) {
					t.Error(err)
				}
			})
		}
		group.Wait()
		if spent.Load() != 1 {
			t.Errorf("%s was spent %d times", token, spent.Load())
		}
	}
	multi := y.put(t, Ask{PAN: cardOf(1), Scope: "m", Format: f})
	for range 2 {
		u, err := y.Redeem(multi, "m")
		if err != nil {
			t.Fatal(err)
		}
		y.shelf.fill(func(b Batch) { err = u.Put(b) })
		if err != nil {
			t.Fatal(err)
		}
	}
	y.settle(t)
	if n := y.consistent(t); n != 1 {
		t.Errorf("%d tokens are left", n)
	}
	y.close(t)
}

// TestEnd lets single-use tokens end by themselves.
func TestEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t)
		f := opaque(t)
		multi := y.put(t, Ask{PAN: cardOf(0), Scope: "m", Format: f})
		var tokens []Token
		for n := range 200 {
			life := 10 * time.Minute
			if n%2 == 1 {
				life = time.Hour
			}
			tokens = append(tokens, y.put(t, Ask{PAN: cardOf(n), Scope: "m", Format: f, Life: life}))
		}
		y.settle(t)
		time.Sleep(10*time.Minute - time.Second)
		y.redeem(t, tokens[0], "m")
		time.Sleep(2 * time.Second)
		for n, token := range tokens {
			_, err := y.Redeem(token, "m")
			if want := n%2 == 0; errors.Is(err, ErrExpired) != want && errors.Is(err, ErrNoToken) != want {
				t.Errorf("token %d: %v", n, err)
			}
		}
		time.Sleep(2 * time.Minute)
		if n := y.consistent(t); n != 101 {
			t.Errorf("%d tokens are left after ten minutes", n)
		}
		time.Sleep(time.Hour)
		if n := y.consistent(t); n != 1 {
			t.Errorf("%d tokens are left after an hour", n)
		}
		y.redeem(t, multi, "m")
		y.close(t)
	})
}

// TestFullRange gives out tokens of a range until it is full, and beyond.
func TestFullRange(t *testing.T) {
	y := newYard(t)
	defer y.close(t)
	pan, _ := spec.ParsePAN("453912123456")
	digits := preserving(t, "990", "990", true)
	// All but one of the hundred thousand are taken; nine in ten of them could be drawn.
	free := Token("")
	err := y.shelf.Change(func(b Batch) {
		for n := range 100_000 {
			token := Token(fmt.Sprintf("990%05d3456", n))
			if free == "" && digits.Has(string(token)) {
				free = token
				continue
			}
			b.Set(tokenKey(token), []byte{entryVersion})
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := y.Prepare(Ask{PAN: pan, Format: digits}); !errors.Is(err, ErrRangeFull) {
		t.Errorf("of a full range: %v", err)
	}
	// Under the lock as well: the token that was drawn is taken meanwhile.
	o := Op{v: y.Vault, ask: Ask{PAN: pan, Format: digits, Life: time.Hour}, token: free,
		drawnAt: ^uint32(0), entry: entry{dek: 1}}
	y.shelf.fill(func(b Batch) {
		b.Set(tokenKey(free), []byte{entryVersion})
		y.mu.Lock()
		y.follow(b, free, []byte{entryVersion}, "", "")
		y.mu.Unlock()
		if _, err := o.Put(b); !errors.Is(err, ErrRangeFull) {
			t.Errorf("of a full range under the lock: %v", err)
		}
	})
}

// TestCollisions fills a fifth of a small range: tokens that are taken are drawn again.
func TestCollisions(t *testing.T) {
	y := newYard(t)
	digits := preserving(t, "990", "990", false)
	seen := make(map[Token]bool)
	const cards = 18_000
	for n := range cards {
		pan, _ := spec.ParsePAN(fmt.Sprintf("4%07d", n*17))
		token := y.put(t, Ask{PAN: pan, Format: digits})
		if seen[token] {
			t.Fatalf("%s is given twice", token)
		}
		seen[token] = true
	}
	y.settle(t)
	if n := y.consistent(t); n != cards {
		t.Errorf("%d tokens for %d cards", n, cards)
	}
	y.close(t)
}

// TestManyTokens makes 200,000 tokens, finds them again, and opens them.
func TestManyTokens(t *testing.T) {
	if testing.Short() {
		t.Skip("some seconds")
	}
	const cards = 200_000
	y := yardOn(t, vfs.NewMem())
	formats := []Format{opaque(t), preserving(t, "99000000", "99999999", true)}
	tokens := make([]Token, cards)
	// As the doors do it: looked up one by one, put into the batch a group at a time.
	each := func(n int, token Token) { tokens[n] = token }
	walk := func() time.Duration {
		began := time.Now()
		ops := make([]Op, 100)
		for n := 0; n < cards; n += len(ops) {
			for i := range ops {
				var err error
				a := Ask{PAN: cardOf(n + i), Scope: "ginza", Format: formats[i%2]}
				if ops[i], err = y.Prepare(a); err != nil {
					t.Fatal(err)
				}
			}
			y.shelf.fill(func(b Batch) {
				for i := range ops {
					token, err := ops[i].Put(b)
					if err != nil {
						t.Error(err)
					}
					each(n+i, token)
				}
			})
		}
		y.settle(t)
		return time.Since(began)
	}
	made := walk()
	each = func(n int, token Token) {
		if token != tokens[n] {
			t.Errorf("card %d has %s and %s", n, tokens[n], token)
		}
	}
	found := walk()
	began := time.Now()
	for n, token := range tokens {
		if y.redeem(t, token, "ginza") != cardOf(n) {
			t.Fatalf("%s is another card", token)
		}
	}
	opened := time.Since(began)
	t.Logf("each: made %s, found again %s, opened %s", made/cards, found/cards, opened/cards)
	y.close(t)
}
