package vault

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"cardswitch/store/audit"

	"github.com/cockroachdb/pebble/v2/vfs"
)

func officer() Access { return Access{Actor: "sato", Role: "officer", Reason: "each quarter"} }

func keyFileText(t testing.TB, disk vfs.FS) string {
	t.Helper()
	f, err := disk.Open("data/vault.keys")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	text, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// ended waits until a re-keying is over.
func (y *yard) ended(t testing.TB) Status {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		s := y.Status()
		if len(y.keys.Load().retired()) == 0 && !s.Rekey.Running && s.Rekey.Total > 0 {
			return s
		}
		if time.Now().After(deadline) {
			t.Fatalf("the re-keying doesn't end: %+v", s)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// load opens tokens (number n is of card n), makes others, and spends single-use ones, until it is
// stopped.
func (y *yard) load(t *testing.T, tokens []Token) (stop func()) {
	f := opaque(t)
	var group sync.WaitGroup
	var done atomic.Bool
	for worker := range 3 {
		group.Go(func() {
			rng := rand.New(rand.NewPCG(3, uint64(worker)))
			for n := 0; !done.Load(); n++ {
				i := rng.IntN(len(tokens))
				if got := y.redeem(t, tokens[i], "m"); got != cardOf(i) {
					t.Errorf("%s is %v", tokens[i], got)
				}
				y.put(t, Ask{PAN: cardOf(10_000 + n*3 + worker), Scope: "m", Format: f})
				once := y.put(t, Ask{PAN: cardOf(i), Scope: "m", Format: f, Life: time.Hour})
				u, err := y.Redeem(once, "m")
				if err == nil {
					y.shelf.fill(func(b Batch) { err = u.Put(b) })
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	return func() {
		done.Store(true)
		group.Wait()
	}
}

// TestRekey re-encrypts under load: tokens are made, used, spent and deleted meanwhile. At the end
// all is under the new key and the old one is gone, from the file and from memory.
func TestRekey(t *testing.T) {
	y := yardOn(t, vfs.NewMem())
	f := opaque(t)
	const cards = 2000
	tokens := make([]Token, cards)
	for n := range tokens {
		tokens[n] = y.put(t, Ask{PAN: cardOf(n), Scope: "m", Format: f})
	}
	prepared, err := y.Prepare(Ask{PAN: cardOf(cards), Scope: "m", Format: f})
	if err != nil {
		t.Fatal(err)
	}
	old := y.keys.Load().file.Data[0].Key
	clerk := Access{Actor: "abe", Role: "clerk", Reason: "x"}
	if err := y.Rekey(t.Context(), clerk); !errors.Is(err, ErrRefused) {
		t.Errorf("by a clerk: %v", err)
	}
	stop := y.load(t, tokens[:cards-200])
	if err := y.Rekey(t.Context(), officer()); err != nil {
		t.Fatal(err)
	}
	for n := cards - 200; n < cards; n++ {
		if err := y.Delete(t.Context(), tokens[n], officer()); err != nil {
			t.Error(err)
		}
	}
	late, err := Token(""), error(nil)
	y.shelf.fill(func(b Batch) { late, err = prepared.Put(b) })
	if err != nil {
		t.Fatal(err)
	}
	s := y.ended(t)
	stop()
	y.settle(t)
	if s.Rekey.Target != 2 || s.Rekey.Seen < cards-200 || s.Rekey.Rewritten < cards-200 ||
		s.Rekey.Damaged != 0 || len(s.DataKeys) != 2 || s.DataKeys[0].Destroyed.IsZero() ||
		!s.DataKeys[1].Active {
		t.Errorf("%+v", s)
	}
	if y.redeem(t, late, "m") != cardOf(cards) {
		t.Error("what was prepared under the old key is lost")
	}
	_, under, err := y.census()
	if err != nil || len(under) != 1 || under[2] == 0 {
		t.Errorf("under each key: %v, %v", under, err)
	}
	if text := keyFileText(t, y.disk); bytes.Contains([]byte(text), []byte(old)) {
		t.Error("the old key is still in the file")
	}
	if y.keys.Load().aeads[1] != nil {
		t.Error("the old key is still in memory")
	}
	if y.diary.count(audit.KeyDestroyed, audit.Done) != 1 ||
		y.diary.count(audit.VaultRekeyed, audit.Done) != 1 {
		t.Errorf("%+v", y.diary.entries)
	}
	y.consistent(t)
	y.close(t)
	onceMore(t, y.disk, tokens[:cards-200])
}

// onceMore opens the vault again, and re-keys it a second time.
func onceMore(t *testing.T, disk *vfs.MemFS, tokens []Token) {
	t.Helper()
	y := yardOn(t, disk)
	defer y.close(t)
	for n, token := range tokens {
		if y.redeem(t, token, "m") != cardOf(n) {
			t.Fatalf("%s is another card", token)
		}
	}
	if err := y.Rekey(t.Context(), officer()); err != nil {
		t.Fatal(err)
	}
	if s := y.ended(t); s.Rekey.Target != 3 || len(s.DataKeys) != 3 {
		t.Errorf("%+v", s)
	}
}

// TestRekeyAtItsRate takes its time, shows how far it is, and goes on after a restart.
func TestRekeyAtItsRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := func(o *Options) { o.RekeyPerSecond = 64 }
		y := newYard(t, slow)
		f := opaque(t)
		const cards = 64 * 20
		for n := range cards {
			y.put(t, Ask{PAN: cardOf(n), Scope: "m", Format: f})
		}
		y.settle(t)
		synctest.Wait() // or the pass may begin before Rekey has told that it should
		if err := y.Rekey(t.Context(), officer()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(9500 * time.Millisecond)
		s := y.Status()
		if !s.Rekey.Running || s.Rekey.Total != cards || s.Rekey.Rewritten != 64*10 {
			t.Errorf("after 9.5 seconds: %+v", s.Rekey)
		}
		if err := y.Rekey(t.Context(), officer()); !errors.Is(err, ErrRekeying) {
			t.Errorf("a second one: %v", err)
		}
		y.close(t)
		y = yardOn(t, y.disk, slow)
		time.Sleep(5500 * time.Millisecond)
		s = y.Status()
		if !s.Rekey.Running || s.Rekey.Total != cards || s.Rekey.Rewritten != 64*6 {
			t.Errorf("5.5 seconds after the restart: %+v", s.Rekey)
		}
		time.Sleep(10 * time.Second)
		s = y.Status()
		if s.Rekey.Running || s.Rekey.Rewritten != 64*10 || s.DataKeys[0].Destroyed.IsZero() {
			t.Errorf("in the end: %+v", s)
		}
		y.consistent(t)
		y.close(t)
	})
}

// TestRekeyKeepsWhatIsNeeded: a token that can't be opened keeps the old key from being destroyed,
// and so does a record of the destruction that can't be made.
func TestRekeyKeepsWhatIsNeeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t)
		f := opaque(t)
		for n := range 100 {
			y.put(t, Ask{PAN: cardOf(n), Scope: "m", Format: f})
		}
		bad := y.put(t, Ask{PAN: cardOf(100), Scope: "m", Format: f})
		y.settle(t)
		value, _, _ := y.shelf.Get(tokenKey(bad))
		value[len(value)-1] ^= 1
		if err := y.shelf.Change(func(b Batch) { b.Set(tokenKey(bad), value) }); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if err := y.Rekey(t.Context(), officer()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		s := y.Status()
		if s.Rekey.Damaged != 1 || s.Rekey.Rewritten != 100 || !errors.Is(s.Rekey.Err, errLeft) ||
			!s.DataKeys[0].Destroyed.IsZero() {
			t.Errorf("with a damaged token: %+v", s)
		}
		if err := y.Delete(t.Context(), bad, officer()); err != nil {
			t.Fatal(err)
		}
		y.diary.mu.Lock()
		y.diary.err = errors.New("the disk is full")
		y.diary.mu.Unlock()
		time.Sleep(time.Hour)
		if s := y.Status(); !s.DataKeys[0].Destroyed.IsZero() {
			t.Errorf("destroyed without a record: %+v", s)
		}
		y.diary.mu.Lock()
		y.diary.err = nil
		y.diary.mu.Unlock()
		time.Sleep(2 * time.Minute)
		if s := y.Status(); s.DataKeys[0].Destroyed.IsZero() || s.Rekey.Running || s.Rekey.Err != nil {
			t.Errorf("in the end: %+v", s)
		}
		y.close(t)
	})
}

// TestNothingIsDestroyedByHalf: who counts the tokens under a key counts all of them, or none; and
// a record that doesn't tell its key may need any.
func TestNothingIsDestroyedByHalf(t *testing.T) {
	y := newYard(t, func(o *Options) { o.RekeyPerSecond = 1 })
	f := opaque(t)
	for n := range 3000 {
		y.put(t, Ask{PAN: cardOf(n), Scope: "m", Format: f})
	}
	y.settle(t)
	if err := y.shelf.Change(func(b Batch) { b.Set(tokenKey("tk-zz"), []byte("odd")) }); err != nil {
		t.Fatal(err)
	}
	if err := y.Rekey(t.Context(), officer()); err != nil {
		t.Fatal(err)
	}
	total, under, err := y.census()
	if err != nil || total != 3001 || under[1]+under[2] != 3001 || under[1] < 2000 {
		t.Errorf("%d tokens, %v, %v", total, under, err)
	}
	if err := y.Vault.Close(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := y.census(); !errors.Is(err, errStopped) {
		t.Errorf("counted while it closes: %v", err)
	}
	if err := y.reencrypt(); err == nil || len(y.keys.Load().retired()) != 1 ||
		y.diary.count(audit.KeyDestroyed, audit.Done) != 0 {
		t.Errorf("re-encrypted while it closes: %v", err)
	}
	y.shelf.shut(t)
}

func TestRewrap(t *testing.T) {
	y := newYard(t)
	f := opaque(t)
	token := y.put(t, Ask{PAN: cardOf(1), Scope: "m", Format: f})
	y.settle(t)
	before := keyFileText(t, y.disk)
	clerk := Access{Actor: "abe", Role: "clerk", Reason: "x"}
	if err := y.Rewrap(t.Context(), newTwin(8), clerk); !errors.Is(err, ErrRefused) {
		t.Errorf("by a clerk: %v", err)
	}
	if err := y.Rewrap(t.Context(), newTwin(8), officer()); err != nil {
		t.Fatal(err)
	}
	after := keyFileText(t, y.disk)
	for _, k := range []string{y.keys.Load().file.Search.Key, y.keys.Load().file.Data[0].Key} {
		if bytes.Contains([]byte(before), []byte(k)) || !bytes.Contains([]byte(after), []byte(k)) {
			t.Error("a key is wrapped as before")
		}
	}
	if err := y.Rekey(t.Context(), officer()); err != nil {
		t.Fatal(err)
	}
	y.ended(t)
	y.close(t)
	k := newShelf(t, y.disk)
	if v, err := Open(options(k, y.disk, y.diary)); err == nil {
		t.Error("opened with the old key-encryption key")
		_ = v.Close()
	}
	k.shut(t)
	y = yardOn(t, y.disk, func(o *Options) { o.Wrapper = newTwin(8) })
	if y.redeem(t, token, "m") != cardOf(1) {
		t.Error("another card")
	}
	y.close(t)
}

// TestKeyFile: without the right key file, and the right key to it, there is no vault.
func TestKeyFile(t *testing.T) {
	y := newYard(t)
	y.put(t, Ask{PAN: cardOf(1), Scope: "m", Format: opaque(t)})
	y.settle(t)
	first := keyFileText(t, y.disk)
	if err := y.Rekey(t.Context(), officer()); err != nil {
		t.Fatal(err)
	}
	y.ended(t)
	newest := keyFileText(t, y.disk)
	disk := y.disk
	y.close(t)
	fails := func(name string, want error, change ...func(*Options)) {
		t.Helper()
		k := newShelf(t, disk)
		defer k.shut(t)
		o := options(k, disk, new(diary))
		for _, fn := range change {
			fn(&o)
		}
		v, err := Open(o)
		if err == nil {
			_ = v.Close()
		}
		var e *Error
		if !errors.As(err, &e) || e.Hint == "" || want != nil && !errors.Is(err, want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	write := func(text string) {
		t.Helper()
		f, err := disk.Create("data/vault.keys", vfs.WriteCategoryUnspecified)
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.Write([]byte(text))
		if err := errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	fails("another key-encryption key", nil, func(o *Options) { o.Wrapper = newTwin(9) })
	fails("no auditor", nil, func(o *Options) { o.Auditor = nil })
	write(first)
	fails("an old file", nil)
	write(first[:len(first)-5])
	fails("a cut file", nil)
	if err := disk.Remove("data/vault.keys"); err != nil {
		t.Fatal(err)
	}
	fails("no file", fs.ErrNotExist)
	write(newest)
	yardOn(t, disk).close(t)
	empty := vfs.NewCrashableMem()
	disk = empty
	fails("none, and none to be made", fs.ErrNotExist, func(o *Options) { o.Create = false })
	if info, err := empty.Stat("data/vault.keys"); err == nil {
		t.Errorf("made all the same: %v", info.Name())
	}
}

// TestKeysAreWrapped: no key is in the file as it is, or in hex.
func TestKeysAreWrapped(t *testing.T) {
	y := newYard(t)
	defer y.close(t)
	text := keyFileText(t, y.disk)
	file := y.keys.Load().file
	for id, w := range map[uint32]wrapped{searchID: file.Search, 1: file.Data[0].wrapped} {
		key, err := unwrap(y.o.Wrapper, w, id)
		if err != nil {
			t.Fatal(err)
		}
		for _, shape := range []string{string(key), hex.EncodeToString(key), fmt.Sprint(key)} {
			if bytes.Contains([]byte(text), []byte(shape)) {
				t.Errorf("key %d is in the file", id)
			}
		}
		if _, err := unwrap(y.o.Wrapper, w, id+1); err == nil {
			t.Errorf("key %d was taken for another", id)
		}
	}
}

// lostBooks never make anything durable.
type lostBooks struct{ Books }

func (lostBooks) Change(func(Batch)) error { return errShut }

// No token is sealed under a new data key before the books know of it: else another node would lead
// with the older file that it has, and the tokens could never be opened again.
func TestNoTokenUnderAKeyThatTheBooksDoNotKnow(t *testing.T) {
	y := newYard(t, func(o *Options) { o.Books = lostBooks{o.Books} })
	defer y.close(t)
	if err := y.Rekey(t.Context(), officer()); err == nil {
		t.Fatal("re-keyed, and nobody knows")
	}
	y.put(t, Ask{PAN: cardOf(1), Scope: "m", Format: opaque(t)})
	y.settle(t)
	_, under, err := y.census()
	if err != nil || under[2] > 0 {
		t.Errorf("tokens lie under data keys %v, and the books know key 1 only (%v)", under, err)
	}
}
