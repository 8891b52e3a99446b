package index

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cardswitch/store/journal"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"
)

func openIndex(t *testing.T, fs vfs.FS) *Index {
	t.Helper()
	x, err := Open("index", &pebble.Options{FS: fs, DisableWAL: true,
		FormatMajorVersion: pebble.FormatNewest, Logger: quiet{}}, time.Minute,
		func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	return x
}

type quiet struct{}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}
func (quiet) Fatalf(f string, a ...any) {
	panic(f)
}

func cardOf(n uint64) (card [16]byte) {
	rng := rand.New(rand.NewPCG(n, 1))
	binary.BigEndian.PutUint64(card[:], rng.Uint64())
	binary.BigEndian.PutUint64(card[8:], rng.Uint64())
	return card
}

// TestBucketsHoldEveryTransaction: one card in each hundredth transaction, over several buckets and
// a restart in the middle of one, at its end, and after a crash that lost what wasn't flushed.
func TestBucketsHoldEveryTransaction(t *testing.T) {
	const size = 1 << bucketBits
	for _, stop := range []uint64{size - 1, size, size + 5000} {
		fs := vfs.NewMem()
		x := openIndex(t, fs)
		var want []uint64
		note := func(seq uint64) Note {
			var other [16]byte
			binary.BigEndian.PutUint64(other[:], seq*0x9e3779b97f4a7c15)
			n := Note{Seq: seq, Txn: seq, Card: other, Reference: [12]byte{1, byte(seq)}}
			if seq%100 == 0 {
				n.Card = cardOf(0)
			}
			return n
		}
		add := func(from, through uint64) {
			var notes []Note
			for seq := from; seq <= through; seq++ {
				if notes = append(notes, note(seq)); seq%100 == 0 {
					want = append(want, seq)
				}
				if len(notes) == 2000 || seq == through {
					x.Add(notes)
					notes = notes[:0]
				}
			}
		}
		check := func(limit int) {
			t.Helper()
			got, err := x.Card(cardOf(0), 1, limit)
			if err != nil {
				t.Fatal(err)
			}
			expected := slices.Clone(want)
			slices.Reverse(expected)
			if len(got) < min(limit, len(want)) || !slices.Equal(got, expected[:len(got)]) {
				t.Fatalf("stop at %d: found %d of %d transactions", stop, len(got), len(want))
			}
		}
		add(1, stop)
		check(1 << 30)
		x.Flush()
		check(1 << 30)
		if err := x.Close(); err != nil {
			t.Fatal(err)
		}
		x = openIndex(t, fs)
		for seq := x.Start(); seq <= x.Through(); seq++ {
			n := note(seq)
			x.Reopen(&n)
		}
		check(1 << 30)
		add(stop+1, stop+size/8)
		check(1 << 30)
		check(10)
		check(3000)
		if err := x.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestEqualHashes: as many entries of one hash as fill several pieces, between neighbours.
func TestEqualHashes(t *testing.T) {
	x := openIndex(t, vfs.NewMem())
	defer x.Close()
	for _, hash := range []uint64{0, 5 << bucketBits, ^uint64(bucketMask)} {
		var entries, want []uint64
		for i := range uint64(3 * pieceLength) {
			entries = append(entries, hash|i, hash-1<<bucketBits|i, hash+1<<bucketBits|i)
			want = append(want, 7<<bucketBits|i)
		}
		b := x.db.NewBatch()
		savePieces(b, familyCard, 7, entries)
		if err := b.Commit(pebble.NoSync); err != nil {
			t.Fatal(err)
		}
		it, err := x.db.NewIter(nil)
		if err != nil {
			t.Fatal(err)
		}
		got := searchBucket(nil, it, familyCard, 7, hash)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("hash %x: %d found, not %d", hash, len(got), len(want))
		}
		if err := it.Close(); err != nil {
			t.Fatal(err)
		}
		err = x.db.DeleteRange([]byte{familyCard}, []byte{familyCard + 1}, pebble.NoSync)
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestOpenSet compares it with the plainest one.
func TestOpenSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var set openSet
		open := map[uint64]bool{}
		next := uint64(1)
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			if rapid.Bool().Draw(t, "opens") {
				set.note(&Note{Kind: journal.Opened, Seq: next, Txn: next})
				open[next] = true
			} else { // also of one that isn't open
				txn := rapid.Uint64Range(1, next).Draw(t, "txn")
				set.note(&Note{Kind: journal.Closed, Seq: next, Txn: txn})
				delete(open, txn)
			}
			next++
			want := next
			for seq := range open {
				want = min(want, seq)
			}
			if got := set.floor(next); got != want {
				t.Fatalf("floor %d, not %d", got, want)
			}
		}
	})
}

func TestReferencesSpread(t *testing.T) {
	seen := map[uint64]bool{}
	for n := range 100_000 {
		var r [12]byte
		for i, v := 11, 261122000000+n; i >= 0; i, v = i-1, v/10 {
			r[i] = '0' + byte(v%10)
		}
		seen[referenceHash(&r)] = true
	}
	if len(seen) < 99_990 {
		t.Errorf("100000 references have %d hashes", len(seen))
	}
}

// TestLaterRecordsAreFound whether they wait or are written, past what the filter can tell apart.
func TestLaterRecordsAreFound(t *testing.T) {
	x := openIndex(t, vfs.NewMem())
	defer x.Close()
	far := uint64(64 * len(filter{}))
	x.Add([]Note{{Seq: 1, Txn: 1}, {Seq: 2, Txn: 1}, {Seq: far + 1, Txn: far + 1},
		{Seq: far + 2, Txn: far + 1}})
	for range 2 {
		for txn, want := range map[uint64][]uint64{1: {2}, far + 1: {far + 2}, 2: nil} {
			if got, err := x.Records(txn); !slices.Equal(got, want) || err != nil {
				t.Errorf("transaction %d has %v, %v", txn, got, err)
			}
		}
		x.Flush()
	}
}

// stuckFS is a disk on which tables can't be made.
type stuckFS struct {
	vfs.FS
	free chan struct{}
}

func (f stuckFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if strings.HasSuffix(name, ".sst") {
		<-f.free
	}
	return f.FS.Create(name, c)
}

// TestStuckIndexIsGivenUp: a disk that takes nothing must not hold up the journal for ever.
func TestStuckIndexIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := stuckFS{vfs.NewMem(), make(chan struct{})}
		var failure error
		x, err := Open("index", &pebble.Options{FS: fs, DisableWAL: true, MemTableSize: 1 << 20,
			FormatMajorVersion: pebble.FormatNewest, Logger: quiet{}}, 3*time.Second,
			func(err error) { failure = err })
		if err != nil {
			t.Fatal(err)
		}
		notes := make([]Note, 4096)
		start := time.Now()
		for seq := uint64(1); failure == nil && seq < 4*farBehind; {
			for i := range notes {
				notes[i] = Note{Seq: seq, Txn: seq, Key: journal.Key{1, 2, 3, byte(seq), byte(seq >> 8)}}
				seq++
			}
			x.Add(notes)
			time.Sleep(time.Millisecond)
		}
		if failure == nil || time.Since(start) > time.Minute {
			t.Fatalf("%v after %s", failure, time.Since(start))
		}
		close(fs.free)
		_ = x.Close()
	})
}
