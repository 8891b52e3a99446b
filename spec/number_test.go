package spec_test

import (
	"bytes"
	"testing"

	"cardswitch/spec"
	"cardswitch/spec/dialect"
)

// A message that doesn't say whose card it is about may name one in any text; what is no card
// number stays, and the image is a message again.
func TestSafeBlanksWhatLooksLikeACard(t *testing.T) {
	const pan, terminal = "3530111333300000", "3530111333300001" // the check digit is wrong
	for _, name := range []string{"ascii-binary", "ebcdic", "bcd-left"} {
		d, err := dialect.Builtin(name)
		if err != nil {
			t.Fatal(err)
		}
		var e spec.Edit
		e.Reset()
		e.SetMTI(0x1804)
		e.Set(11, []byte("000001"))
		e.Set(48, []byte("0002006123456"+"0008013"+"1234567890123"+"0011020NAME"+pan))
		e.Set(60, []byte("CARD "+pan+", TERMINAL "+terminal))
		e.Set(72, []byte("1"+pan+"999")) // too long to tell where it begins
		raw, fault := d.Append(nil, nil, &e)
		if !fault.OK() {
			t.Fatal(fault.Err())
		}
		var m, image spec.Message
		if fault := d.Index(&m, raw); !fault.OK() {
			t.Fatal(fault.Err())
		}
		safe := m.AppendSafe([]byte("before"))
		if !bytes.HasPrefix(safe, []byte("before")) || len(safe) != 6+len(raw) {
			t.Fatalf("%s: the image has %d bytes, the message %d", name, len(safe)-6, len(raw))
		}
		if fault := d.Index(&image, safe[6:]); !fault.OK() {
			t.Fatalf("%s: %v", name, fault.Err())
		}
		for n, want := range map[int]string{
			48: "0002006123456" + "0008013" + "1234567890123" + "0011020NAME0000000000000000",
			60: "CARD 0000000000000000, TERMINAL " + terminal,
			72: "00000000000000000000",
		} {
			if got := string(image.Append(nil, n)); got != want {
				t.Errorf("%s: element %d is %q, want %q", name, n, got, want)
			}
		}
	}
}
