package spec_test

import (
	"bytes"
	"testing"

	"cardswitch/spec"
	"cardswitch/spec/dialect"
)

// The last element of a message can be made last: the message up to it is what Wire says.
func TestLastElement(t *testing.T) {
	for _, name := range dialect.Names() {
		d, err := dialect.Builtin(name)
		if err != nil {
			t.Fatal(err)
		}
		var e spec.Edit
		e.Reset()
		e.SetMTI(0x1200)
		e.Set(3, []byte("000000"))
		e.Set(64, make([]byte, 8))
		out, fault := d.Append(nil, nil, &e)
		if !fault.OK() {
			t.Fatal(fault.Err())
		}
		length, size := d.Fixed(64)
		code := []byte{0, 1, 0xA2, 0xFF, 4, 5, 6, 7}
		end := len(out) - size
		if out, fault = d.AppendElement(out[:end], 64, code); length != 8 || !fault.OK() {
			t.Fatalf("%s: %d bytes, %v", name, length, fault)
		}
		var m spec.Message
		if fault := d.Index(&m, out); !fault.OK() {
			t.Fatal(fault.Err())
		}
		if !bytes.Equal(m.Append(nil, 64), code) || len(m.Wire(64)) != size {
			t.Errorf("%s: element 64 is %X", name, m.Append(nil, 64))
		}
		head := append(append(append([]byte(nil), m.Head(0)...), m.Head(1)...), m.Wire(3)...)
		if !bytes.Equal(head, out[:end]) {
			t.Errorf("%s: MTI, bitmap and element 3 are %X, the message is %X", name, head, out)
		}
		if m.Head(2) != nil || new(spec.Message).Head(0) != nil {
			t.Error("a head that isn't there")
		}
	}
}

func TestElementsAlone(t *testing.T) {
	d, err := dialect.Builtin("ascii-binary")
	if err != nil {
		t.Fatal(err)
	}
	if out, fault := d.AppendElement([]byte("x"), 44, []byte("WHY")); string(out) != "x03WHY" {
		t.Errorf("%q, %v", out, fault)
	}
	for _, n := range []int{0, 1, 64, 129} {
		if out, fault := d.AppendElement([]byte("x"), n, []byte("WHY")); fault.OK() ||
			string(out) != "x" {
			t.Errorf("element %d: %q, %v", n, out, fault)
		}
	}
	for n, want := range map[int][2]int{3: {6, 6}, 52: {8, 8}, 44: {}, 65: {}, 0: {}, 129: {}} {
		if length, size := d.Fixed(n); [2]int{length, size} != want {
			t.Errorf("element %d: %d, %d", n, length, size)
		}
	}
}
