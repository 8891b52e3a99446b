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
		if got := r.Of(c.amount); err != nil || got != c.want {
			t.Errorf("%s per mille of %d is %d, %v, want %d", c.perMille, c.amount, got, err, c.want)
		}
	}
	for _, bad := range []string{"", ".", "x", "-1", "1.2345", "1001", "1,5", "1e3"} {
		if r, err := ParseRate(bad); err == nil {
			t.Errorf("%q is read as %d", bad, r)
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
	s := StatementOf(261126, rows, fees(t), names, "switch")
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
	if !strings.Contains(lines.String(), "position,261126,hq,merchant,,392,,,,,,,,,3500,-88,3412") {
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
		s := StatementOf(261126, rows, fees(t), names, "switch")
		for _, sum := range s.Sums() {
			if sum.Gross != 0 || sum.Fees != 0 || sum.Net != 0 {
				rt.Fatalf("%+v come to %+v", s.Positions, sum)
			}
		}
	})
}
