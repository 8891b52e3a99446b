package wholefile_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"cardswitch/store/wholefile"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// TestCrashAtEachStep cuts the power before each step of a replacement, with all, none and part of
// what wasn't synced: the file is the old one or the new one, and can be replaced again.
func TestCrashAtEachStep(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, percent := range []int{0, 30, 70, 100} {
		steps := 0
		for cut := 1; ; cut++ {
			disk := vfs.NewCrashableMem()
			if err := wholefile.Replace(disk, "keys", []byte("old")); err != nil {
				t.Fatal(err)
			}
			var after *vfs.MemFS
			step := 0
			cutting := errorfs.Wrap(disk, errorfs.InjectorFunc(func(o errorfs.Op) error {
				if o.Kind.ReadOrWrite() != errorfs.OpIsWrite {
					return nil
				}
				if step++; step == cut {
					after = disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rng})
				}
				if step >= cut {
					return errorfs.ErrInjected
				}
				return nil
			}))
			err := wholefile.Replace(cutting, "keys", []byte("new"))
			if after == nil {
				steps = cut - 1
				break
			}
			got, readErr := wholefile.Read(after, "keys")
			if readErr != nil || string(got) != "old" && string(got) != "new" {
				t.Fatalf("cut %d: %q, %v", cut, got, readErr)
			}
			if err == nil && string(got) != "new" {
				t.Fatalf("cut %d: told as done, but %q", cut, got)
			}
			if err := wholefile.Replace(after, "keys", []byte("newer")); err != nil {
				t.Fatal(err)
			}
			if got, err := wholefile.Read(after, "keys"); string(got) != "newer" {
				t.Fatalf("cut %d: %q, %v", cut, got, err)
			}
		}
		if steps < 7 {
			t.Errorf("only %d steps were cut", steps)
		}
	}
}

// TestTheOldIsWiped looks at the old file where it lies, also at one that a crash has left.
func TestTheOldIsWiped(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "keys")
	if err := wholefile.Replace(vfs.Default, name, []byte("secret")); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(name)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info.Mode(), err)
	}
	old, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	if err := os.WriteFile(name+".next", []byte("secret, not yet in its place"), 0o600); err != nil {
		t.Fatal(err)
	}
	left, err := os.Open(name + ".next")
	if err != nil {
		t.Fatal(err)
	}
	defer left.Close()
	if err := wholefile.Replace(vfs.Default, name, []byte("another")); err != nil {
		t.Fatal(err)
	}
	for _, f := range []*os.File{old, left} {
		was, err := io.ReadAll(f)
		if err != nil || len(was) == 0 || len(bytes.Trim(was, "\x00")) != 0 {
			t.Errorf("the old file still holds %q, %v", was, err)
		}
	}
	if got, err := wholefile.Read(vfs.Default, name); string(got) != "another" {
		t.Errorf("%q, %v", got, err)
	}
}

// TestDamage changes, adds and cuts each byte.
func TestDamage(t *testing.T) {
	fs := vfs.NewMem()
	if _, err := wholefile.Read(fs, "keys"); !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	if err := wholefile.Replace(fs, "keys", []byte("content\n")); err != nil {
		t.Fatal(err)
	}
	whole, _ := fs.UnsafeGetFileDataBuffer("keys")
	whole = bytes.Clone(whole)
	try := func(what string, content []byte) {
		t.Helper()
		f, _ := fs.Create("keys", vfs.WriteCategoryUnspecified)
		_, _ = f.Write(content)
		_ = f.Close()
		if got, err := wholefile.Read(fs, "keys"); !errors.Is(err, wholefile.ErrDamaged) {
			t.Errorf("%s: %q, %v", what, got, err)
		}
	}
	for i := range whole {
		flipped := bytes.Clone(whole)
		flipped[i] ^= 1
		try(fmt.Sprintf("byte %d changed", i), flipped)
		try(fmt.Sprintf("cut at %d", i), bytes.Clone(whole[:i]))
	}
	try("longer", append(bytes.Clone(whole), '\n'))
	if err := wholefile.Replace(fs, "keys", make([]byte, wholefile.Most)); err == nil {
		t.Error("a file that could not be read again was written")
	}
}
