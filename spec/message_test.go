package spec_test

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"
	"unsafe"

	"cardswitch/spec"
	"cardswitch/spec/dialect"
	"cardswitch/spec/sample"
)

// write writes values in a dialect and indexes them.
func (f wireFormat) write(t *testing.T, values map[int]string) *spec.Message {
	t.Helper()
	e := &spec.Edit{}
	e.SetMTI(0x1200)
	for n, v := range values {
		e.Set(n, []byte(v))
	}
	raw, fault := f.Append(nil, nil, e)
	if !fault.OK() {
		t.Fatal(fault)
	}
	m := &spec.Message{}
	if fault := f.Index(m, raw); !fault.OK() {
		t.Fatal(fault)
	}
	return m
}

// TestPANOf: the card number is that of element 2, else 34, else of the track.
func TestPANOf(t *testing.T) {
	tests := []struct {
		values map[int]string
		want   string
	}{
		{map[int]string{2: "3528000000000007", 35: "4111111111111111=2912"}, "3528000000000007"},
		{map[int]string{34: "5912345678901=1", 35: "4111111111111111=2912"}, "5912345678901"},
		{map[int]string{35: "4111111111111111=2912"}, "4111111111111111"},
		{map[int]string{35: "41111111111111111111111=2912"}, ""},
		{map[int]string{11: "000001"}, ""},
	}
	for name, f := range formats(t) {
		for _, test := range tests {
			if got := f.write(t, test.values).PAN().Reveal(); got != test.want {
				t.Errorf("%s: %q, not %q", name, got, test.want)
			}
		}
	}
}

// TestNumber reads digits of every form, and refuses what is no number.
func TestNumber(t *testing.T) {
	for name, f := range formats(t) {
		m := f.write(t, map[int]string{
			2: "9999999999999999999", 4: "000000012980", 30: "000000000000000000000001",
			37: "123456789012", 38: "12A456", 39: "000", 44: "12", 64: "12345678",
			97: "C0000000000000001",
		})
		for n, want := range map[int]uint64{
			2: 9999999999999999999, 4: 12980, 37: 123456789012, 39: 0, 44: 12,
		} {
			if got, ok := m.Number(n); got != want || !ok {
				t.Errorf("%s: element %d is %d, %t", name, n, got, ok)
			}
		}
		for _, n := range []int{0, 1, 5, 30, 38, 64, 97, 129} {
			if got, ok := m.Number(n); ok {
				t.Errorf("%s: element %d is %d", name, n, got)
			}
		}
		if m.ActionCode() != 0 || f.write(t, nil).ActionCode() != -1 {
			t.Errorf("%s: action code", name)
		}
	}
}

// TestSetNumber fills fixed lengths with zeros, variable ones not at all.
func TestSetNumber(t *testing.T) {
	f := formats(t)["ascii-binary"]
	e := &spec.Edit{}
	e.SetMTI(0x1210)
	e.SetNumber(4, 12980)
	e.SetNumber(11, 0)
	e.SetNumber(30, math.MaxUint64)
	e.SetNumber(32, 123)
	e.SetNumber(39, 7)
	e.Set(39, []byte("100"))
	raw, fault := f.Append(nil, nil, e)
	if !fault.OK() {
		t.Fatal(fault)
	}
	want := "1210" + bitmapOf(4, 11, 30, 32, 39) + "000000012980" + "000000" +
		"000018446744073709551615" + "03123" + "100"
	if string(raw) != want {
		t.Errorf("%q, not %q", raw, want)
	}
	e.SetNumber(11, 1000000)
	if out, fault := f.Append([]byte("x"), nil, e); fault.Element != 11 || string(out) != "x" {
		t.Errorf("a number of seven digits in element 11: %v", fault)
	}
}

// TestEditRefuses: what the indexer would refuse is not written either.
func TestEditRefuses(t *testing.T) {
	tests := []struct {
		name  string
		n     int
		value string
		want  spec.FaultKind
	}{
		{"short", 37, "1234", spec.FaultLength},
		{"long", 37, "1234567890123", spec.FaultLength},
		{"empty", 44, "", spec.FaultLength},
		{"too long", 32, "123456789012", spec.FaultLength},
		{"class", 4, "00000000100O", spec.FaultClass},
		{"control", 44, "A\x00", spec.FaultClass},
		{"sign", 97, "00000000000000001", spec.FaultClass},
		{"separator", 35, "4111^29", spec.FaultClass},
		{"unknown", 65, "12345678", spec.FaultUnknown},
	}
	for name, f := range formats(t) {
		for _, test := range tests {
			e := &spec.Edit{}
			e.SetMTI(0x1200)
			e.Set(11, []byte("000001"))
			e.Set(test.n, []byte(test.value))
			out, fault := f.Append(nil, nil, e)
			want := spec.Fault{Element: uint8(test.n), Kind: test.want}
			if fault != want || len(out) != 0 {
				t.Errorf("%s: %s: %v", name, test.name, fault)
			}
		}
		if _, fault := f.Append(nil, nil, &spec.Edit{}); fault.Kind != spec.FaultMTI {
			t.Errorf("%s: a message without a type: %v", name, fault)
		}
	}
}

