package vault

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"testing"

	"cardswitch/spec"
	"cardswitch/store"
	"cardswitch/store/audit"
	"cardswitch/store/journal"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// shelf is a store with one who fills its batches and one who commits them, as the switch does.
type shelf struct {
	*store.Store
	mu      sync.Mutex
	filling *store.Batch
	wake    chan struct{}
	stop    chan struct{}
	done    chan struct{}
	each    func() // called after each commit; may be nil
}

func newShelf(t testing.TB, disk vfs.FS) *shelf {
	t.Helper()
	s, err := store.Open(store.Options{Dir: "data", FS: disk, Key: make([]byte, journal.KeySize)})
	if err != nil {
		t.Fatal(err)
	}
	k := &shelf{Store: s, filling: s.NewBatch(), wake: make(chan struct{}, 1),
		stop: make(chan struct{}), done: make(chan struct{})}
	go k.commits()
	return k
}

func (k *shelf) commits() {
	defer close(k.done)
	spare := k.NewBatch()
	for {
		select {
		case <-k.wake:
		case <-k.stop:
			return
		}
		k.mu.Lock()
		taken := k.filling
		k.filling = spare
		k.mu.Unlock()
		if err := k.Commit(taken); err != nil {
			return
		}
		k.mu.Lock()
		each := k.each // a test may set it while the commit before is still reported
		k.mu.Unlock()
		if each != nil {
			each()
		}
		spare = taken
	}
}

// fill puts something into the batch, and a record as of the answer that it belongs to.
func (k *shelf) fill(fn func(Batch)) {
	k.mu.Lock()
	fn(k.filling)
	k.mu.Unlock()
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

var errShut = errors.New("the shelf is shut")

func (k *shelf) Change(fn func(Batch)) error {
	durable := make(chan struct{})
	k.fill(func(b Batch) {
		fn(b)
		b.Then(func() { close(durable) })
	})
	select {
	case <-durable:
		return nil
	case <-k.stop:
		return errShut
	case <-k.done:
		return errShut
	}
}

func (k *shelf) shut(t testing.TB) {
	t.Helper()
	close(k.stop)
	<-k.done
	if err := k.Close(); err != nil {
		t.Error(err)
	}
}

// twin is a key-encryption key in memory, in the place of a security module's.
type twin struct{ aead cipher.AEAD }

func newTwin(key byte) *twin {
	block, _ := aes.NewCipher(bytes.Repeat([]byte{key}, 32))
	aead, _ := cipher.NewGCM(block)
	return &twin{aead}
}

func (w *twin) Wrap(dek []byte) ([]byte, error) {
	nonce := make([]byte, 12)
	rand.Read(nonce)
	return w.aead.Seal(nonce, nonce, dek, nil), nil
}

func (w *twin) Unwrap(wrapped []byte) ([]byte, error) {
	if len(wrapped) < 12 {
		return nil, errors.New("too short")
	}
	return w.aead.Open(nil, wrapped[:12], wrapped[12:], nil)
}

// diary is an audit log in memory.
type diary struct {
	mu      sync.Mutex
	entries []audit.Entry
	err     error
}

func (d *diary) Append(_ context.Context, e audit.Entry) (uint64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err != nil {
		return 0, d.err
	}
	d.entries = append(d.entries, e)
	return uint64(len(d.entries)), nil
}

func (d *diary) last() audit.Entry {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.entries) == 0 {
		return audit.Entry{}
	}
	return d.entries[len(d.entries)-1]
}

func (d *diary) count(e audit.Event, r audit.Result) (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, entry := range d.entries {
		if entry.Event == e && entry.Result == r {
			n++
		}
	}
	return n
}

// yard is a vault on a store in memory.
type yard struct {
	*Vault
	shelf *shelf
	disk  *vfs.MemFS
	diary *diary
}

func options(k *shelf, disk vfs.FS, d *diary) Options {
	return Options{Books: k, Wrapper: newTwin(7), Auditor: d, KeyFile: "data/vault.keys", Create: true,
		FS: disk, RekeyPerSecond: 1_000_000, Roles: map[string]Right{
			"officer": MayRevealOf | MayFind | MayErase | MayRekey, "clerk": MayReveal, "nobody": 0,
		}}
}

