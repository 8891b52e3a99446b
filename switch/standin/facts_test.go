package standin

import (
	"testing"

	"cardswitch/spec"
	"cardswitch/spec/dialect"
)

func message(t testing.TB, elements map[int]string) *spec.Message {
	t.Helper()
	d, err := dialect.Builtin("ascii-binary")
	if err != nil {
		t.Fatal(err)
	}
	var e spec.Edit
	e.Reset()
	e.SetMTI(0x1200)
	for n, v := range elements {
		e.Set(n, []byte(v))
	}
	raw, fault := d.Append(nil, nil, &e)
	if !fault.OK() {
		t.Fatal(fault.Err())
	}
	m := new(spec.Message)
	if fault := d.Index(m, raw); !fault.OK() {
		t.Fatal(fault.Err())
	}
	return m
}

func TestFacts(t *testing.T) {
	const number = "3530111333300000"
	usual := map[int]string{2: number, 3: "010000", 4: "000000012345", 19: "840",
		22: "210101513140", 24: "200", 26: "5411", 49: "392", 14: "2912"}
	with := func(change map[int]string) map[int]string {
		e := map[int]string{}
		for n, v := range usual {
			e[n] = v
		}
		for n, v := range change {
			if e[n] = v; v == "" {
				delete(e, n)
			}
		}
		return e
	}
	pan, length := card(t, number)
	want := Facts{PAN: pan, PANLen: length, Transaction: 1, Entry: '5', Function: 200, Country: 840,
		Currency: 392, Expiry: 2912, Category: 5411, Amount: 12345}
	for _, c := range []struct {
		name   string
		change map[int]string
		facts  func(*Facts)
		hidden bool // as the journal keeps it, the track blank
	}{
		{"all of it", nil, func(*Facts) {}, false},
		{"a PIN", map[int]string{52: "12345678"}, func(f *Facts) { f.PIN = true }, false},
		{"nothing said", map[int]string{14: "", 19: "", 22: "", 26: "", 49: ""}, func(f *Facts) {
			f.Expiry, f.Country, f.Entry, f.Category, f.Currency = 0, 0, 0, 0, 0
		}, false},
		{"the date in track 2", map[int]string{14: "", 35: number + "=30012010000000000000"},
			func(f *Facts) { f.Expiry = 3001 }, true},
		{"the date in track 1", map[int]string{14: "", 45: "B" + number + "^SATO/TARO^3102201"},
			func(f *Facts) { f.Expiry = 3102 }, true},
		{"no date in track 2", map[int]string{14: "", 35: number + "="},
			func(f *Facts) { f.Expiry = 0 }, true},
		{"the element goes before the track", map[int]string{35: number + "=30012010000000000000"},
			func(*Facts) {}, false},
	} {
		m := message(t, with(c.change))
		p, err := spec.ParsePAN(number)
		if err != nil {
			t.Fatal(err)
		}
		f := want
		c.facts(&f)
		if got := FactsOf(m, p); got != f {
			t.Errorf("%s: %+v, want %+v", c.name, got, f)
		}
		if c.hidden {
			f.Expiry = ExpiryHidden
		}
		if got := FactsKept(m, p); got != f {
			t.Errorf("%s, kept: %+v, want %+v", c.name, got, f)
		}
	}
}

// Whatever stands in the elements, facts are read of them.
func FuzzFacts(f *testing.F) {
	f.Add("353011133330000=29122010", "B353011133330000^A^2912", "210101513140")
	f.Fuzz(func(t *testing.T, two, one, pos string) {
		d, err := dialect.Builtin("ascii-binary")
		if err != nil {
			t.Fatal(err)
		}
		var e spec.Edit
		e.Reset()
		e.SetMTI(0x1200)
		for n, v := range map[int]string{35: two, 45: one, 22: pos} {
			if v != "" {
				e.Set(n, []byte(v))
			}
		}
		raw, fault := d.Append(nil, nil, &e)
		var m spec.Message
		if !fault.OK() || !d.Index(&m, raw).OK() {
			return
		}
		if x := FactsOf(&m, spec.PAN{}); x.Expiry > 9999 {
			t.Fatalf("an expiry date %d", x.Expiry)
		}
	})
}

func BenchmarkFacts(b *testing.B) {
	m := message(b, map[int]string{2: "3530111333300000", 3: "000000", 4: "000000012345", 14: "2912",
		19: "392", 22: "210101513140", 24: "200", 26: "5411", 49: "392"})
	pan := m.PAN()
	b.ReportAllocs()
	for b.Loop() {
		FactsOf(m, pan)
	}
}
