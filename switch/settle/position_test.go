package settle

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"cardswitch/store/total"
)

func TestRates(t *testing.T) {
	for _, c := range []struct {
		perMille string
		amount   int64
		want     int64
	}{
		{"12.5", 10_000, 125}, {"0", 5, 0}, {"1000", 77, 77}, {"0.5", 1000, 1}, {"0.499", 1000, 0},
		{"12.5", -10_000, -125}, {"0.5", -1000, -1}, {"30", 333, 10}, {"1.500", 1000, 2},
		{"1000", math.MaxInt64, math.MaxInt64},
	} {
		r, err := ParseRate(c.perMille)
		if got := r.Of(c.amount, ""); err != nil || got != c.want {
			t.Errorf("%s per mille of %d is %d, %v, want %d", c.perMille, c.amount, got, err, c.want)
		}
	}
	for _, bad := range []string{"", ".", "x", "-1", "1.2345", "1001", "1,5", "1e3"} {
		if r, err := ParseRate(bad); err == nil {
			t.Errorf("%q is read as %d", bad, r)
		}
	}
}

func TestRounding(t *testing.T) {
	for round, want := range map[string][3]int64{RoundHalf: {1, 2, -2}, RoundDown: {1, 1, -1},
		RoundUp: {2, 2, -2}} {
		for i, amount := range []int64{49, 50, -50} { // 30 per mille: 1.47 and 1.5
			if got := Rate(30_000).Of(amount, round); got != want[i] {
				t.Errorf("%s: of %d it is %d, want %d", round, amount, got, want[i])
			}
		}
	}
}

// Fees by payment division: each division has the first fee that is for it, and what a fee is for
// is rounded once.
func TestFeesByPaymentDivision(t *testing.T) {
	row := total.Row{Key: total.Key{Center: 2, Other: 1, Currency: 392}}
	parts, key := Parts{}, PartKey{2, 1, 392}
	for _, sale := range []struct {
		division uint8
		kind     total.Kind
		amount   uint64
	}{{10, total.Debit, 1000}, {61, total.Debit, 333}, {62, total.Debit, 333},
		{61, total.DebitReversal, 33}, {80, total.Debit, 500}, {0, total.Credit, 100}} {
		row.Sums.Add(sale.kind, sale.amount)
		parts.Add(key, sale.division, sale.kind, sale.amount)
	}
	s := StatementOf(261126, []total.Row{row}, parts, []Fee{
		{From: PartyMerchant, To: PartyIssuer, Rate: 45_000, Payments: []uint8{61, 62, 63}},
		{From: PartyMerchant, To: PartyIssuer, Rate: 60_000, Payments: []uint8{80}, PerItem: 5},
		{From: PartyMerchant, To: PartyIssuer, Rate: 30_000},
		{From: PartyIssuer, To: PartySwitch, PerItem: 3}}, names, "switch")
	want := []int64{28, 35, 27, 15} // 633 × 4.5 % = 28.485; 30 + 5; 900 × 3 %; 5 × 3
	if len(s.Pairs) != 1 || len(s.Pairs[0].Fees) != len(want) {
		t.Fatalf("%+v", s.Pairs)
	}
	for i, c := range s.Pairs[0].Fees {
		if c.Amount != want[i] {
			t.Errorf("fee %d is %d, want %d", i, c.Amount, want[i])
		}
	}
	for _, sum := range s.Sums() {
		if sum.Net != 0 {
			t.Errorf("%+v", sum)
		}
	}
}

func names(id uint16) string { return map[uint16]string{1: "hq", 2: "sakura", 3: "kiku"}[id] }

func fees(t testing.TB) []Fee {
	rate, err := ParseRate("25")
	if err != nil {
		t.Fatal(err)
	}
	return []Fee{{From: PartyMerchant, To: PartyIssuer, Rate: rate, Issuer: "sakura"},
		{From: PartyMerchant, To: PartyIssuer, Rate: 99_999}, // kiku gets more
		{From: PartyIssuer, To: PartySwitch, PerItem: 3}}
}

// The worked check as money: the issuer owes the merchant 3,500 less 25 per mille (88, as a half
// rounds up), and the switch 3 for each of three sales and a return.
func TestStatement(t *testing.T) {
	rows := []total.Row{{Key: total.Key{Center: 2, Other: 1, Currency: 392}, Sums: worked()}}
	s := StatementOf(261126, rows, nil, fees(t), names, "switch")
	want := []Position{
		{"sakura", PartyIssuer, 392, -3500, 88 - 12, -3424},
		{"hq", PartyMerchant, 392, 3500, -88, 3412},
		{"switch", PartySwitch, 392, 0, 12, 12},
	}
	if len(s.Positions) != len(want) {
		t.Fatalf("%+v", s.Positions)
	}
	for i := range want {
		if s.Positions[i] != want[i] {
			t.Errorf("%+v, want %+v", s.Positions[i], want[i])
		}
	}
	var page, lines bytes.Buffer
	if err := s.WriteHTML(&page); err != nil {
		t.Fatal(err)
	}
	if err := s.WriteCSV(&lines); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"−3,424", "2026-11-26", "3,412", "fee of the merchant"} {
		if !strings.Contains(page.String(), text) {
			t.Errorf("the page lacks %q", text)
		}
	}
	if !strings.Contains(lines.String(), "position,261126,hq,merchant,,392,,,,,,,,,3500,-88,3412,\n") {
		t.Errorf("lines:\n%s", lines.String())
	}
}

// What one party gets, another owes: the positions of a currency come to zero.
func TestPositionsComeToZero(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var rows []total.Row
		for range rapid.IntRange(0, 10).Draw(rt, "rows") {
			row := total.Row{Key: total.Key{Center: uint16(rapid.IntRange(2, 3).Draw(rt, "issuer")),
				Other: 1, Slice: uint16(rapid.IntRange(1, 2).Draw(rt, "slice")),
				Currency: uint16(rapid.SampledFrom([]int{392, 840}).Draw(rt, "currency"))}}
			for range rapid.IntRange(0, 5).Draw(rt, "items") {
				row.Sums.Add(total.Kind(rapid.IntRange(1, 4).Draw(rt, "kind")),
					rapid.Uint64Range(0, 9_999_999).Draw(rt, "amount"))
			}
			rows = append(rows, row)
		}
		s := StatementOf(261126, rows, nil, fees(t), names, "switch")
		for _, sum := range s.Sums() {
			if sum.Gross != 0 || sum.Fees != 0 || sum.Net != 0 {
				rt.Fatalf("%+v come to %+v", s.Positions, sum)
			}
		}
	})
}
