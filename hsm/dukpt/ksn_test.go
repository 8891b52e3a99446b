package dukpt

import (
	"bytes"
	"encoding/hex"
	"math/bits"
	"strings"
	"testing"
)

func TestParseKSN(t *testing.T) {
	for text, want := range map[string]string{
		"FFFF9876543210E00001":   "counter 1",
		"FFFF9876543210FFF800":   "counter 1FF800",
		"00000000000000000001":   "counter 1",
		"FFFF9876543210E00000":   "zero",
		"FFFF9876543210FFFFFF":   "21 bits",
		"FFFF9876543210E007FF":   "11 bits",
		"FFFF9876543210E003FF":   "counter 3FF",
		"FFFF9876543210E000":     "10 bytes, not 9",
		"FFFF9876543210E0000101": "10 bytes, not 11",
		"":                       "10 bytes, not 0",
	} {
		raw, _ := hex.DecodeString(text)
		k, err := ParseTDESKSN(raw)
		checkKSN(t, text, want, k.IsZero(), k.Counter(), err)
		if err == nil && (k.String() != text || !bytes.Equal(k.AppendTo(nil), raw)) {
			t.Errorf("%s comes back as %v", text, k)
		}
	}
	for text, want := range map[string]string{
		"123456789012345600000001":   "counter 1",
		"1234567890123456FFFF0000":   "counter FFFF0000",
		"00000000000000000000FFFF":   "counter FFFF",
		"123456789012345600000000":   "zero",
		"12345678901234560001FFFF":   "17 bits",
		"1234567890123456FFFFFFFF":   "32 bits",
		"FFFF9876543210E00001":       "12 bytes, not 10",
		"12345678901234560000000100": "12 bytes, not 13",
		"":                           "12 bytes, not 0",
	} {
		raw, _ := hex.DecodeString(text)
		k, err := ParseAESKSN(raw)
		checkKSN(t, text, want, k.IsZero(), k.Counter(), err)
		if err == nil && (k.String() != text || !bytes.Equal(k.AppendTo(nil), raw) ||
			k.ID().String() != text[:16] || k.ID().BDK() != [4]byte(raw[:4])) {
			t.Errorf("%s comes back as %v", text, k)
		}
	}
}

func checkKSN(t *testing.T, text, want string, zero bool, counter uint32, err error) {
	t.Helper()
	got := "counter " + strings.TrimLeft(strings.ToUpper(hex.EncodeToString([]byte{
		byte(counter >> 24), byte(counter >> 16), byte(counter >> 8), byte(counter)})), "0")
	if err != nil {
		got = err.Error()
	}
	if !strings.Contains(got, want) || zero != (err != nil) {
		t.Errorf("%q: %s, not %s", text, got, want)
	}
}

func TestParseKeyID(t *testing.T) {
	for text, ok := range map[string]bool{
		"FFFF9876543210E00000": true, "FFFF9876543210E00001": false, "FFFF9876543210F00000": false,
		"FFFF9876543210E000": false, "": false, "00000000000000000000": true,
	} {
		raw, _ := hex.DecodeString(text)
		id, err := ParseTDESKeyID(raw)
		if (err == nil) != ok || ok && (id.String() != text || !bytes.Equal(id.AppendTo(nil), raw)) {
			t.Errorf("%q: %v, %v", text, id, err)
		}
	}
	for text, ok := range map[string]bool{
		"1234567890123456": true, "12345678901234": false, "123456789012345600": false, "": false,
	} {
		raw, _ := hex.DecodeString(text)
		id, err := ParseAESKeyID(raw)
		if (err == nil) != ok || ok && (id.String() != text || !bytes.Equal(id.AppendTo(nil), raw)) {
			t.Errorf("%q: %v, %v", text, id, err)
		}
	}
}

// FuzzKSN parses anything: what is taken comes back byte for byte and has a counter that terminals
// use.
func FuzzKSN(f *testing.F) {
	f.Add([]byte("\xFF\xFF\x98\x76\x54\x32\x10\xE0\x00\x01"))
	f.Add([]byte("\xFF\xFF\x98\x76\x54\x32\x10\xFF\xF8\x00"))
	f.Add([]byte("\x12\x34\x56\x78\x90\x12\x34\x56\x00\x00\x00\x01"))
	f.Add([]byte("\x12\x34\x56\x78\x90\x12\x34\x56\xFF\xFF\x00\x00"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		before := bytes.Clone(b)
		tdes, err := ParseTDESKSN(b)
		if err == nil {
			n := bits.OnesCount32(tdes.Counter())
			if !bytes.Equal(tdes.AppendTo(nil), b) || n < 1 || n > 10 || tdes.Counter()>>21 != 0 {
				t.Fatalf("%v is taken from %X", tdes, b)
			}
			id, err := ParseTDESKeyID(tdes.ID().AppendTo(nil))
			if err != nil || id != tdes.ID() || !bytes.Equal(id.AppendTo(nil)[:7], b[:7]) {
				t.Fatalf("the ID of %v is %v, %v", tdes, id, err)
			}
		}
		aes, aesErr := ParseAESKSN(b)
		if aesErr == nil {
			n := bits.OnesCount32(aes.Counter())
			if !bytes.Equal(aes.AppendTo(nil), b) || n < 1 || n > 16 {
				t.Fatalf("%v is taken from %X", aes, b)
			}
		}
		if err != nil && !tdes.IsZero() || aesErr != nil && !aes.IsZero() || err == nil && aesErr == nil {
			t.Fatal("a KSN beside an error, or of both kinds")
		}
		if !bytes.Equal(before, b) {
			t.Fatal("the caller's bytes are changed")
		}
	})
}
