package index

import (
	"slices"
	"testing"

	"cardswitch/store/journal"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// askedAs is the question of a record: one second has a thousand of them.
func askedAs(seq uint64) Note {
	at := 261126_000000 + seq/1000/60*100 + seq/1000%60
	key := journal.KeyOf(3, 0x1200, at, uint32(seq), 45, 2)
	return Note{Seq: seq, Txn: seq, Key: key}
}

func fill(x *Index, from, through uint64, note func(uint64) Note) {
	var notes []Note
	for seq := from; seq <= through; seq++ {
		if notes = append(notes, note(seq)); len(notes) == 5000 || seq == through {
			x.Add(notes)
			notes = notes[:0]
		}
	}
}

func find(t *testing.T, x *Index, key journal.Key, first uint64, want ...uint64) {
	t.Helper()
	if got, err := x.Question(key, first); err != nil || !slices.Equal(got, want) {
		t.Fatalf("the question of local time %d, number %d was asked by %v, not %v: %v",
			key.LocalTime(), key.STAN(), got, want, err)
	}
}

// TestQuestionsAreFound whether they wait, are in the newest bucket or in Pebble, and after a
// restart; those that nobody asked are not.
func TestQuestionsAreFound(t *testing.T) {
	const size = 1 << bucketBits
	fs := vfs.NewMem()
	x := openIndex(t, fs)
	last := uint64(2*size + 5000)
	look := func() {
		t.Helper()
		for _, seq := range []uint64{1, 77_777, size - 1, size, 2*size - 1, 2 * size, last} {
			find(t, x, askedAs(seq).Key, 1, seq)
			never := askedAs(seq)
			never.Key[22]++ // of another acquirer
			find(t, x, never.Key, 1)
		}
		find(t, x, askedAs(last+1).Key, 1)
		find(t, x, askedAs(77_777).Key, 77_778)
	}
	fill(x, 1, last, askedAs)
	look()
	x.Flush()
	look()
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	x = openIndex(t, fs)
	defer x.Close()
	for seq := x.Start(); seq <= x.Through(); seq++ {
		n := askedAs(seq)
		x.Reopen(&n)
	}
	look()
	if err := x.DropBefore(size + 10); err != nil {
		t.Fatal(err)
	}
	find(t, x, askedAs(77_777).Key, 1)
	find(t, x, askedAs(size+10).Key, size+10, size+10)
	for minutes, buckets := range x.times {
		if slices.Contains(buckets, 0) {
			t.Errorf("the times %d of the dropped bucket are kept", minutes)
		}
	}
}

// TestAskedTwice: the newest is named first.
func TestAskedTwice(t *testing.T) {
	x := openIndex(t, vfs.NewMem())
	defer x.Close()
	again := askedAs(1)
	again.Seq, again.Txn = 9, 9
	x.Add([]Note{askedAs(1), again})
	for range 2 {
		find(t, x, again.Key, 1, 9, 1)
		x.Flush()
	}
}

// TestWildClocks: a bucket whose questions are of any time is looked into for every one, and costs
// no more memory for it.
func TestWildClocks(t *testing.T) {
	x := openIndex(t, vfs.NewMem())
	defer x.Close()
	wild := func(seq uint64) Note {
		n := askedAs(seq)
		n.Key = journal.KeyOf(3, 0x1200, seq*7919%999999*1_000_000, uint32(seq), 45, 2)
		return n
	}
	fill(x, 1, 1<<bucketBits+1, wild)
	x.Flush()
	for _, seq := range []uint64{1, 2, timesKept, timesKept + 1, 1<<bucketBits - 1} {
		find(t, x, wild(seq).Key, 1, seq)
	}
	if len(x.times) != 1 {
		t.Errorf("%d times are kept", len(x.times))
	}
}

// TestOtherVersion: what an index of another version knows is not understood, so all is forgotten,
// and the store fills it again.
func TestOtherVersion(t *testing.T) {
	for name, spoil := range map[string]func(*Index) error{
		"none": func(x *Index) error { return x.db.Delete([]byte{familyVersion}, pebble.NoSync) },
		"older": func(x *Index) error {
			return x.db.Set([]byte{familyVersion}, []byte{1}, pebble.NoSync)
		},
	} {
		fs := vfs.NewMem()
		x := openIndex(t, fs)
		fill(x, 1, 9000, askedAs)
		x.Flush()
		if err := spoil(x); err != nil {
			t.Fatal(err)
		}
		if err := x.Close(); err != nil {
			t.Fatal(err)
		}
		x = openIndex(t, fs)
		if x.Through() != 0 || x.Floor() != 1 || x.Newest(3) != 0 {
			t.Errorf("%s: it knows the records through %d, from %d", name, x.Through(), x.Floor())
		}
		if err := x.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
