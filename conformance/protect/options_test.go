package protect

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cardswitch/conformance/format"
)

const someKeys = `
zak:hq:in@1   0123456789ABCDEFFEDCBA9876543210 # codes
zak:hq:in@2   1123456789ABCDEFFEDCBA9876543210
zak:hq:out@1  2123456789ABCDEFFEDCBA9876543210
`

func file(t *testing.T, text string, mode os.FileMode) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(name, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestKeys(t *testing.T) {
	k, err := readKeys(file(t, someKeys, 0o600))
	if err != nil {
		t.Fatal(err)
	}
	if key, generation, err := k.newest("zak:in"); err != nil || generation != 2 || key[0] != 0x11 {
		t.Errorf("newest is %d, %v", generation, err)
	}
	if _, err := readKeys(file(t, someKeys, 0o644)); err == nil {
		t.Error("a file that everybody may read is taken")
	}
	for name, text := range map[string]string{
		"no generation": "zak:hq:in 0123456789ABCDEFFEDCBA9876543210",
		"generation 0":  "zak:hq:in@0 0123456789ABCDEFFEDCBA9876543210",
		"no direction":  "zak:hq@1 0123456789ABCDEFFEDCBA9876543210",
		"another use":   "kek:hq@1 0123456789ABCDEFFEDCBA9876543210",
		"too short":     "zak:hq:in@1 0123456789ABCDEF",
		"no hex":        "zak:hq:in@1 X123456789ABCDEFFEDCBA9876543210",
		"twice":         someKeys + "zak:hq:in@2 0123456789ABCDEFFEDCBA9876543210",
		"three words":   "zak:hq:in@1 0123456789ABCDEF FEDCBA9876543210",
	} {
		if _, err := parseKeys(strings.NewReader(text)); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func TestOptions(t *testing.T) {
	keys := file(t, someKeys, 0o600)
	f, err := format.Named("ascii-binary")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		o    *Options
		fits bool
	}{
		"none":          {nil, true},
		"codes":         {&Options{Keys: keys, MAC: &MAC{}}, true},
		"nothing":       {&Options{Keys: keys}, false},
		"no keys":       {&Options{MAC: &MAC{}}, false},
		"algorithm":     {&Options{Keys: keys, MAC: &MAC{Algorithm: "des"}}, false},
		"padding":       {&Options{Keys: keys, MAC: &MAC{Algorithm: "iso9797-1", Padding: 4}}, false},
		"format 4":      {&Options{Keys: keys, PIN: &PIN{Format: 4}}, false},
		"no PIN key":    {&Options{Keys: keys, PIN: &PIN{}}, false},
		"no base key":   {&Options{Keys: keys, P2PE: &P2PE{}}, false},
		"AES terminals": {&Options{Keys: keys, P2PE: &P2PE{Scheme: "aes-dukpt"}}, false},
		"KSN nowhere":   {&Options{Keys: keys, PIN: &PIN{Terminals: scheme}}, false},
	} {
		err := c.o.Complete()
		if err == nil {
			_, err = New(c.o, Merchant, f)
		}
		if (err == nil) != c.fits {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzKeys: whatever a file says, it is keys or an error.
func FuzzKeys(f *testing.F) {
	f.Add(someKeys)
	f.Fuzz(func(t *testing.T, text string) {
		k, err := parseKeys(strings.NewReader(text))
		if err != nil {
			return
		}
		for use := range k.all {
			if _, _, wrong := k.newest(use); wrong != nil {
				t.Error(wrong)
			}
		}
	})
}
