package store

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// TestBrokenDisk breaks each kind of write, on the journal and on the index: the store says so
// once, refuses every later commit, and what it had acknowledged is there after a restart.
func TestBrokenDisk(t *testing.T) {
	kinds := map[string]func(errorfs.Op) bool{
		"log write": func(o errorfs.Op) bool {
			return o.Kind == errorfs.OpFileWrite && strings.HasSuffix(o.Path, ".log")
		},
		"log sync": func(o errorfs.Op) bool {
			return o.Kind.ReadOrWrite() == errorfs.OpIsWrite && o.Kind != errorfs.OpFileWrite &&
				strings.HasSuffix(o.Path, ".log")
		},
		"journal table": func(o errorfs.Op) bool { return under(o, "journal") && isTable(o) },
		"index table":   func(o errorfs.Op) bool { return under(o, "index") && isTable(o) },
	}
	for name, breaks := range kinds {
		t.Run(name, func(t *testing.T) { breakDisk(t, breaks) })
	}
}

func under(o errorfs.Op, dir string) bool {
	return strings.Contains(o.Path, string(filepath.Separator)+dir+string(filepath.Separator))
}

func isTable(o errorfs.Op) bool {
	return strings.HasSuffix(o.Path, ".sst") && o.Kind.ReadOrWrite() == errorfs.OpIsWrite
}

func breakDisk(t *testing.T, breaks func(errorfs.Op) bool) {
	disk := vfs.NewMem()
	var broken atomic.Bool
	fs := errorfs.Wrap(disk, errorfs.InjectorFunc(func(o errorfs.Op) error {
		if broken.Load() && breaks(o) {
			return errorfs.ErrInjected
		}
		return nil
	}))
	var failures atomic.Int32
	failed := make(chan error, 10)
	s, err := Open(Options{Dir: "data", FS: fs, Key: testKey,
		OnFailure: func(err error) { failures.Add(1); failed <- err }})
	if err != nil {
		t.Fatal(err)
	}
	fill(t, s, 0, 100)
	broken.Store(true)
	s.index.Flush()
	_, _ = s.db.AsyncFlush()
	_, _ = s.index.AsyncFlush()
	acked := s.LastSeq()
	b := s.NewBatch()
	for i := 100; err == nil && i < 100_000; i++ {
		r := opened(t, s, i)
		b.Append(&r)
		if err = s.Commit(b); err == nil {
			acked = s.LastSeq()
		}
	}
	var e *Error
	if !errors.As(err, &e) || e.Hint == "" {
		t.Fatalf("commit on a broken disk: %v", err)
	}
	if err := <-failed; err == nil || s.Health().Failure == nil {
		t.Error("nobody was told")
	}
	if err := s.Commit(s.NewBatch()); err == nil {
		t.Error("a commit after the failure was accepted")
	}
	_ = s.Close()
	if failures.Load() != 1 {
		t.Errorf("told %d times", failures.Load())
	}
	broken.Store(false)
	s = openOn(t, disk)
	defer closeStore(t, s)
	if s.LastSeq() < acked {
		t.Errorf("%d was acknowledged, the journal ends with %d", acked, s.LastSeq())
	}
	if _, err := s.Verify(nil); err != nil {
		t.Error(err)
	}
}

// stuckFS is a disk that stops answering to syncs of logs.
type stuckFS struct {
	vfs.FS
	stuck *atomic.Bool
	free  chan struct{}
}

type stuckFile struct {
	vfs.File
	fs stuckFS
}

func (f stuckFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := f.FS.Create(name, c)
	if err != nil || !strings.HasSuffix(name, ".log") {
		return file, err
	}
	return stuckFile{file, f}, nil
}

func (f stuckFile) Sync() error {
	if f.fs.stuck.Load() {
		<-f.fs.free
	}
	return f.File.Sync()
}

func (f stuckFile) SyncData() error { return f.Sync() }

func TestStalledDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := stuckFS{vfs.NewMem(), new(atomic.Bool), make(chan struct{})}
		failed := make(chan error, 1)
		s, err := Open(Options{Dir: "data", FS: fs, Key: testKey, StallAfter: 2 * time.Second,
			OnFailure: func(err error) { failed <- err }})
		if err != nil {
			t.Fatal(err)
		}
		fill(t, s, 0, 10)
		fs.stuck.Store(true)
		b := s.NewBatch()
		r := opened(t, s, 10)
		b.Append(&r)
		start := time.Now()
		if err := s.Commit(b); !errors.Is(err, ErrStalled) {
			t.Fatal(err)
		}
		if waited := time.Since(start); waited != 2*time.Second {
			t.Errorf("commit waited %s", waited)
		}
		if err := <-failed; !errors.Is(err, ErrStalled) {
			t.Error(err)
		}
		close(fs.free)
		_ = s.Close()
	})
}

