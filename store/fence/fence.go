// Package fence stands between Pebble and the disk, so that a store that has failed writes nothing more.
//
// Pebble expects the process to end when something goes wrong for good. A switch must rather stay alive without its
// journal: to say what happened, to keep its links in order. So after Close of the fence every write fails (slowly, since
// Pebble repeats some at once), while reads go on. The fence also counts what is written and synced.
package fence

import (
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// ErrClosed is the error of every write after the fence was closed.
var ErrClosed = errors.New("the store has failed and writes nothing more")

// pause keeps a write that Pebble repeats for ever from burning a processor.
const pause = 100 * time.Millisecond

// FS is a file system with a fence.
type FS struct {
	vfs.FS
	closed atomic.Bool
	bytes  atomic.Uint64
	syncs  atomic.Uint64
}

// New puts a fence before a file system.
func New(fs vfs.FS) *FS { return &FS{FS: fs} }

// Close lets no more writes through.
func (f *FS) Close() { f.closed.Store(true) }

// Log returns the bytes written to write-ahead logs and how often those were synced.
func (f *FS) Log() (bytes, syncs uint64) { return f.bytes.Load(), f.syncs.Load() }

func (f *FS) check() error {
	if f.closed.Load() {
		time.Sleep(pause)
		return ErrClosed
	}
	return nil
}

func (f *FS) wrap(name string, file vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return &fenced{File: file, fs: f, log: strings.HasSuffix(name, ".log")}, nil
}

func (f *FS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	file, err := f.FS.Create(name, c)
	return f.wrap(name, file, err)
}

func (f *FS) OpenReadWrite(name string, c vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	file, err := f.FS.OpenReadWrite(name, c, o...)
	return f.wrap(name, file, err)
}

func (f *FS) ReuseForWrite(old, name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	file, err := f.FS.ReuseForWrite(old, name, c)
	return f.wrap(name, file, err)
}

func (f *FS) Rename(old, name string) error {
	if err := f.check(); err != nil {
		return err
	}
	return f.FS.Rename(old, name)
}

func (f *FS) Remove(name string) error {
	if err := f.check(); err != nil {
		return err
	}
	return f.FS.Remove(name)
}

// Unwrap lets Pebble find the file system behind.
func (f *FS) Unwrap() vfs.FS { return f.FS }

type fenced struct {
	vfs.File
	fs  *FS
	log bool
}

func (f *fenced) Write(p []byte) (int, error) {
	if err := f.fs.check(); err != nil {
		return 0, err
	}
	if f.log {
		f.fs.bytes.Add(uint64(len(p)))
	}
	return f.File.Write(p)
}

func (f *fenced) WriteAt(p []byte, at int64) (int, error) {
	if err := f.fs.check(); err != nil {
		return 0, err
	}
	return f.File.WriteAt(p, at)
}

func (f *fenced) Sync() error {
	if err := f.synced(); err != nil {
		return err
	}
	return f.File.Sync()
}

func (f *fenced) SyncData() error {
	if err := f.synced(); err != nil {
		return err
	}
	return f.File.SyncData()
}

func (f *fenced) synced() error {
	if f.log {
		f.fs.syncs.Add(1)
	}
	return f.fs.check()
}
