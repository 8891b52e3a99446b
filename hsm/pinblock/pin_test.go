package pinblock

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestParsePIN(t *testing.T) {
	for digits, ok := range map[string]bool{
		"": false, "123": false, "1234": true, "123456789012": true, "1234567890123": false,
		"123A": false, "12 4": false, "-123": false, "１２３４": false, "0000": true,
	} {
		pin, err := ParsePIN([]byte(digits))
		if (err == nil) != ok {
			t.Errorf("%q: %v", digits, err)
		}
		if ok && (string(pin.AppendReveal(nil)) != digits || pin.Len() != len(digits) ||
			pin.IsZero()) {
			t.Errorf("%q comes back as %q", digits, pin.AppendReveal(nil))
		}
		if !ok && (!pin.IsZero() || strings.Contains(err.Error(), digits) && digits != "") {
			t.Errorf("%q: the error shows it, or something is left: %v", digits, err)
		}
	}
}

func TestPINEqual(t *testing.T) {
	a, b := parsePIN(t, "1234"), parsePIN(t, "12340")
	if !a.Equal(parsePIN(t, "1234")) || a.Equal(b) || b.Equal(a) || a.Equal(parsePIN(t, "1235")) {
		t.Error("PINs are compared wrongly")
	}
	if (PIN{}).Equal(PIN{}) || a.Equal(PIN{}) {
		t.Error("no PIN equals something")
	}
	a.Wipe()
	if a != (PIN{}) {
		t.Error("something is left after Wipe")
	}
}

// Prints of every kind, also of structures whose fields no printer may ask, show no PIN and no key.
func TestNothingPrints(t *testing.T) {
	pin := parsePIN(t, "739518")
	key := []byte("\x73\x95\x18\x73\x95\x18\x73\x95\x17\x95\x18\x73\x95\x18\x73\x95")
	guarded := struct {
		PIN    PIN
		TDES   *Key
		AES    *Key
		pin    PIN
		key    *Key
		carrys *Translator
	}{PIN: pin, TDES: tdesKey(t, key), AES: aesKey(t, key), pin: pin, key: aesKey(t, key)}
	var err error
	guarded.carrys, err = NewTranslator(Side{guarded.TDES, Format0}, Side{guarded.AES, Format4}, 0)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%X", "%q", "%d"} {
		for _, v := range []any{pin, &pin, guarded.TDES, guarded.AES, guarded, &guarded,
			*guarded.carrys, guarded.carrys, []PIN{pin}} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
	}
	text, err := json.Marshal(guarded)
	if err != nil {
		t.Fatal(err)
	}
	out.Write(text)
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "pin", pin, "key", guarded.AES, "all", guarded)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "pin", pin, "key", guarded.AES, "all", guarded)
	for _, secret := range []string{"739518", "7 3 9 5 1 8", "7, 3, 9", "0x7, 0x3", "070309050108",
		"115 149 24", "0x73, 0x95", "55 51 57"} {
		if strings.Contains(strings.ToLower(out.String()), secret) {
			t.Errorf("a print shows %q", secret)
		}
	}
	if s := out.String(); !strings.Contains(s, "(PIN)") || !strings.Contains(s, "(AES key for PINs)") {
		t.Error("the prints show nothing at all, so this test tells nothing")
	}
}
