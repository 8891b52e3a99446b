package store

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"cardswitch/store/index"
	"cardswitch/store/journal"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// All records of a transaction are found, whether it ends at once, at the edge of what is looked
// through, far away or not at all, and whatever comes before and after its end.
func TestAllRecordsOfATransaction(t *testing.T) {
	if testing.Short() {
		t.Skip("many cases, and nothing that runs side by side")
	}
	fs := vfs.NewMem()
	s := openOn(t, fs)
	random := rand.New(rand.NewPCG(3, 4))
	want := map[uint64][]uint64{}
	type due struct {
		at, txn uint64
		kind    journal.Kind
	}
	var waiting []due
	b := s.NewBatch()
	distances := []uint64{1, 2, 100, index.Near - 1, index.Near, index.Near + 1,
		2*index.Near + 7, 1 << 40}
	for n := 0; s.LastSeq() < 6*index.Near; n++ {
		r := opened(t, s, n)
		seq := b.Append(&r)
		want[seq] = []uint64{seq}
		ends := seq + distances[random.IntN(len(distances))]
		waiting = append(waiting, due{ends, seq, journal.Closed})
		if random.IntN(3) == 0 {
			waiting = append(waiting, due{ends - 1, seq, journal.Moved},
				due{ends + uint64(random.IntN(5000)), seq, journal.Late})
		}
		slices.SortStableFunc(waiting, func(a, b due) int { return int(int64(a.at) - int64(b.at)) })
		for len(waiting) > 0 && waiting[0].at <= seq+1 {
			d := waiting[0]
			waiting = waiting[1:]
			later := journal.Record{At: time.Now().UnixNano(), Kind: d.kind, Txn: d.txn, Center: 1}
			seq = b.Append(&later)
			want[d.txn] = append(want[d.txn], seq)
		}
		if n%50 == 0 {
			commit(t, s, b)
		}
	}
	commit(t, s, b)
	check := func() {
		t.Helper()
		for txn, numbers := range want {
			if random.IntN(20) > 0 {
				continue
			}
			all, err := s.Transaction(numbers[len(numbers)-1])
			var got []uint64
			for _, r := range all {
				got = append(got, r.Seq)
			}
			if err != nil || !slices.Equal(got, numbers) {
				t.Fatalf("transaction %d has %v (%v), want %v", txn, got, err, numbers)
			}
		}
	}
	check()
	s.index.Flush()
	check()
	closeStore(t, s)
	s = openOn(t, fs)
	defer closeStore(t, s)
	check()
}
