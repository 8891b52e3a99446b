package store

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// copied opens what Checkpoint has put into a folder as the journal of a data directory.
func copied(t *testing.T, fs vfs.FS, dir string) *Store {
	t.Helper()
	s, err := Open(Options{Dir: dir, FS: fs, Key: testKey})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Whatever was acknowledged before is in a copy, it is of one moment, and commits go on meanwhile.
func TestCheckpointUnderLoad(t *testing.T) {
	fs := vfs.NewMem()
	s := openOn(t, fs)
	l := &load{s: s, rng: rand.New(rand.NewPCG(1, 2))}
	ended := make(chan error, 1)
	go func() { ended <- l.run(60) }()
	for _, name := range []string{"one", "two", "three"} {
		before := l.acked.Load()
		m, err := s.Checkpoint("copies/" + name + "/journal")
		if err != nil {
			t.Fatal(err)
		}
		if m.Last < before || m.First != 1 {
			t.Errorf("%s: records %d to %d, %d were acknowledged", name, m.First, m.Last, before)
		}
		c := copied(t, fs, "copies/"+name)
		report, err := c.Verify(nil)
		if err != nil || report.Last != m.Last || report.Head != m.Head {
			t.Errorf("%s: %+v, not %+v: %v", name, report, m, err)
		}
		if again, err := c.Mark(); err != nil || again != m {
			t.Errorf("%s: %+v, not %+v: %v", name, again, m, err)
		}
		checkAll(t, c)
		closeStore(t, c)
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	checkAll(t, s)
	closeStore(t, s)
}

// A copy that fails leaves nothing, and the store in service.
func TestCheckpointFailsAlone(t *testing.T) {
	for _, kind := range []errorfs.OpKind{errorfs.OpCreate, errorfs.OpLink, errorfs.OpFileWrite,
		errorfs.OpFileSync, errorfs.OpOpenDir, errorfs.OpRename} {
		disk := vfs.NewMem()
		met := false
		fs := errorfs.Wrap(disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
			if op.Kind == kind && (kind == errorfs.OpLink || strings.Contains(op.Path, "copies/journal")) {
				met = true
				return errorfs.ErrInjected
			}
			return nil
		}))
		s := openOn(t, fs)
		fill(t, s, 0, 20)
		if err := s.db.Flush(); err != nil {
			t.Fatal(err)
		}
		_, err := s.Checkpoint("copies/journal")
		if met && err == nil && kind != errorfs.OpLink {
			t.Errorf("kind %d: no error", kind)
		}
		if err != nil && !strings.Contains(err.Error(), errorfs.ErrInjected.Error()) {
			t.Errorf("kind %d: %v", kind, err)
		}
		fill(t, s, 20, 5) // fails the test if the store has failed
		closeStore(t, s)
	}
}