func newYard(t testing.TB, change ...func(*Options)) *yard {
	t.Helper()
	return yardOn(t, vfs.NewCrashableMem(), change...)
}

func yardOn(t testing.TB, disk *vfs.MemFS, change ...func(*Options)) *yard {
	t.Helper()
	y := &yard{disk: disk, shelf: newShelf(t, disk), diary: new(diary)}
	o := options(y.shelf, disk, y.diary)
	for _, fn := range change {
		fn(&o)
	}
	v, err := Open(o)
	if err != nil {
		y.shelf.shut(t)
		t.Fatal(err)
	}
	y.Vault = v
	return y
}

func (y *yard) close(t testing.TB) {
	t.Helper()
	if err := y.Vault.Close(); err != nil {
		t.Error(err)
	}
	y.shelf.shut(t)
}

func opaque(t testing.TB) Format {
	t.Helper()
	f, err := Opaque("tk-")
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func preserving(t testing.TB, from, to string, keep bool) Format {
	t.Helper()
	f, err := Preserving(from, to, keep)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// cardOf is the number of card n, of sixteen digits with a right check digit.
func cardOf(n int) spec.PAN {
	digits := fmt.Sprintf("453912%09d", (uint64(n)*7_654_321+1_234_567)%1_000_000_000)
	for check := range 10 {
		p, err := spec.ParsePAN(digits + string(rune('0'+check)))
		if err == nil && p.Luhn() {
			return p
		}
	}
	panic("no check digit is right")
}

// put prepares a token and puts it into the batch; it isn't durable yet.
func (y *yard) put(t testing.TB, a Ask) Token {
	t.Helper()
	o, err := y.Prepare(a)
	if err != nil {
		t.Fatal(err)
	}
	var token Token
	y.shelf.fill(func(b Batch) { token, err = o.Put(b) })
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// settle waits until all that was put before is durable.
func (y *yard) settle(t testing.TB) {
	t.Helper()
	if err := y.shelf.Change(func(Batch) {}); err != nil {
		t.Fatal(err)
	}
}

func (y *yard) redeem(t testing.TB, token Token, scope string) spec.PAN {
	t.Helper()
	u, err := y.Redeem(token, scope)
	if err != nil {
		t.Fatalf("%s: %v", token, err)
	}
	return u.PAN()
}

// consistent checks that the tables agree with each other, and returns how many tokens there are.
func (y *yard) consistent(t testing.TB) (tokens int) {
	t.Helper()
	pointed := make(map[Token]bool)
	from, to := allOf(familyMulti)
	err := y.shelf.Scan(from, to, func(key, value []byte) bool {
		u := Use{v: y.Vault, token: Token(value)}
		if err := u.open(); err != nil {
			t.Errorf("a card has the token %s: %v", value, err)
			return true
		}
		if string(key) != multiKey(y.search(u.pan), u.entry.scope) || u.entry.once {
			t.Errorf("a card has the token %s of another", value)
		}
		pointed[u.token] = true
		return true
	})
	onces, ends := 0, 0
	from, to = allOf(familyOnce)
	err = errors.Join(err, y.shelf.Scan(from, to, func(key, _ []byte) bool {
		u := Use{v: y.Vault, token: Token(key[33:])}
		if err := u.open(); err != nil || string(key) != string(onceKey(y.search(u.pan), u.token)) {
			t.Errorf("a card has the single-use token %s: %v", u.token, err)
		}
		if _, ok, _ := y.shelf.Get(expiresKey(u.entry.expires, u.token)); !ok {
			t.Errorf("the token %s will never end", u.token)
		}
		pointed[u.token] = true
		onces++
		return true
	}))
	from, to = allOf(familyExpires)
	err = errors.Join(err, y.shelf.Scan(from, to, func(_, _ []byte) bool { ends++; return true }))
	from, to = allOf(familyToken)
	err = errors.Join(err, y.shelf.Scan(from, to, func(key, _ []byte) bool {
		if tokens++; !pointed[Token(key[1:])] {
			t.Errorf("no card has the token %s", key[1:])
		}
		return true
	}))
	if err != nil || tokens != len(pointed) || onces != ends {
		t.Fatalf("%d tokens, %d of cards, %d single-use, %d of them end: %v", tokens, len(pointed),
			onces, ends, err)
	}
	return tokens
}
