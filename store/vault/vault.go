// Package vault puts tokens in the place of card numbers, for merchants who hold none.
//
// A token is random, never made from the number; two formats are in format.go. A number is kept
// under AES-256-GCM with a data key; data keys lie wrapped in the key file (keyfile.go), under a
// key that a security module holds (Wrapper). A number is found by HMAC-SHA-256 under a key of its
// own; no key of a table holds a number. A token belongs to a scope, a merchant's or one that
// several share, and is worth nothing in another.
//
// The tables lie in the journal's Pebble, beside the journal, and not in one of their own. An
// answer that carries a new token may leave only when the token is durable; so may it only when its
// record is, and both become so in one batch, by one sync, together or not at all. A Pebble of its
// own would cost a second sync on the way of the answer and an order between the two to reason
// about; one without a log, rebuilt from the journal as the index is, can't be, as tokens outlive
// the journal's retention. Tables of different families never mix (store/tuning.go), so the random
// order of tokens doesn't make the journal's tables be rewritten. The key file lies apart, because
// a key that is to be destroyed must not live on in the files of a log-structured store.
//
// Whatever changes goes into the one ordered stream of batches that the switch commits: Op.Put and
// Use.Put are called under the lock of whoever fills the batch, the vault's own work asks for that
// by Books.Change. Pending (pending.go) is what went into batches that aren't committed yet; with
// it the tables look as if they were. The expensive part of each step, looking and sealing, is done
// before, without that lock: Prepare and Redeem.
//
// Lock order: the lock of the batch's filler, then Vault.mu. Goroutines: sweeper (expired tokens),
// rekeyer (re-encryption). Both end with Close.
package vault

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"hash"
	"log/slog"
	"sync"
	"sync/atomic"

	"cardswitch/spec"
	"cardswitch/store/audit"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Wrapper protects data keys. A security module's key-encryption key is one. It is called at the
// start and when keys change, never for a token. It keeps nothing of what it's given, and what it
// returns is the caller's, who clears it.
type Wrapper interface {
	Wrap(dek []byte) ([]byte, error)
	Unwrap(wrapped []byte) ([]byte, error)
}

// Auditor makes a record durable before it returns. *audit.Log is one.
type Auditor interface {
	Append(ctx context.Context, e audit.Entry) (uint64, error)
}

// Batch is what becomes durable together. *store.Batch is one. It keeps nothing of what it's given.
type Batch interface {
	Set(key, value []byte)
	Delete(key []byte)
	Then(fn func()) // called once it is durable, and not if it never is
}

// Books is the store that the vault lies in. Get and Scan are those of *store.Store.
type Books interface {
	Get(key []byte) (value []byte, ok bool, err error)
	Scan(from, to []byte, fn func(key, value []byte) bool) error

	// Change calls fn with the batch that is being filled, under its filler's lock, and returns once
	// that batch is durable, with all before it, also if fn adds nothing; with an error if it may
	// never be, or when the store closes. fn is quick, and isn't called once Change has returned.
	Change(fn func(Batch)) error
}

// Options say what the vault works with. Zero values are sensible from Roles on; without roles
// nobody may do anything.
type Options struct {
	Books   Books
	Wrapper Wrapper
	Auditor Auditor
	KeyFile string // of the wrapped data keys, beside the data directory's others
	Create  bool   // make KeyFile if it isn't there and no token is
	FS      vfs.FS // of KeyFile; nil: the machine's

	Roles            map[string]Right // what a role may do
	RevealsPerMinute int              // whole numbers shown to people; 0: 60
	RekeyPerSecond   int              // records re-encrypted; 0: 2000
	CacheTokens      int              // remembered for their cards; 0: 50,000
	Logger           *slog.Logger
}

// Vault is one open vault. Its methods are safe for concurrent use.
type Vault struct {
	o       Options
	keys    atomic.Pointer[keySet]
	file    sync.Mutex // held while the key file is changed
	hashers sync.Pool  // of hash.Hash, keyed

	mu      sync.Mutex
	pending pending
	cache   cache
	reveals reveals

	progress progress
	rekey    chan struct{}
	stop     chan struct{}
	stopOnce sync.Once
	finished sync.WaitGroup
}

// Open opens the vault: the key file must be the one that belongs to the tokens. It only reads the
// books.
func Open(o Options) (*Vault, error) {
	o.complete()
	if o.Books == nil || o.Wrapper == nil || o.Auditor == nil || o.KeyFile == "" {
		return nil, &Error{"open the vault", errors.New("books, wrapper, auditor or key file lacks"),
			"this is a fault of the program; report it"}
	}
	v := &Vault{o: o, rekey: make(chan struct{}, 1), stop: make(chan struct{})}
	v.pending.init()
	v.cache.most = o.CacheTokens
	keys, search, err := v.openKeys()
	if err != nil {
		return nil, err
	}
	v.keys.Store(keys)
	v.hashers.New = func() any { return hmac.New(sha256.New, search) }
	v.finished.Add(2)
	go v.sweeper()
	go v.rekeyer()
	return v, nil
}

func (o *Options) complete() {
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.RevealsPerMinute == 0 {
		o.RevealsPerMinute = 60
	}
	if o.RekeyPerSecond == 0 {
		o.RekeyPerSecond = 2000
	}
	if o.CacheTokens == 0 {
		o.CacheTokens = 50_000
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
}

// Close ends the vault's own work. What is in a batch may still be committed.
func (v *Vault) Close() error {
	v.stopOnce.Do(func() { close(v.stop) })
	v.finished.Wait()
	return nil
}

func (v *Vault) closing() bool {
	select {
	case <-v.stop:
		return true
	default:
		return false
	}
}

// search is the keyed hash under which a card is found.
func (v *Vault) search(pan spec.PAN) [sha256.Size]byte {
	h := v.hashers.Get().(hash.Hash)
	h.Reset()
	var digits [19]byte
	plain := pan.AppendReveal(digits[:0])
	h.Write(plain)
	clear(plain)
	var sum [sha256.Size]byte
	h.Sum(sum[:0])
	v.hashers.Put(h)
	return sum
}
