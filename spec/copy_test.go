package spec_test

import (
	"bytes"
	"strconv"
	"testing"

	"cardswitch/spec"
	"cardswitch/spec/dialect"
)

// TestNumberIsItsDigits: in every dialect and class of element, a number is what its characters
// say, and what has another character is none.
func TestNumberIsItsDigits(t *testing.T) {
	for _, name := range []string{"ascii-binary", "ascii-hex", "ebcdic", "bcd-left", "bcd-right"} {
		d, err := dialect.Builtin(name)
		if err != nil {
			t.Fatal(err)
		}
		var e spec.Edit
		e.Reset()
		e.SetMTI(0x1804)
		want := map[int]string{4: "000000012300", 11: "000042", 12: "261126235959", 32: "45",
			37: "000000000017", 41: "TERM0001", 49: "392", 72: "12 3", 102: "998877665544332211"}
		for n, value := range want {
			e.Set(n, []byte(value))
		}
		raw, fault := d.Append(nil, nil, &e)
		var m spec.Message
		if !fault.OK() || !d.Index(&m, raw).OK() {
			t.Fatalf("%s: %v", name, fault.Err())
		}
		for n, value := range want {
			number, err := strconv.ParseUint(value, 10, 64)
			if got, ok := m.Number(n); ok != (err == nil) || ok && got != number {
				t.Errorf("%s: element %d, %q, is the number %d, %v", name, n, value, got, ok)
			}
		}
	}
}

// TestCopyStandsByItself: a copy has everything of the message, and nothing of its bytes.
func TestCopyStandsByItself(t *testing.T) {
	d, err := dialect.Builtin("ascii-binary")
	if err != nil {
		t.Fatal(err)
	}
	var e spec.Edit
	e.Reset()
	e.SetMTI(0x1804)
	e.Set(11, []byte("000042"))
	e.Set(41, []byte("TERM0001"))
	raw, fault := d.Append(nil, nil, &e)
	var m, other spec.Message
	if !fault.OK() || !d.Index(&m, raw).OK() {
		t.Fatal(fault.Err())
	}
	m.CopyTo(&other, bytes.Clone(raw))
	clear(raw)
	if got := string(other.Append(nil, 41)); got != "TERM0001" || other.MTI() != 0x1804 ||
		other.Elements() != m.Elements() || other.Dialect() != d {
		t.Errorf("the copy has %v, element 41 %q", other.Elements(), got)
	}
}