// TestEditLarge: an edit takes more than it holds inline, and none of it lingers.
func TestEditLarge(t *testing.T) {
	f := formats(t)["ascii-binary"]
	e := &spec.Edit{}
	for range 3 {
		e.Reset()
		e.SetMTI(0x1200)
		var want []byte
		for n := 116; n <= 127; n++ {
			v := bytes.Repeat([]byte{byte('A' + n - 116)}, 60*(n-115))
			e.Set(n, v)
			want = append(want, v...)
		}
		raw, fault := f.Append(nil, nil, e)
		if !fault.OK() {
			t.Fatal(fault)
		}
		m := f.index(t, raw)
		var got []byte
		for n := m.Elements().Next(0); n != 0; n = m.Elements().Next(n) {
			got = m.Append(got, n)
		}
		if !bytes.Equal(want, got) {
			t.Fatal("the values are mixed up")
		}
	}
}

// TestTooLarge: no message is longer than its length can be told.
func TestTooLarge(t *testing.T) {
	d, err := dialect.Parse("long", []byte("elements: {47: {prefix: 4, length: 9999}, "+
		"48: {prefix: 4, length: 9999}, 59: {prefix: 4, length: 9999}, 60: {prefix: 4, "+
		"length: 9999}, 61: {prefix: 4, length: 9999}, 62: {prefix: 4, length: 9999}, "+
		"63: {prefix: 4, length: 9999}}"))
	if err != nil {
		t.Fatal(err)
	}
	e := &spec.Edit{}
	e.SetMTI(0x1200)
	for _, n := range []int{47, 48, 59, 60, 61, 62, 63} {
		e.Set(n, []byte(strings.Repeat("A", 9999)))
	}
	want := spec.Fault{Kind: spec.FaultLength}
	if _, fault := d.Append(nil, nil, e); fault != want {
		t.Errorf("written: %v", fault)
	}
	if fault := d.Index(&spec.Message{}, make([]byte, 1<<16)); fault != want {
		t.Errorf("read: %v", fault)
	}
}

// TestNoAllocation: nothing on the way of a message allocates.
func TestNoAllocation(t *testing.T) {
	all := formats(t)
	for name, f := range all {
		raw, _ := f.Append(nil, nil, sample.Financial())
		to := all["bcd-right"]
		var m, answer, kept spec.Message
		var e spec.Edit
		a, b, c, d := make([]byte, 0, 2048), make([]byte, 0, 2048), make([]byte, 0, 2048), []byte{}
		d = append(d, make([]byte, 2048)...)
		run := func() {
			f.Index(&m, raw)
			e.Reset()
			e.SetNumber(11, 999)
			a, _ = to.Append(a[:0], &m, &e)
			e.SetMTI(0x1210)
			e.KeepOnly(spec.Elements(2, 3, 4, 11, 12))
			e.SetNumber(39, 0)
			b, _ = f.Append(b[:0], &m, &e)
			f.Index(&answer, b)
			c, _ = m.AppendKept(c[:0], nil)
			c, _ = spec.AppendDelta(c, nil, &m, &answer)
			f.Index(&kept, c[:len(raw)])
			d, _ = spec.ApplyDelta(d[:0], &kept, f.Dialect, c[len(raw):])
			_, _ = m.PAN(), m.ActionCode()
		}
		if n := testing.AllocsPerRun(50, run); n != 0 {
			t.Errorf("%s: %.0f allocations", name, n)
		}
	}
}

// TestMessageIsSmall: arrays of messages stand in the links.
func TestMessageIsSmall(t *testing.T) {
	if size := unsafe.Sizeof(spec.Message{}); size >= 600 {
		t.Errorf("a Message takes %d bytes", size)
	}
}

// TestPrint: neither a message nor an edit shows what it holds.
func TestPrint(t *testing.T) {
	f := formats(t)["ascii-binary"]
	e := sample.Financial()
	raw, _ := f.Append(nil, nil, e)
	m := f.index(t, raw)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q", "%d"} {
		for got, want := range map[string]string{
			fmt.Sprintf(verb, m):  "message 1200 of 18 elements",
			fmt.Sprintf(verb, *m): "message 1200 of 18 elements",
			fmt.Sprintf(verb, *e): "edit of 18 elements",
		} {
			if got != want {
				t.Errorf("%s prints %q", verb, got)
			}
		}
	}
}
