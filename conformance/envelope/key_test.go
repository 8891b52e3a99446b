package envelope

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestKeyFile(t *testing.T) {
	const k = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
	write := func(text string, mode os.FileMode) string {
		name := filepath.Join(t.TempDir(), "link.key")
		if err := os.WriteFile(name, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return name
	}
	keys, err := ReadKeys(write("# of the test\n7 "+k+"\n\n8 "+k[:32]+" # short\n", 0o600))
	if err != nil || len(keys) != 2 || len(keys[7]) != 32 || len(keys[8]) != 16 ||
		keys[7][31] != 0x1f {
		t.Errorf("%d keys, %v", len(keys), err)
	}
	if keys, err = ReadKeys(write(k, 0o400)); err != nil || len(keys[1]) != 32 {
		t.Errorf("a key alone: %d, %v", len(keys), err)
	}
	for text, mode := range map[string]os.FileMode{
		k: 0o640, k + "\n": 0o604, "": 0o600, "1 " + k[2:]: 0o600, "70000 " + k: 0o600,
		"-1 " + k: 0o600, "1 " + k + " x": 0o600, "1 xy" + k[2:]: 0o600, k + "\n1 " + k: 0o600,
	} {
		_, err := ReadKeys(write(text, mode))
		if err == nil {
			t.Errorf("%d bytes with mode %o are taken", len(text), mode)
		} else if strings.Contains(err.Error(), "0405") {
			t.Errorf("the error shows the key: %v", err)
		}
	}
	if _, err := ReadKeys(t.TempDir()); err == nil {
		t.Error("a folder is taken")
	}
	key := Key("0123456789abcdef")
	j, err := json.Marshal(map[string]any{"k": key, "o": Options{Keys: map[uint16]Key{1: key}}.Keys})
	if err != nil {
		t.Fatal(err)
	}
	for _, shown := range []string{fmt.Sprint(key), fmt.Sprintf("%x %X %s %q %#v %d %v", key, key,
		key, key, key, key, []Key{key}), string(j), fmt.Sprintf("%+v", map[uint16]Key{1: key})} {
		if strings.Contains(shown, "0123") || strings.Contains(shown, "3031") ||
			strings.Contains(shown, "48 49") || strings.Contains(shown, "MDEy") {
			t.Errorf("it shows itself: %s", shown)
		}
	}
}

func FuzzParseKeys(f *testing.F) {
	f.Add("7 000102030405060708090a0b0c0d0e0f\n# note\n")
	f.Fuzz(func(t *testing.T, text string) {
		keys, err := parseKeys(strings.NewReader(text))
		if err == nil && len(keys) == 0 {
			t.Error("no key and no error")
		}
		for _, k := range keys {
			if len(k) != 16 && len(k) != 24 && len(k) != 32 {
				t.Errorf("a key of %d bytes", len(k))
			}
		}
	})
}
