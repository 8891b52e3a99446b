package spec_test

import (
	"bytes"
	"testing"

	"cardswitch/spec"
	"cardswitch/spec/dialect"
)

// What an edit changes is kept as the same change that comparing the messages finds.
func TestEditDelta(t *testing.T) {
	d, err := dialect.Builtin("ascii-binary")
	if err != nil {
		t.Fatal(err)
	}
	var build spec.Edit
	build.Reset()
	build.SetMTI(0x1200)
	for n, v := range map[int]string{2: "3530111333300000", 3: "000000", 11: "000042",
		12: "261122120000", 32: "12345", 33: "777", 52: "12345678", 41: "TERM0001"} {
		build.Set(n, []byte(v))
	}
	raw, fault := d.Append(nil, nil, &build)
	if !fault.OK() {
		t.Fatal(fault)
	}
	var base, changed spec.Message
	if f := d.Index(&base, raw); !f.OK() {
		t.Fatal(f)
	}
	for name, change := range map[string]func(*spec.Edit){
		"nothing":   func(e *spec.Edit) {},
		"trace":     func(e *spec.Edit) { e.SetNumber(11, 7) },
		"answer":    func(e *spec.Edit) { e.SetMTI(0x1210); e.SetNumber(39, 0); e.Remove(33) },
		"echo only": func(e *spec.Edit) { e.KeepOnly(spec.Elements(2, 11, 12)); e.SetNumber(39, 5) },
		"secret":    func(e *spec.Edit) { e.Set(52, []byte("87654321")) },
	} {
		var e spec.Edit
		e.Reset()
		change(&e)
		out, fault := d.Append(nil, &base, &e)
		if !fault.OK() {
			t.Fatalf("%s: %v", name, fault)
		}
		if f := d.Index(&changed, out); !f.OK() {
			t.Fatalf("%s: %v", name, f)
		}
		want, _ := spec.AppendDelta(nil, nil, &base, &changed)
		got := e.AppendDelta(nil, &base)
		if !bytes.Equal(got, want) {
			t.Errorf("%s:\n got %x\nwant %x", name, got, want)
		}
	}
}
