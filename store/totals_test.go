package store

import (
	"testing"

	"pgregory.net/rapid"

	"cardswitch/store/journal"
	"cardswitch/store/total"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Totals are in the batch of the records that move them, so whatever a power cut leaves, the two
// agree: adding the journal up anew gives the kept figures, and what is counted later goes on from
// them.
func TestTotalsAreTheFoldOfTheJournalThroughCrashes(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		disk := Memory()
		s := openOn(t, disk)
		for range rapid.IntRange(1, 3).Draw(rt, "lives") {
			batches := [2]*Batch{s.NewBatch(), s.NewBatch()}
			for n := range rapid.IntRange(0, 6).Draw(rt, "commits") {
				b := batches[n%2]
				for range rapid.IntRange(1, 5).Draw(rt, "records") {
					b.Append(&journal.Record{Kind: journal.Closed, Center: 1,
						Dest:   uint16(rapid.IntRange(2, 3).Draw(rt, "dest")),
						Moves:  uint8(rapid.IntRange(0, 4).Draw(rt, "moves")),
						Amount: uint64(rapid.IntRange(0, 500).Draw(rt, "amount")),
						Day:    uint32(rapid.IntRange(0, 2).Draw(rt, "day")), Slice: 1})
				}
				commit(t, s, b)
			}
			after := Crashed(disk, uint64(rapid.IntRange(0, 9).Draw(rt, "seed")))
			closeStore(t, s)
			disk = after
			s = openOn(t, disk)
			report, err := s.AddUp(func(total.Key) bool { return true })
			if err != nil || len(report.Differ) != 0 || report.Records != s.LastSeq() {
				rt.Fatalf("%+v, %v", report, err)
			}
			if kept := s.Totals().List(func(total.Key) bool { return true }); len(kept) != report.Rows {
				rt.Fatalf("%d rows after the start, %d in the journal", len(kept), report.Rows)
			}
		}
		closeStore(t, s)
	})
}

// A figure that isn't the journal's is found.
func TestAddUpFindsAWrongTotal(t *testing.T) {
	s := openOn(t, vfs.NewMem())
	defer closeStore(t, s)
	b := s.NewBatch()
	b.Append(&journal.Record{Kind: journal.Closed, Center: 1, Dest: 2, Moves: uint8(total.Debit),
		Amount: 500, Day: 261122, Slice: 1})
	b.moved.Rows[0].Sums.Add(total.Debit, 500)
	commit(t, s, b)
	report, err := s.AddUp(func(total.Key) bool { return true })
	if err != nil || len(report.Differ) != 1 || report.Differ[0].Journaled[total.Debit].Amount != 500 {
		t.Fatalf("%+v, %v", report, err)
	}
	b.ForgetTotals(2, 261122)
	commit(t, s, b)
	if gone, err := s.AddUp(func(k total.Key) bool { return true }); err != nil ||
		gone.Differ[0].Kept != (total.Sums{}) {
		t.Fatalf("what is forgotten is still kept: %+v, %v", gone, err)
	}
	left, err := s.AddUp(func(k total.Key) bool { return k.Day != 261122 })
	if err != nil || len(left.Differ) != 0 {
		t.Fatalf("what is left out is reported: %+v, %v", left, err)
	}
}
