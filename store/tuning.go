package store

import (
	"fmt"
	"log/slog"
	"strings"

	"cardswitch/store/fence"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// journalOptions: few, large, compressed values in key order. Each family has tables of its own
// (the span policy cuts them), so the tables of the journal never overlap: they are moved down,
// never rewritten.
func (s *Store) journalOptions(fs *fence.FS) *pebble.Options {
	o := s.pebbleOptions(fs)
	o.MemTableSize = 32 << 20
	o.MemTableStopWritesThreshold = 4
	// Pebble takes the memory of its memtables off the cache: of one that is filled and one that is
	// being written out. The rest is for tokens, which are looked up one by one.
	o.CacheSize = 2*int64(o.MemTableSize) + 32<<20
	o.ApplyCompressionSettings(func() pebble.DBCompressionSettings { return pebble.DBCompressionNone })
	for i := range o.TargetFileSizes {
		o.TargetFileSizes[i] = 64 << 20
	}
	for i := range o.Levels { // for what lies beside the journal and is mostly asked for in vain
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	return o
}

// indexOptions: many small keys, rebuilt from the journal if lost, so without a log.
func (s *Store) indexOptions(fs *fence.FS) *pebble.Options {
	o := s.pebbleOptions(fs)
	o.DisableWAL = true
	// Looked into for old questions only, so it is better merged seldom: a tenth of the switch's
	// CPU at the peak.
	o.L0CompactionThreshold = 8
	o.LBaseMaxBytes = 512 << 20
	o.MemTableSize = 32 << 20
	o.MemTableStopWritesThreshold = 4
	o.CacheSize = 32 << 20
	o.ApplyCompressionSettings(func() pebble.DBCompressionSettings {
		return pebble.DBCompressionFastest
	})
	for i := range o.Levels {
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	return o
}

// pebbleOptions are what both have in common. Forms before the newest don't work inside a synctest
// bubble.
func (s *Store) pebbleOptions(fs *fence.FS) *pebble.Options {
	o := &pebble.Options{
		FS:                 fs,
		FormatMajorVersion: pebbleForm,
		Logger:             pebbleLog{s.log, s.fail},
		BytesPerSync:       1 << 20,
		// On a disk in memory there are none: who collects them waits for a mutex that a slow disk
		// holds for long, and the clock of a synctest bubble doesn't go on then.
		DisableTableStats: fs.FS != vfs.Default,
		EventListener: &pebble.EventListener{
			BackgroundError: func(err error) { s.fail(fmt.Errorf("background work of the store: %w", err)) },
			DataCorruption: func(i pebble.DataCorruptionInfo) {
				s.log.Error("the store found damaged data", "file", i.Path, "error", i.Details)
			},
			WriteStallBegin: func(i pebble.WriteStallBeginInfo) {
				s.log.Warn("the store can't keep up with its writes", "reason", i.Reason)
			},
		},
	}
	o.Experimental.SpanPolicyFunc = func(start []byte) (pebble.SpanPolicy, []byte, error) {
		return pebble.SpanPolicy{}, []byte{start[0] + 1}, nil
	}
	return o
}

// pebbleLog is Pebble's log. Fatalf must not end the process; the fence makes going on harmless.
type pebbleLog struct {
	log  *slog.Logger
	fail func(error)
}

func (l pebbleLog) Infof(format string, args ...any) {}

func (l pebbleLog) Errorf(format string, args ...any) {
	l.log.Error("store", "error", strings.TrimSpace(fmt.Sprintf(format, args...)))
}

func (l pebbleLog) Fatalf(format string, args ...any) {
	l.fail(fmt.Errorf("pebble: "+format, args...))
}
