package master

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cardswitch/hsm/keyblock"
)

var words = []byte("correct horse battery")

func options(t *testing.T, passphrase []byte, production bool) Options {
	return Options{Path: filepath.Join(t.TempDir(), "master.key"), Passphrase: passphrase,
		Production: production, memory: 64}
}

// parts are components of a key of bytes 07.
func parts() [][]byte {
	return [][]byte{bytes.Repeat([]byte{1}, Size), bytes.Repeat([]byte{6}, Size)}
}

// form makes the key by a ceremony's work.
func form(t *testing.T, o Options) (key keyblock.Key, err error) {
	t.Helper()
	w := NewWork(o, func(k keyblock.Key) error {
		key = k
		return nil
	})
	if _, err = w.Form(t.Context(), parts()); err != nil {
		t.Fatal(err)
	}
	_, err = w.Activate(t.Context(), "dave", "carol", "1")
	return key, err
}

func TestATestInstallationMakesItsOwn(t *testing.T) {
	for _, passphrase := range [][]byte{nil, words} {
		o := options(t, passphrase, false)
		if _, err := Read(o); !errors.Is(err, ErrAbsent) {
			t.Fatal(err)
		}
		made, err := Create(o)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Read(o)
		if err != nil || !again.Equal(made) {
			t.Errorf("another key is read: %v", err)
		}
		info, _ := os.Stat(o.Path)
		text, _ := os.ReadFile(o.Path)
		if info.Mode().Perm() != 0o600 {
			t.Errorf("mode %v", info.Mode())
		}
		clearKey := ""
		_ = made.Use(func(raw []byte) error { clearKey = fmt.Sprintf("%x", raw); return nil })
		if got := strings.Contains(string(text), clearKey); got != (passphrase == nil) {
			t.Errorf("the clear key is in the file: %v", got)
		}
		if _, err := Create(o); err == nil {
			t.Error("a master key is overwritten")
		}
		left, _ := os.ReadDir(filepath.Dir(o.Path))
		if len(left) != 1 {
			t.Errorf("%d files are left", len(left))
		}
	}
}

func TestProductionTakesOnlySealedKeysOfCeremonies(t *testing.T) {
	for name, make := range map[string]func(Options) error{
		"generated, clear":  func(o Options) error { _, err := Create(o); return err },
		"generated, sealed": func(o Options) error { _, err := Create(o); return err },
		"ceremony, clear":   func(o Options) error { _, err := form(t, o); return err },
	} {
		o := options(t, words, false)
		if strings.HasSuffix(name, "clear") {
			o.Passphrase = nil
		}
		if err := make(o); err != nil {
			t.Fatal(name, err)
		}
		o.Passphrase = words
		o.Production = true
		if _, err := Read(o); !errors.Is(err, ErrForbidden) {
			t.Errorf("%s: %v", name, err)
		}
	}
	o := options(t, words, true)
	o.memory = 0 // as it is in earnest
	if _, err := Create(o); !errors.Is(err, ErrForbidden) {
		t.Errorf("production makes its own: %v", err)
	}
	for _, short := range []string{"", "elevenchars"} {
		weak := o
		weak.Passphrase = []byte(short)
		if _, err := form(t, weak); !errors.Is(err, ErrForbidden) {
			t.Errorf("a passphrase of %d characters: %v", len(short), err)
		}
	}
	made, err := form(t, o)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Read(o); err != nil || !got.Equal(made) {
		t.Error(err)
	}
	want, _ := keyblock.NewKey(keyblock.AES, bytes.Repeat([]byte{7}, Size))
	if !made.Equal(want) {
		t.Error("the key isn't the XOR of its components")
	}
}

func TestWrongPassphraseAndAlteredFile(t *testing.T) {
	o := options(t, words, false)
	if _, err := Create(o); err != nil {
		t.Fatal(err)
	}
	for _, wrong := range []string{"", "correct horse batterY"} {
		bad := o
		bad.Passphrase = []byte(wrong)
		if _, err := Read(bad); err == nil {
			t.Errorf("%q opens it", wrong)
		}
	}
	sound, _ := os.ReadFile(o.Path)
	for name, change := range map[string][2]string{
		"origin": {generated, ceremony},
		"check":  {`"check": "`, `"check": "A`},
		"text":   {`"text": "`, `"text": "0`},
		"memory": {`"memory_kib": 64`, `"memory_kib": 4000000000`},
		"passes": {`"passes": 3`, `"passes": 0`},
		"lanes":  {`"lanes": 4`, `"lanes": 0`},
		"salt":   {`"salt": "`, `"salt": "00`},
		"field":  {`"format"`, `"more": 1, "format"`},
		"format": {"key 1", "key 2"},
	} {
		altered := strings.Replace(string(sound), change[0], change[1], 1)
		if altered == string(sound) {
			t.Fatal(name)
		}
		if err := os.WriteFile(o.Path, []byte(altered), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(o); err == nil {
			t.Errorf("%s altered: taken", name)
		}
	}
	if err := os.WriteFile(o.Path, sound, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(o.Path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(o); err == nil {
		t.Error("a file that others may read is taken")
	}
}

// An unsealed file is only as good as its mode, but a mistake in it is found.
func TestClearFileOfAnotherKey(t *testing.T) {
	o := options(t, nil, false)
	if _, err := Create(o); err != nil {
		t.Fatal(err)
	}
	text, _ := os.ReadFile(o.Path)
	at := strings.Index(string(text), `"clear": "`) + len(`"clear": "`)
	altered := string(text[:at]) + strings.Repeat("a7", Size) + string(text[at+2*Size:])
	if err := os.WriteFile(o.Path, []byte(altered), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(o); err == nil {
		t.Error("another key is taken")
	}
}

func TestWorkWithoutAKey(t *testing.T) {
	w := NewWork(options(t, nil, false), nil)
	if _, err := w.Activate(t.Context(), "", "", ""); err == nil {
		t.Error("nothing is activated")
	}
	if _, err := w.Form(t.Context(), [][]byte{make([]byte, 16), make([]byte, 16)}); err == nil {
		t.Error("a short key")
	}
	_, _ = w.Form(t.Context(), parts())
	w.Drop()
	if _, err := w.Activate(t.Context(), "", "", ""); err == nil {
		t.Error("a key is activated that was dropped")
	}
}
