package disktest

import (
	"io"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// written gives a disk with a file of which the first half is synced.
func written(t *testing.T) (*Disk, vfs.File) {
	t.Helper()
	d := New()
	fs := d.FS()
	ok(fs.MkdirAll("data", 0o700))
	f := must(fs.Create("data/a.log", vfs.WriteCategoryUnspecified))
	must(f.Write(make([]byte, 2*blockSize)))
	ok(f.Sync())
	for _, dir := range []string{"data", "/"} {
		folder := must(fs.OpenDir(dir))
		ok(folder.Sync())
		ok(folder.Close())
	}
	half := make([]byte, 2*blockSize)
	for i := range half {
		half[i] = 1
	}
	must(f.Write(half))
	must(must(fs.Create("data/new", vfs.WriteCategoryUnspecified)).Write(half))
	return d, f
}

func read(t *testing.T, d *Disk, name string) string {
	t.Helper()
	f, err := d.FS().Open(name)
	if err != nil {
		return ""
	}
	defer f.Close()
	return string(must(io.ReadAll(f)))
}

// What was synced is kept whatever is drawn; of the rest, as much as is drawn.
func TestCutKeepsWhatWasSynced(t *testing.T) {
	for name, c := range map[string]struct {
		keep     bool
		log, new int
	}{"nothing more": {false, 2 * blockSize, 0}, "all": {true, 4 * blockSize, 2 * blockSize}} {
		d, f := written(t)
		after := d.Cut(func() bool { return c.keep })
		if _, err := f.Write([]byte("x")); err == nil {
			t.Errorf("%s: a write without power succeeds", name)
		}
		if got := len(read(t, after, "data/a.log")); got != c.log {
			t.Errorf("%s: the log has %d bytes, want %d", name, got, c.log)
		}
		if got := len(read(t, after, "data/new")); got != c.new {
			t.Errorf("%s: the new file has %d bytes, want %d", name, got, c.new)
		}
	}
}

// The same draws keep the same.
func TestCutIsRepeatable(t *testing.T) {
	kept := func(seed uint64) string {
		d, _ := written(t)
		r := rand.New(rand.NewPCG(seed, 0))
		after := d.Cut(func() bool { return r.IntN(2) == 0 })
		return read(t, after, "data/a.log") + "|" + read(t, after, "data/new")
	}
	seen := map[string]bool{}
	for seed := range uint64(20) {
		first := kept(seed)
		if kept(seed) != first {
			t.Fatalf("seed %d keeps one thing and then another", seed)
		}
		seen[first] = true
	}
	if len(seen) < 3 {
		t.Errorf("only %d different disks", len(seen))
	}
}

func TestFullAndBroken(t *testing.T) {
	d, f := written(t)
	d.Fill()
	if _, err := f.Write([]byte("x")); err == nil {
		t.Error("a write to a full disk succeeds")
	}
	d.Free(1 << 30)
	if _, err := f.Write([]byte("x")); err != nil {
		t.Error(err)
	}
	if u := must(d.FS().GetDiskUsage("data")); u.AvailBytes != 1<<30 {
		t.Errorf("%d bytes are free", u.AvailBytes)
	}
	d.Break()
	if err := f.Sync(); err == nil {
		t.Error("a broken disk syncs")
	}
}
