// Package audit keeps the log of what people did and what was done with keys, so that no change of
// it stays unseen.
//
// The log is a folder of segments, each a file of JSON lines. Every record carries the seal
//
//	mac(n) = HMAC-SHA-256(K(n), mac(n-1) || the record's bytes)    K(n+1) = HKDF(K(n))
//
// and K(n) is erased once record n is durable. Who takes over the machine has the key of the next
// record, not of any before: what was acknowledged can't be changed, put in, taken out or moved
// (forward security, as of Bellare and Yee). The first key, K(1), leaves the machine when the log
// is created; whoever holds it can check all. Who doesn't can check up to the newest anchor: a
// record with the hash of all lines before, signed with Ed25519. The key that signs stays on the
// machine, so anchors prove something only against others kept elsewhere (Options.Anchored): with
// one of them a log that was cut short or put back to an older state is found out.
//
// Append makes a record durable before it returns. The order is: the lines are synced, then the
// state file (the next key, and where the chain stands) is replaced and the old one wiped, then the
// caller is told. Lines beyond the state are therefore those of a crash: Open takes them over where
// their seals are right, and drops the rest, which nobody was told about. The log is for the acts
// of people and for keys, some a second, not for transactions; it costs five syncs a group of
// records, and records that wait together share them.
//
// Nothing is ever deleted but by Trim, which leaves twelve months (PCI DSS 10.5.1). Texts are
// masked where they may name a card. Writer is the only goroutine; it ends with Close.
package audit

import (
	"log/slog"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Options say where the log lives. Zero values are sensible but for Dir.
type Options struct {
	Dir    string
	FS     vfs.FS // nil: the machine's
	Sealer Sealer // seals the signing key; nil: it lies in the folder, readable by its owner alone

	SegmentBytes int64         // size from which on a new segment is begun, also a new day; 0: 16 MiB
	AnchorEvery  int           // records; 0: 256
	AnchorAfter  time.Duration // since the first record without one; 0: 1 h
	Patience     time.Duration // what Append waits for the disk at most; 0: 5 s

	// Anchored is called with the line of each new anchor, to be kept where this machine can't reach.
	// It may take its time.
	Anchored func(line []byte)
	Logger   *slog.Logger
}

// Sealer protects a key where it lies. A security module's key-encryption key is one.
type Sealer interface {
	Wrap(key []byte) ([]byte, error)
	Unwrap(wrapped []byte) ([]byte, error)
}

func (o *Options) complete() {
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.SegmentBytes == 0 {
		o.SegmentBytes = 16 << 20
	}
	if o.AnchorEvery == 0 {
		o.AnchorEvery = 256
	}
	if o.AnchorAfter == 0 {
		o.AnchorAfter = time.Hour
	}
	if o.Patience == 0 {
		o.Patience = 5 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
}
