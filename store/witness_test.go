package store

import (
	"errors"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

func TestKeyWitness(t *testing.T) {
	fs := vfs.NewMem()
	s := openOn(t, fs)
	if n, err := s.KeyWitness().Version(); n != 0 || err != nil {
		t.Error(n, err)
	}
	for _, n := range []uint64{1, 2, 2, 1 << 60} {
		if err := s.KeyWitness().Advance(n, []byte("sealed")); err != nil {
			t.Fatal(err)
		}
		closeStore(t, s)
		s = openOn(t, fs)
		if got, err := s.KeyWitness().Version(); got != n || err != nil {
			t.Errorf("%d after a restart, want %d: %v", got, n, err)
		}
		if got, text, err := s.KeyWitness().Text(); got != n || string(text) != "sealed" || err != nil {
			t.Errorf("version %d is %q, %v", got, text, err)
		}
	}
	if err := s.KeyWitness().Advance(7, nil); err == nil {
		t.Error("it went back")
	}
	if err := s.db.Set([]byte(aboutKeyStore), []byte{1}, nil); err != nil {
		t.Fatal(err)
	}
	if n, err := s.KeyWitness().Version(); err == nil {
		t.Errorf("a damaged witness says %d", n)
	}
	closeStore(t, s)
	if err := s.KeyWitness().Advance(8, nil); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

// What was advanced is still there when the power fails right after.
func TestKeyWitnessOutlivesAPowerCut(t *testing.T) {
	fs := vfs.NewCrashableMem()
	s := openOn(t, fs)
	if err := s.KeyWitness().Advance(5, nil); err != nil {
		t.Fatal(err)
	}
	after := fs.CrashClone(vfs.CrashCloneCfg{})
	closeStore(t, s)
	again := openOn(t, after)
	defer closeStore(t, again)
	if n, err := again.KeyWitness().Version(); n != 5 || err != nil {
		t.Error(n, err)
	}
}
