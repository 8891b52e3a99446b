package cardrange

import (
	"cmp"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestParse(t *testing.T) {
	tests := []struct {
		from, to string
		want     Range
		text     string
	}{
		{"352800", "358999", Range{3528000000000000000, 3589999999999999999, 6}, "352800-358999"},
		{"45391234", "45391234", Range{4539123400000000000, 4539123499999999999, 8}, "45391234"},
		{"000000", "999999", Range{0, 9999999999999999999, 6}, "000000-999999"},
		{"9999999999999999999", "9999999999999999999",
			Range{9999999999999999999, 9999999999999999999, 19}, "999999*********9999"},
		{"453912340000", "453912349999",
			Range{4539123400000000000, 4539123499999999999, 12}, "453912******-453912******"},
	}
	for _, test := range tests {
		got, err := Parse(test.from, test.to)
		if err != nil || got != test.want || got.String() != test.text {
			t.Errorf("%s to %s is %+v, %v, %v, want %+v, %s",
				test.from, test.to, got, got, err, test.want, test.text)
		}
	}
	for _, bad := range [][2]string{{"35280", "35899"}, {"352800", "3589990"}, {"358999", "352800"},
		{"35280x", "358999"}, {"352800", "35899 "}, {"", ""},
		{"12345678901234567890", "12345678901234567890"}} {
		if r, err := Parse(bad[0], bad[1]); err == nil {
			t.Errorf("%v is taken as %v", bad, r)
		}
	}
}

func TestLuhn(t *testing.T) {
	for text, want := range map[string]bool{
		"4111111111111111": true, "4111111111111112": false, "378282246310005": true,
		"30569309025904": true, "30569309025905": false, "6304000000000000000": true, "0": true,
	} {
		var pan uint64
		if _, err := fmt.Sscan(text, &pan); err != nil {
			t.Fatal(err)
		}
		if got := Luhn(Align(pan, len(text)), uint8(len(text))); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
	if Luhn(0, 0) {
		t.Error("no card number has a right check digit")
	}
}

func TestClashes(t *testing.T) {
	r := func(from, to string) Range {
		made, err := Parse(from, to)
		if err != nil {
			t.Fatal(err)
		}
		return made
	}
	tests := []struct {
		a, b Range
		want bool
	}{
		{r("400000", "400009"), r("400005", "400014"), true},
		{r("400000", "400009"), r("400000", "400009"), false}, // the same
		{r("400000", "400009"), r("400010", "400019"), false}, // apart
		{r("400000", "400009"), r("400005", "400015"), false}, // one is narrower
		{r("400000", "400009"), r("40000500", "40001499"), true},
	}
	for _, test := range tests {
		if got := test.a.Clashes(test.b); got != test.want || test.b.Clashes(test.a) != got {
			t.Errorf("%v and %v: %v", test.a, test.b, got)
		}
	}
}

// The chain of a number is every range that holds it, narrowest first, then in the order given.
func TestIndexEqualsAScan(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.OneOf(rapid.Uint64Range(0, 30), rapid.Uint64Range(5e15-9, 5e15+9),
			rapid.Uint64Range(1e19-20, 1e19-1), rapid.Uint64Range(0, 1e19-1))
		ranges := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Range {
			a, b := number.Draw(t, "a"), number.Draw(t, "b")
			return Range{From: min(a, b), To: max(a, b)}
		}), 0, 40).Draw(t, "ranges")
		index, err := Build(ranges)
		if err != nil {
			t.Fatal(err)
		}
		for range 30 {
			pan := number.Draw(t, "pan")
			var want, got []int
			for i, r := range ranges {
				if pan >= r.From && pan <= r.To {
					want = append(want, i)
				}
			}
			slices.SortStableFunc(want, func(a, b int) int {
				return cmp.Compare(ranges[a].Width(), ranges[b].Width())
			})
			for at := index.Narrowest(pan); at != 0; at = index.Wider(at) {
				got = append(got, index.Place(at))
			}
			if !slices.Equal(got, want) {
				t.Fatalf("%d: %v, want %v", pan, got, want)
			}
		}
	})
}

// Ranges that nest cost one step each, and too many over one number are refused.
func TestIndexIsBounded(t *testing.T) {
	var nested []Range
	for i := range uint64(MaxDepth) {
		nested = append(nested, Range{From: i, To: 1e19 - 1 - i})
	}
	index, err := Build(nested)
	if err != nil || len(index.steps) != MaxDepth+1 {
		t.Fatalf("%v, %d steps", err, len(index.steps))
	}
	if _, err := Build(append(nested, Any())); err != ErrDepth {
		t.Fatal(err)
	}
}
