package count

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"cardswitch/conformance/ledger"
	"cardswitch/spec"
	"cardswitch/store/journal"
	"cardswitch/switch/txn"
)

// records is a journal in memory. It numbers what it's given.
type records []journal.Record

func (rs records) Replay(_ uint64, fn func(*journal.Record) error) error {
	for n := range rs {
		rs[n].Seq = uint64(n + 1)
		if rs[n].Txn == 0 {
			rs[n].Txn = rs[n].Seq
		}
		if err := fn(&rs[n]); err != nil {
			return err
		}
	}
	return nil
}

func about(kind journal.Kind, mti spec.MTI, rrn string, amount uint64) journal.Record {
	r := journal.Record{Kind: kind, MTI: mti, Amount: amount}
	copy(r.Reference[:], rrn)
	return r
}

func later(kind journal.Kind, txn uint64, action uint16) journal.Record {
	return journal.Record{Kind: kind, Txn: txn, Action: action, Amount: 500, MTI: 0x1200}
}

func owing(r journal.Record) journal.Record {
	r.Add(journal.Image{Role: journal.Advice})
	return r
}

func answered(kind journal.Kind, txn, advice uint64) journal.Record {
	return journal.Record{Kind: kind, Txn: txn, Advice: advice}
}

func resolved(why txn.Reason, txn, advice uint64) journal.Record {
	return journal.Record{Kind: journal.Resolved, Txn: txn, Advice: advice, Reason: uint16(why)}
}

func TestFromJournal(t *testing.T) {
	open := about(journal.Opened, 0x1200, "R1", 500)
	declined := Entry{State: ledger.Declined, Txns: []uint64{1}}
	for name, c := range map[string]struct {
		journal records
		want    Entry
	}{
		"open": {records{open}, Entry{State: ledger.Open, Txns: []uint64{1}}},
		"approved": {records{open, later(journal.Closed, 1, 0)},
			Entry{State: ledger.Approved, Live: 500, Txns: []uint64{1}}},
		"declined": {records{open, later(journal.Closed, 1, 116)}, declined},
		"partly": {records{open, later(journal.Closed, 1, 2)},
			Entry{State: ledger.Approved, Live: PartlyApproved, Txns: []uint64{1}}},
		"timed out": {records{open, owing(later(journal.Closed, 1, 911))},
			Entry{State: ledger.Declined, Owed: true, Txns: []uint64{1}}},
		"timed out and reversed": {
			records{open, owing(later(journal.Closed, 1, 911)), answered(journal.Delivered, 1, 2)},
			Entry{State: ledger.Declined, Txns: []uint64{1}}},
		"reversal refused": {
			records{open, owing(later(journal.Closed, 1, 911)), answered(journal.Shelved, 1, 2)},
			Entry{State: ledger.Declined, Shelf: true, Txns: []uint64{1}}},
		"reversal that can't be written": {
			records{open, later(journal.Closed, 1, 911), answered(journal.Shelved, 1, 2)},
			Entry{State: ledger.Declined, Shelf: true, Txns: []uint64{1}}},
		"resolved": {
			records{open, owing(later(journal.Closed, 1, 911)), answered(journal.Shelved, 1, 2),
				resolved(txn.OperatorDropped, 1, 2)},
			Entry{State: ledger.Declined, Txns: []uint64{1}}},
		"retried": {
			records{open, owing(later(journal.Closed, 1, 911)), answered(journal.Shelved, 1, 2),
				resolved(txn.OperatorRetried, 1, 2)},
			Entry{State: ledger.Declined, Owed: true, Txns: []uint64{1}}},
		"retried and delivered": {
			records{open, owing(later(journal.Closed, 1, 911)), answered(journal.Shelved, 1, 2),
				resolved(txn.OperatorRetried, 1, 2), answered(journal.Delivered, 1, 2)},
			Entry{State: ledger.Declined, Txns: []uint64{1}}},
		"cancelled": {
			records{open, later(journal.Closed, 1, 0),
				owing(about(journal.Settled, 0x1420, "R1", 500)), later(journal.Reversed, 1, 0)},
			Entry{State: ledger.Cancelled, Owed: true, Txns: []uint64{1, 3}}},
		"reversed before the answer": {
			records{open, owing(about(journal.Settled, 0x1420, "R1", 500)),
				later(journal.Reversed, 1, 0), later(journal.Closed, 1, 0),
				answered(journal.Delivered, 2, 2)},
			Entry{State: ledger.Cancelled, Txns: []uint64{1, 2}}},
		"advice": {records{owing(about(journal.Settled, 0x1220, "R1", 500))},
			Entry{State: ledger.Approved, Live: 500, Owed: true, Txns: []uint64{1}}},
		"advice delivered": {
			records{owing(about(journal.Settled, 0x1220, "R1", 500)),
				answered(journal.Delivered, 1, 1)},
			Entry{State: ledger.Approved, Live: 500, Txns: []uint64{1}}},
		"refused": {records{about(journal.Settled, 0x1200, "R1", 500)}, declined},
		"a duplicate beside it": {
			records{open, later(journal.Closed, 1, 0), about(journal.Settled, 0x1200, "R1", 9)},
			Entry{State: ledger.Approved, Live: 500, Txns: []uint64{1, 3}}},
		"sent on twice": {
			records{open, later(journal.Closed, 1, 0), open, later(journal.Closed, 3, 0)},
			Entry{State: ledger.Approved, Live: 1000, Txns: []uint64{1, 3}}},
		"a reversal alone": {records{about(journal.Settled, 0x1420, "R1", 500)},
			Entry{State: ledger.Declined, Txns: []uint64{1}}},
	} {
		got, err := FromJournal(c.journal, nil)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(map[string]Entry{"R1": c.want}, got); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

func TestMessagesWithoutReferenceAreLeftOut(t *testing.T) {
	got, err := FromJournal(records{about(journal.Settled, 0x1804, "", 0)}, nil)
	if err != nil || len(got) != 0 {
		t.Error(got, err)
	}
}

// A part that is taken back stands no longer; what a return uses of its sale is another's money.
func TestPartsFromJournal(t *testing.T) {
	entries, err := FromJournal(records{about(journal.Opened, 0x1200, "R1", 500),
		later(journal.Closed, 1, 0),
		{Kind: journal.Adjusted, Txn: 1, Amount: 200, Reason: uint16(txn.PartReversed)},
		{Kind: journal.Adjusted, Txn: 1, Amount: 100, Reason: uint16(txn.SpentOf)}}, nil)
	want := map[string]Entry{"R1": {State: ledger.Approved, Live: 300, Txns: []uint64{1}}}
	if diff := cmp.Diff(want, entries); diff != "" || err != nil {
		t.Error(diff, err)
	}
}
