package keying_test

import (
	"bytes"
	"encoding/hex"
	"testing"

	"cardswitch/spec/keying"
)

// The layout is a contract with partners: these bytes never change.
func TestLayout(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       keying.Control
		ksn        string
	}{
		{"a code only", "010000002AFF", keying.Control{ZAK: 42, Format: keying.NoPIN}, ""},
		{"a PIN only", "010102000000", keying.Control{ZPK: 0x102, Format: 0}, ""},
		{"both", "010001FFFE03", keying.Control{ZPK: 1, ZAK: 0xFFFE, Format: 3}, ""},
		{"nothing", "0100000000FF", keying.Control{Format: keying.NoPIN}, ""},
		{"TDES DUKPT", "010001000200FFFF9876543210E00001",
			keying.Control{ZPK: 1, ZAK: 2, Format: 0}, "FFFF9876543210E00001"},
		{"AES DUKPT", "010001000204123456789012345600000001",
			keying.Control{ZPK: 1, ZAK: 2, Format: 4}, "123456789012345600000001"},
		{"a KSN for data", "0100000002FFFFFF9876543210E00001",
			keying.Control{ZAK: 2, Format: keying.NoPIN}, "FFFF9876543210E00001"},
	} {
		value, want := unhex(t, c.text), c.want
		if err := want.SetKSN(unhex(t, c.ksn)); err != nil {
			t.Fatal(err)
		}
		got, err := keying.Parse(value)
		if err != nil || got != want || !bytes.Equal(got.KSN(), unhex(t, c.ksn)) {
			t.Errorf("%s: %+v, %v", c.name, got, err)
		}
		if out, err := got.Append([]byte("x")); err != nil || string(out) != "x"+string(value) {
			t.Errorf("%s: written as %X, %v", c.name, out, err)
		}
	}
}

func TestRefused(t *testing.T) {
	for name, text := range map[string]string{
		"empty": "", "short": "0100000000", "profile 0": "0000000000FF",
		"profile 2":               "0200000000FF",
		"a format without a key":  "010000000100",
		"a key without a format":  "0100010001FF",
		"format 2":                "010001000102",
		"format 5":                "010001000105",
		"a KSN of one byte":       "0100010001000A",
		"a KSN of nine bytes":     "010001000100" + "FFFF9876543210E000",
		"a KSN of eleven bytes":   "010001000100" + "FFFF9876543210E0000102",
		"a KSN of thirteen bytes": "010001000100" + "12345678901234560000000102",
	} {
		if c, err := keying.Parse(unhex(t, text)); err == nil || c != (keying.Control{}) {
			t.Errorf("%s: taken as %+v", name, c)
		}
	}
	var c keying.Control // format 0, without a key
	if out, err := c.Append(nil); err == nil || out != nil {
		t.Errorf("an empty control is written as %X", out)
	}
	if err := c.SetKSN(make([]byte, 11)); err == nil {
		t.Error("a KSN of 11 bytes is taken")
	}
}

// A change of keys has its order behind the same six bytes.
func TestChange(t *testing.T) {
	value := unhex(t, "020000002AFF"+"010201000007")
	c, order, err := keying.ParseChange(value)
	if err != nil || c.ZAK != 42 || !bytes.Equal(order, value[6:]) {
		t.Errorf("%+v, %X, %v", c, order, err)
	}
	if out, err := c.AppendChange([]byte("x"), order); err != nil ||
		!bytes.Equal(out[1:], value) {
		t.Errorf("%X, %v", out, err)
	}
	for _, text := range []string{"020000002AFF", "020001002A0001", "010000002AFF01", "0200", ""} {
		if _, _, err := keying.ParseChange(unhex(t, text)); err == nil {
			t.Errorf("%s is taken", text)
		}
	}
	if _, err := c.AppendChange(nil, nil); err == nil {
		t.Error("no order is taken")
	}
}

// What is read is written as it was, and nothing else is read.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"010000002AFF", "020000002AFF010201000007", "010001FFFE03",
		"0100000000FF",
		"010001000200FFFF9876543210E00001", "010001000204123456789012345600000001"} {
		b, err := hex.DecodeString(text)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		if c, order, err := keying.ParseChange(value); err == nil {
			if out, err := c.AppendChange(nil, order); err != nil || !bytes.Equal(out, value) {
				t.Errorf("%X became %X, %v", value, out, err)
			}
		}
		c, err := keying.Parse(value)
		if err != nil {
			return
		}
		if out, err := c.Append(nil); err != nil || !bytes.Equal(out, value) {
			t.Errorf("%X became %X, %v", value, out, err)
		}
		if len(value) > keying.Size {
			t.Errorf("%d bytes are taken", len(value))
		}
	})
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