// smallFS is a disk with so much free space.
type smallFS struct {
	vfs.FS
	free *atomic.Uint64
}

func (f smallFS) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{AvailBytes: f.free.Load()}, nil
}

func TestFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := smallFS{vfs.NewMem(), new(atomic.Uint64)}
		fs.free.Store(500)
		s, err := Open(Options{Dir: "data", FS: fs, Key: testKey, MinFreeBytes: 100})
		if err != nil {
			t.Fatal(err)
		}
		defer closeStore(t, s)
		fill(t, s, 0, 10)
		fs.free.Store(150)
		time.Sleep(2 * lookEvery)
		if h := s.Health(); !h.Low || h.Full || h.FreeBytes != 150 {
			t.Errorf("%+v", h)
		}
		fill(t, s, 10, 10)
		fs.free.Store(99)
		time.Sleep(2 * lookEvery)
		one, two := s.NewBatch(), s.NewBatch()
		r := opened(t, s, 20)
		one.Append(&r)
		two.Append(&r)
		var e *Error
		if err := s.Commit(one); !errors.Is(err, ErrDiskFull) || !errors.As(err, &e) {
			t.Fatal(err)
		}
		fs.free.Store(500)
		time.Sleep(2 * lookEvery)
		if err := s.Commit(two); err == nil {
			t.Error("a later batch was committed before the refused one")
		}
		commit(t, s, one)
		commit(t, s, two)
		if report, err := s.Verify(nil); err != nil || report.Records != 42 {
			t.Errorf("%+v %v", report, err)
		}
	})
}

func TestKeyFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "data.key")
	hint := func(o Options, want string) {
		t.Helper()
		var e *Error
		_, err := dataKey(&o)
		if !errors.As(err, &e) || !strings.Contains(err.Error(), want) || e.Hint == "" {
			t.Errorf("%v doesn't say %q", err, want)
		}
	}
	hint(Options{KeyFile: name}, "no such file")
	key, err := dataKey(&Options{KeyFile: name, CreateKey: true})
	if err != nil {
		t.Fatal(err)
	}
	again, err := dataKey(&Options{KeyFile: name, CreateKey: true})
	if err != nil || string(again) != string(key) {
		t.Fatal("the key isn't the one that was created", err)
	}
	info, err := os.Stat(name)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	for _, mode := range []os.FileMode{0o640, 0o604, 0o660} {
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
		hint(Options{KeyFile: name}, "open to others")
	}
	if err := os.WriteFile(name, []byte("abc"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(name, 0o600); err != nil {
		t.Fatal(err)
	}
	hint(Options{KeyFile: name}, "doesn't hold a key")
}

func TestOneProcessADirectory(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(Options{Dir: dir, Key: testKey})
	if err != nil {
		t.Fatal(err)
	}
	defer closeStore(t, s)
	var e *Error
	_, err = Open(Options{Dir: dir, Key: testKey})
	if !errors.As(err, &e) || !strings.HasPrefix(e.Hint, "another cardswitch runs on it") {
		t.Fatal(err)
	}
}

// What a drill does to the disk is over by itself, and can be ended early.
func TestHeldDisk(t *testing.T) {
	s := openOn(t, vfs.NewMem())
	defer closeStore(t, s)
	write := func() chan error {
		done := make(chan error, 1)
		go func() {
			b := s.db.NewBatch()
			set(b, []byte(aboutPosition), s.position.value())
			done <- s.commitAside(b)
		}()
		return done
	}
	release := s.HoldDisk(s.patience)
	held := write()
	select {
	case <-held:
		t.Error("a write became durable while the disk was held")
	case <-time.After(50 * time.Millisecond):
	}
	release()
	release() // once more does nothing
	if err := <-held; err != nil {
		t.Error(err)
	}
	s.HoldDisk(50 * time.Millisecond)
	if err := <-write(); err != nil {
		t.Error(err)
	}
}
