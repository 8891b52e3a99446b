package layout

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"cardswitch/spec"
	"cardswitch/store/negative"
)

func parsed(t testing.TB, s Spec) *Layout {
	t.Helper()
	l, err := New(s)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// read reads a text, and writes what it found a line each.
func read(l *Layout, text string) (found []string, r Report, err error) {
	r, err = l.Read(strings.NewReader(text), negative.Terms{Action: 200, Reason: 3004},
		func(p spec.PAN, t negative.Terms) error {
			found = append(found, p.Reveal()+" "+t.String())
			return nil
		})
	return found, r, err
}

const listed = "3530111333300000"

func terms(action, reason, from, until string) string {
	return fmt.Sprintf("%s action %s reason %s from %s until %s", listed, action, reason, from, until)
}

func TestLines(t *testing.T) {
	csv := Spec{Format: CSV, Columns: []string{"no", "pan", "action", "reason", "from", "until"}}
	for _, c := range []struct {
		line string
		want string // what is found, or the cause
	}{
		{"1,3530111333300000,208,3000,20261201,20271231", terms("208", "3000", "2026-12-01",
			"2027-12-31")},
		{"1,3530111333300000,208,3000,20261201,20271231,more", terms("208", "3000", "2026-12-01",
			"2027-12-31")},
		{"1, 3530111333300000 ,,,,", terms("200", "3004", "-", "-")},
		{"1,3530111333300000,000,0000,000000,00000000", terms("200", "3004", "-", "-")},
		{`"1","3530111333300000","208","","2026-12-01","2612"`, terms("208", "3004", "2026-12-01",
			"2026-12-31")},
		{`"a ""b"", c",3530111333300000,208,,2612,2602` + "29", string(LastDay)},
		{`"a ""b"", c",3530111333300000,208,,2612,`, terms("208", "3004", "2026-12-01", "-")},
		{`"a,3530111333300000,208,,,`, string(misplacedQuote)},
		{`"a"b,3530111333300000,208,,,`, string(misplacedQuote)},
		{"1,3530111333300000,208,3000,20261201", string(LineTooShort)},
		{"1,353011133330000O,208,3000,,", string(CardNumber)},
		{"1,3530111,208,3000,,", string(CardNumber)},
		{"1,35301113333000003530,208,3000,,", string(CardNumber)},
		{"1,,208,3000,,", string(CardNumber)},
		{"1,3530111333300000,020,3000,,", string(ActionCode)},
		{"1,3530111333300000,300,3000,,", string(ActionCode)},
		{"1,3530111333300000,20,3000,,", string(ActionCode)},
		{"1,3530111333300000,x,3000,,", string(ActionCode)},
		{"1,3530111333300000,208,4000,,", string(ReasonCode)},
		{"1,3530111333300000,208,3000,20260231,", string(FirstDay)},
		{"1,3530111333300000,208,3000,20261200,", string(FirstDay)},
		{"1,3530111333300000,208,3000,2612011,", string(FirstDay)},
		{"1,3530111333300000,208,3000,,19991301", string(LastDay)},
		{"1,3530111333300000,208,3000,20261201,20261130", string(DaysBackwards)},
		{strings.Repeat("1", mostLine) + ",3530111333300000,208,3000,,", string(LineTooLong)},
		{strings.Repeat("1", 1<<17) + ",3530111333300000,208,3000,,", string(LineTooLong)},
	} {
		found, r, err := read(parsed(t, csv), c.line+"\r\n")
		if err != nil || r.Lines != 1 {
			t.Errorf("%.60s: %+v, %v", c.line, r, err)
			continue
		}
		got := append(found, func() (causes []string) {
			for _, f := range r.Faults {
				causes = append(causes, string(f.Cause))
			}
			return causes
		}()...)
		if !slices.Equal(got, []string{c.want}) {
			t.Errorf("%.60s: %q, want %q", c.line, got, c.want)
		}
	}
}

func TestFixedLength(t *testing.T) {
	l := parsed(t, Spec{Format: Fixed, Fields: map[string]string{"pan": "2-20", "action": "21-23",
		"until": "24-27"}, Header: "H", Trailer: "T", Count: "2-9", Sum: "10-15"})
	text := "H20261126\r\nD3530111333300000   2082712\r\nD3530111333300018   0000000\r\n" +
		"T00000002600018\r\n"
	text = strings.Replace(text, "600018", "600018", 1)
	found, r, err := read(l, text)
	want := []string{terms("208", "3004", "-", "2027-12-31"),
		"3530111333300018 action 200 reason 3004 from - until -"}
	if err != nil || r.Lines != 2 || r.Rejected != 0 || !slices.Equal(found, want) {
		t.Errorf("%q %+v %v", found, r, err)
	}
	for name, bad := range map[string]string{
		"another count":   strings.Replace(text, "T00000002", "T00000003", 1),
		"another sum":     strings.Replace(text, "600018", "600019", 1),
		"no trailer":      text[:strings.Index(text, "T")],
		"no header":       text[11:],
		"a line lacks":    strings.Replace(text, "D3530111333300018   0000000\r\n", "", 1),
		"a card changed":  strings.Replace(text, "300018", "300026", 1),
		"a short trailer": strings.Replace(text, "T00000002600018", "T0000", 1),
		"nothing":         "",
	} {
		if _, _, err := read(l, bad); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	_, r, err = read(l, text+"D3530111333300018   0000000\r\n\x1a")
	if err != nil || r.Rejected != 1 || r.Faults[0] != (Fault{5, BehindTrailer}) {
		t.Errorf("behind the trailer: %+v %v", r, err)
	}
}

func TestNamedColumns(t *testing.T) {
	found, r, err := read(parsed(t, Spec{Format: CSV, Separator: ";", Luhn: true}),
		"\xef\xbb\xbfuntil;PAN;memo\n2712;3530111333300000;lost in Ginza\n\n2712;3530111333300001;\n")
	if err != nil || len(found) != 1 || found[0] != terms("200", "3004", "-", "2027-12-31") ||
		!slices.Equal(r.Faults, []Fault{{4, CheckDigit}}) || r.Causes[CheckDigit] != 1 {
		t.Errorf("%q %+v %v", found, r, err)
	}
	if _, _, err := read(parsed(t, Spec{Format: CSV}), "a,b\n"); err == nil {
		t.Error("no column is called pan, and that is no error")
	}
}

func TestBadLayouts(t *testing.T) {
	for name, s := range map[string]Spec{
		"no format":      {},
		"no pan":         {Format: CSV, Columns: []string{"a"}},
		"pan twice":      {Format: CSV, Columns: []string{"pan", "pan"}},
		"fields of CSV":  {Format: CSV, Fields: map[string]string{"pan": "1"}},
		"long separator": {Format: CSV, Separator: "||"},
		"no place":       {Format: Fixed},
		"a wrong field":  {Format: Fixed, Fields: map[string]string{"pan": "1-16", "name": "17-20"}},
		"a wrong place":  {Format: Fixed, Fields: map[string]string{"pan": "16-1"}},
		"a far place":    {Format: Fixed, Fields: map[string]string{"pan": "1-99999"}},
		"columns":        {Format: Fixed, Columns: []string{"pan"}},
		"count, no end":  {Format: CSV, Count: "2"},
		"a range of CSV": {Format: CSV, Trailer: "T", Count: "2-3"},
		"a sum too wide": {Format: Fixed, Fields: map[string]string{"pan": "1-16"}, Trailer: "T",
			Sum: "1-19"},
		"a place of none": {Format: CSV, Trailer: "T", Count: "x"},
	} {
		if _, err := New(s); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestTakeEndsIt(t *testing.T) {
	stop := errors.New("stop")
	_, err := parsed(t, Spec{Format: CSV, Columns: []string{"pan"}}).Read(
		strings.NewReader(listed+"\n"), negative.Terms{},
		func(spec.PAN, negative.Terms) error { return stop })
	if !errors.Is(err, stop) {
		t.Error(err)
	}
}

// TestManyFaults: all are counted, the first are named.
func TestManyFaults(t *testing.T) {
	_, r, err := read(parsed(t, Spec{Format: CSV, Columns: []string{"pan"}}),
		strings.Repeat("x\n", 1000))
	if err != nil || r.Rejected != 1000 || len(r.Faults) != mostFaults ||
		r.Causes[CardNumber] != 1000 {
		t.Errorf("%d rejected, %d named, %v, %v", r.Rejected, len(r.Faults), r.Causes, err)
	}
}

func FuzzLists(f *testing.F) {
	layouts := []Spec{
		{Format: CSV, Columns: []string{"pan", "action", "reason", "from", "until"}},
		{Format: CSV, Separator: ";", Luhn: true, Trailer: "T", Count: "2", Sum: "3"},
		{Format: Fixed, Fields: map[string]string{"pan": "2-20", "action": "21-23", "from": "24-29"},
			Header: "H", Trailer: "T", Count: "2-9", Sum: "10-27"},
	}
	f.Add(uint8(0), "3530111333300000,208,3000,261201,2712\n\"35\"\"\",1\n")
	f.Add(uint8(1), "pan;until\n3530111333300000;2712\nT;1;3530111333300000\n")
	f.Add(uint8(2), "H\nD3530111333300000   208261201\nT00000001003530111333300000\n")
	f.Fuzz(func(t *testing.T, which uint8, text string) {
		l := parsed(t, layouts[int(which)%len(layouts)])
		taken := uint64(0)
		r, err := l.Read(strings.NewReader(text), negative.Terms{Action: 200},
			func(p spec.PAN, terms negative.Terms) error {
				taken++
				if p.Len() < 8 || terms.Action < 100 || terms.Action > 299 ||
					terms.Until != 0 && terms.Until < terms.From {
					t.Errorf("%v %v", p, terms)
				}
				return nil
			})
		if taken+r.Rejected != r.Lines || len(r.Faults) > mostFaults {
			t.Errorf("%d taken, %+v", taken, r)
		}
		if err != nil && len(text) >= 16 && strings.Contains(err.Error(), text) {
			t.Errorf("the error shows the file: %v", err)
		}
	})
}

// BenchmarkRead reads CSV lines of 30 bytes.
func BenchmarkRead(b *testing.B) {
	var text strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&text, "%016d,208,3000,,2712\n", 3530111333300000+i)
	}
	l := parsed(b, Spec{Format: CSV, Columns: []string{"pan", "action", "reason", "from", "until"}})
	b.ReportAllocs()
	b.SetBytes(int64(text.Len()))
	for b.Loop() {
		r, err := l.Read(strings.NewReader(text.String()), negative.Terms{},
			func(spec.PAN, negative.Terms) error { return nil })
		if err != nil || r.Lines != 10_000 || r.Rejected != 0 {
			b.Fatal(r, err)
		}
	}
}
