package count

import (
	"strings"
	"testing"

	"cardswitch/conformance/ledger"
)

func receipt(state ledger.State, live int64) ledger.Receipt {
	return ledger.Receipt{RRN: "R1", Kind: ledger.Sale, Amount: 1000, Live: live, State: state}
}

func posting(state ledger.State, live int64) ledger.Posting {
	return ledger.Posting{
		RRN: "R1", MTI: "1200", Processing: "000000", Amount: 1000, Live: live, State: state,
	}
}

type (
	rs = []ledger.Receipt
	ps = []ledger.Posting
)

func TestJudge(t *testing.T) {
	sale, nothing := receipt(ledger.Approved, 1000), receipt(ledger.Declined, 0)
	stands, undone := posting(ledger.Approved, 1000), posting(ledger.Reversed, 0)
	credit, hold, clash := stands, stands, undone
	credit.Processing, hold.MTI, clash.Conflicts = "200000", "1100", 1
	entry := func(s ledger.State, live int64) map[string]Entry {
		return map[string]Entry{"R1": {State: s, Live: live}}
	}
	owed := map[string]Entry{"R1": {State: ledger.Reversed, Owed: true}}
	for name, c := range map[string]struct {
		receipts []ledger.Receipt
		journal  map[string]Entry
		postings []ledger.Posting
		want     Kind
		ok       bool
	}{
		"agreed sale":      {rs{sale}, nil, ps{stands}, "", true},
		"agreed on all":    {rs{sale}, entry(ledger.Approved, 1000), ps{stands}, "", true},
		"declined":         {rs{nothing}, nil, nil, "", true},
		"reversed":         {rs{receipt(ledger.Reversed, 0)}, nil, ps{undone}, "", true},
		"reversed, again":  {rs{sale}, nil, ps{undone, stands}, "", true},
		"lost":             {rs{sale}, nil, ps{undone}, Lost, false},
		"lost in the air":  {rs{sale}, nil, nil, Lost, false},
		"double":           {rs{sale}, nil, ps{stands, stands}, Double, false},
		"orphan":           {rs{nothing}, nil, ps{stands}, Orphan, false},
		"cancelled orphan": {rs{receipt(ledger.Cancelled, 0)}, nil, ps{stands}, Orphan, false},
		"owed orphan":      {rs{nothing}, owed, ps{stands}, Orphan, true},
		"owed double":      {rs{nothing}, owed, ps{stands, stands}, Double, false},
		"other amount":     {rs{sale}, nil, ps{posting(ledger.Approved, 999)}, Amount, false},
		"wrong way":        {rs{sale}, nil, ps{credit}, Amount, false},
		"hold for a sale":  {rs{sale}, nil, ps{hold}, Amount, false},
		"unknown":          {rs{receipt(ledger.Unknown, 0)}, nil, nil, Unknown, false},
		"still open":       {rs{receipt(ledger.Open, 0)}, nil, nil, Unknown, false},
		"stranger":         {nil, nil, ps{undone}, Stranger, false},
		"conflict":         {rs{nothing}, nil, ps{clash}, Conflict, false},
		"two receipts":     {rs{sale, sale}, nil, ps{stands}, Twice, false},
		"journal declines": {rs{sale}, entry(ledger.Declined, 0), ps{stands}, Journal, false},
		"journal's amount": {rs{sale}, entry(ledger.Approved, 1), ps{stands}, Journal, false},
		"journal is empty": {rs{sale}, map[string]Entry{}, ps{stands}, Journal, false},
		"never came":       {rs{nothing}, map[string]Entry{}, nil, "", true},
	} {
		r := Books{c.receipts, c.journal, map[string]ps{"i": c.postings}}.Count()
		got := Kind("")
		if len(r.Differences) > 0 {
			got = r.Differences[0].Kind
		}
		if got != c.want || r.OK() != c.ok {
			t.Errorf("%s: %q ok=%v, want %q ok=%v", name, got, r.OK(), c.want, c.ok)
		}
	}
}

func TestReportNamesTheNumber(t *testing.T) {
	r := Books{
		rs{receipt(ledger.Approved, 1000)}, nil,
		map[string]ps{"sakura": {posting(ledger.Reversed, 0)}},
	}.Count()
	var b strings.Builder
	if err := r.Write(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"lost R1", "1000 yen", "sakura", "THE MONEY DISAGREES: 1 lost"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is missing from\n%s", want, b.String())
		}
	}
}
