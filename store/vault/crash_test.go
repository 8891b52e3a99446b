package vault

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"cardswitch/spec"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// known is what a test knows about the tokens: those that were told durable, and what is under way.
type known struct {
	mu      sync.Mutex
	there   map[Token]spec.PAN // durable, and not being taken away
	leaving map[Token]bool     // being taken away
	gone    map[Token]bool     // durably
}

func (k *known) snapshot() *known {
	k.mu.Lock()
	defer k.mu.Unlock()
	return &known{there: maps.Clone(k.there), leaving: maps.Clone(k.leaving), gone: maps.Clone(k.gone)}
}

// check looks at what a cut has left.
func (k *known) check(t *testing.T, disk *vfs.MemFS, when string) {
	t.Helper()
	y := yardOn(t, disk)
	defer y.close(t)
	for token, pan := range k.there {
		if u, err := y.Redeem(token, "m"); err != nil || u.PAN() != pan {
			t.Fatalf("%s: %s was durable: %v", when, token, err)
		}
	}
	for token := range k.gone {
		if _, err := y.Redeem(token, "m"); !errors.Is(err, ErrNoToken) {
			t.Fatalf("%s: %s was deleted: %v", when, token, err)
		}
	}
	if n := y.consistent(t); n < len(k.there) || t.Failed() {
		t.Fatalf("%s: %d tokens, %d were durable", when, n, len(k.there))
	}
}

// TestPowerCut cuts the power after each batch and at random moments within, in the life of a
// vault: tokens are made, spent and deleted, and all are re-encrypted meanwhile. What was told as
// durable is there or gone, the tables agree, and the re-keying goes on to its end.
func TestPowerCut(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	y := newYard(t, func(o *Options) { o.RekeyPerSecond = 20_000 })
	k := &known{there: make(map[Token]spec.PAN), leaving: make(map[Token]bool),
		gone: make(map[Token]bool)}
	type cut struct {
		disk  *vfs.MemFS
		knows *known
	}
	var cuts []cut
	var mu sync.Mutex
	take := func() {
		mu.Lock()
		defer mu.Unlock()
		knows := k.snapshot() // before the disk: it knows less than that holds
		cuts = append(cuts, cut{y.disk.CrashClone(vfs.CrashCloneCfg{
			UnsyncedDataPercent: rng.IntN(2) * rng.IntN(101), RNG: rng}), knows})
	}
	y.shelf.mu.Lock()
	y.shelf.each = take
	y.shelf.mu.Unlock()
	stop := make(chan struct{})
	var cutting sync.WaitGroup
	cutting.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(3 * time.Millisecond):
				take()
			}
		}
	})
	live(t, y, k)
	close(stop)
	cutting.Wait()
	y.ended(t)
	y.close(t)
	if len(cuts) < 40 {
		t.Errorf("only %d cuts", len(cuts))
	}
	every := max(1, len(cuts)/80)
	for i := 0; i < len(cuts); i += every {
		cuts[i].knows.check(t, cuts[i].disk, fmt.Sprintf("cut %d of %d", i, len(cuts)))
	}
}

// live makes, spends and deletes, a batch at a time, and re-keys in the middle.
func live(t *testing.T, y *yard, k *known) {
	f := opaque(t)
	rng := rand.New(rand.NewPCG(5, 5))
	for round := range 40 {
		if round == 10 {
			if err := y.Rekey(t.Context(), officer()); err != nil {
				t.Fatal(err)
			}
		}
		for range 10 {
			pan := cardOf(rng.IntN(5000))
			o, err := y.Prepare(Ask{PAN: pan, Scope: "m", Format: f,
				Life: time.Duration(rng.IntN(2)) * time.Hour})
			if err != nil {
				t.Fatal(err)
			}
			y.shelf.fill(func(b Batch) {
				token, err := o.Put(b)
				if err != nil {
					t.Error(err)
				}
				b.Then(func() {
					k.mu.Lock()
					defer k.mu.Unlock()
					if !k.leaving[token] && !k.gone[token] {
						k.there[token] = pan
					}
				})
			})
		}
		y.settle(t)
		for token := range k.snapshot().there {
			if rng.IntN(30) == 0 {
				leave(t, y, k, token)
			}
		}
	}
}

// leave spends a single-use token, or deletes one.
func leave(t *testing.T, y *yard, k *known, token Token) {
	t.Helper()
	k.mu.Lock()
	delete(k.there, token)
	k.leaving[token] = true
	k.mu.Unlock()
	u, err := y.Redeem(token, "m")
	if err != nil {
		t.Fatal(err)
	}
	gone := func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.gone[token] = true
	}
	if !u.entry.once {
		if err := y.Delete(t.Context(), token, officer()); err != nil {
			t.Fatal(err)
		}
		gone()
		return
	}
	y.shelf.fill(func(b Batch) {
		if err := u.Put(b); err != nil {
			t.Error(err)
		}
		b.Then(gone)
	})
}
