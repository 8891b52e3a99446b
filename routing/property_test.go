package routing

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"cardswitch/routing/cardrange"
	"cardswitch/spec"
)

// entry is a rule as the file has it, for a second, naive way to choose.
type entry struct {
	from, to  string
	mti       string // "" asks for nothing
	min       int
	effective int // a year; 0 none
}

func (e entry) yaml(i int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "  - {from: %q, to: %q, destinations: [d%d]", e.from, e.to, i)
	if e.effective > 0 {
		fmt.Fprintf(&b, ", effective: %d-01-01T00:00:00Z", e.effective)
	}
	var when []string
	if e.mti != "" {
		when = append(when, fmt.Sprintf("mti: [%q]", e.mti))
	}
	if e.min > 0 {
		when = append(when, fmt.Sprintf("amount: {min: %d}", e.min))
	}
	if len(when) > 0 {
		fmt.Fprintf(&b, ", when: {%s}", strings.Join(when, ", "))
	}
	return b.String() + "}\n"
}

func (e entry) takes(card string, q *Query, year int) bool {
	n := len(e.from)
	return len(card) >= n && card[:n] >= e.from && card[:n] <= e.to &&
		(e.mti == "" || e.mti == q.MTI.String()) && int(q.Amount) >= e.min && year >= e.effective
}

// width counts card numbers of nineteen digits as text, so that it shares nothing with cardrange.
func (e entry) width() string {
	low, high := e.from+strings.Repeat("0", 19-len(e.from)), e.to+strings.Repeat("9", 19-len(e.to))
	var digits [19]byte
	for i, borrow := 18, byte(0); i >= 0; i-- {
		d := high[i] - low[i] - borrow
		borrow = d >> 7
		digits[i] = '0' + (d+10)%10
		if borrow == 1 {
			digits[i] = '0' + (d + 10)
		}
	}
	return string(digits[:])
}

var rangeMTIs = []spec.MTI{0x1100, 0x1200, 0x1420}

var entries = rapid.Custom(func(t *rapid.T) entry {
	digits := rapid.IntRange(6, 8).Draw(t, "digits")
	a := "4539" + rapid.StringOfN(rapid.RuneFrom([]rune("019")), digits-4, digits-4, -1).Draw(t, "a")
	b := "4539" + rapid.StringOfN(rapid.RuneFrom([]rune("019")), digits-4, digits-4, -1).Draw(t, "b")
	return entry{
		from: min(a, b), to: max(a, b),
		mti:       rapid.SampledFrom([]string{"", "", "1100", "1200"}).Draw(t, "mti"),
		min:       rapid.SampledFrom([]int{0, 0, 500}).Draw(t, "min"),
		effective: rapid.SampledFrom([]int{0, 0, 2027}).Draw(t, "effective"),
	}
})

// Choose gives what a scan of all rules gives: the narrowest that takes the query, then the first.
func TestChooseEqualsANaiveScan(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(entries, 1, 30).Draw(t, "entries")
		names := make([]string, len(list))
		text := "ranges:\n"
		for i, e := range list {
			names[i] = fmt.Sprintf("d%d", i)
			text += e.yaml(i)
		}
		table, err := Parse("t", []byte(text), names)
		if err != nil {
			t.Skip("ambiguous")
		}
		for range 20 {
			card := "4539" + rapid.StringOfN(rapid.RuneFrom([]rune("0123456789")), 0, 15, -1).Draw(t, "card")
			year := rapid.SampledFrom([]int{2026, 2027}).Draw(t, "year")
			q := ask(card, func(q *Query) {
				q.MTI = rapid.SampledFrom(rangeMTIs).Draw(t, "mti")
				q.Amount = uint64(rapid.SampledFrom([]int{499, 500}).Draw(t, "amount"))
				q.At += int64(year-2026) * 366 * 86400
			})
			want := -1
			for i, e := range list {
				if e.takes(card, q, year) && (want < 0 || e.width() < list[want].width()) {
					want = i
				}
			}
			got := -1
			if route, ok := table.Choose(q); ok {
				got = int(route.Rule)
				if !slices.Equal(route.To, []uint16{uint16(got)}) {
					t.Fatalf("rule %d goes to %v", got, route.To)
				}
			}
			if got != want {
				t.Fatalf("%s of %q: chose %d, want %d", card, text, got, want)
			}
		}
	})
}

func BenchmarkChoose100000(b *testing.B) {
	table, queries := hundredThousand(b)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if _, ok := table.Choose(&queries[i&(len(queries)-1)]); !ok {
			b.Fatal("no route")
		}
		i++
	}
}

func BenchmarkParse100000(b *testing.B) {
	text := manyRanges()
	for b.Loop() {
		if _, err := Parse("t", text, []string{"a", "b"}); err != nil {
			b.Fatal(err)
		}
	}
}

// manyRanges is 100,000 ranges of nine digits, each tenth of a wider scheme of its own.
func manyRanges() []byte {
	var b strings.Builder
	b.WriteString("ranges:\n")
	for i := range 90000 {
		fmt.Fprintf(&b, "  - {prefix: \"%09d\", luhn: true, destinations: [a, b]}\n", 400000000+i*613)
	}
	for i := range 10000 {
		fmt.Fprintf(&b, "  - {prefix: \"4%06d\", destinations: [b]}\n", i*59)
	}
	return []byte(b.String())
}

func hundredThousand(b *testing.B) (*Table, []Query) {
	table, err := Parse("t", manyRanges(), []string{"a", "b"})
	if err != nil {
		b.Fatal(err)
	}
	queries := make([]Query, 1<<16)
	for i := range queries {
		queries[i] = *ask(fmt.Sprintf("%09d0000000", 400000000+(i*7919%90000)*613))
		q := &queries[i]
		for !cardrange.Luhn(q.PAN, q.PANLen) {
			q.PAN += 1000
		}
	}
	return table, queries
}
