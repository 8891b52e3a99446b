// Package fence stands between Pebble and the disk, so that a store that has failed writes nothing
// more.
//
// Pebble expects the process to end when a write fails for good: it panics, with its locks in a
// state that no recover can mend. A switch must rather stay alive without its journal, to say what
// happened and to keep its links in order. So Pebble never sees such an error: the fence reports
// it, shuts, and from then on takes every write and puts it nowhere (new files go to memory, so
// that Pebble can go on among itself). The store is told before Pebble's write returns, so nothing
// that wasn't written is ever acknowledged. The fence also counts what is written to the log and
// synced.
package fence

import (
	"errors"
	"io/fs"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// FS is a file system with a fence. It is open, and passes errors on, until Arm.
type FS struct {
	vfs.FS
	fail   atomic.Pointer[func(error)]
	closed atomic.Bool
	aside  atomic.Pointer[string]
	held   atomic.Pointer[chan struct{}] // nil: the disk answers
	shadow *vfs.MemFS                    // where Pebble's files go once the fence is shut
	bytes  atomic.Uint64
	syncs  atomic.Uint64
}

// New puts a fence before a file system.
func New(disk vfs.FS) *FS { return &FS{FS: disk, shadow: vfs.NewMem()} }

// Arm makes the fence shut at the first write that fails, after telling fail. Before, while Pebble
// opens, it returns errors well.
func (f *FS) Arm(fail func(error)) { f.fail.Store(&fail) }

// Aside makes a folder one beside the store, until done is called: what fails in it is returned and
// shuts nothing. For copies of the store; there is one such folder at a time.
func (f *FS) Aside(dir string) (done func()) {
	f.aside.Store(&dir)
	return func() { f.aside.Store(nil) }
}

func (f *FS) isAside(name string) bool {
	dir := f.aside.Load()
	return dir != nil && strings.HasPrefix(name, *dir)
}

// Hold lets no sync end until it is released: as if the disk didn't answer. One hold at a time.
func (f *FS) Hold() (release func()) {
	until := make(chan struct{})
	f.held.Store(&until)
	return sync.OnceFunc(func() {
		f.held.Store(nil)
		close(until)
	})
}

// wait is a sync's.
func (f *FS) wait() {
	if until := f.held.Load(); until != nil {
		<-*until
	}
}

// Shut lets no more writes through.
func (f *FS) Shut() { f.closed.Store(true) }

// Log returns the bytes written to write-ahead logs and how often those were synced.
func (f *FS) Log() (bytes, syncs uint64) { return f.bytes.Load(), f.syncs.Load() }

// Unwrap lets Pebble find the file system behind.
func (f *FS) Unwrap() vfs.FS { return f.FS }

// try makes a change to the disk. It returns false if the change is to be made in the shadow
// instead: the fence is shut, or now was.
func (f *FS) try(change func() error) (bool, error) {
	if f.closed.Load() {
		return false, nil
	}
	err := change()
	fail := f.fail.Load()
	if err == nil || fail == nil || errors.Is(err, fs.ErrNotExist) {
		return true, err
	}
	(*fail)(err)
	f.Shut()
	return false, nil
}

// file opens a file for writing by open, or makes an empty one in the shadow.
func (f *FS) file(name string, c vfs.DiskWriteCategory,
	open func() (vfs.File, error)) (vfs.File, error) {
	if f.isAside(name) {
		return open()
	}
	var file vfs.File
	done, err := f.try(func() (err error) {
		file, err = open()
		return err
	})
	if done && err == nil {
		return &fenced{File: file, fs: f, log: strings.HasSuffix(name, ".log")}, nil
	}
	if done {
		return nil, err
	}
	if err := f.shadow.MkdirAll(f.shadow.PathDir(name), 0o700); err != nil {
		return nil, err
	}
	return f.shadow.Create(name, c)
}

func (f *FS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return f.file(name, c, func() (vfs.File, error) { return f.FS.Create(name, c) })
}

func (f *FS) OpenReadWrite(name string, c vfs.DiskWriteCategory,
	o ...vfs.OpenOption) (vfs.File, error) {
	return f.file(name, c, func() (vfs.File, error) { return f.FS.OpenReadWrite(name, c, o...) })
}

func (f *FS) ReuseForWrite(old, name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return f.file(name, c, func() (vfs.File, error) { return f.FS.ReuseForWrite(old, name, c) })
}

// Open reads from the shadow what was written there.
func (f *FS) Open(name string, o ...vfs.OpenOption) (vfs.File, error) {
	if f.closed.Load() {
		if file, err := f.shadow.Open(name, o...); err == nil {
			return file, nil
		}
	}
	return f.FS.Open(name, o...)
}

func (f *FS) OpenDir(name string) (vfs.File, error) {
	dir, err := f.FS.OpenDir(name)
	if err != nil || f.isAside(name) {
		return dir, err
	}
	return &fenced{File: dir, fs: f}, nil
}

func (f *FS) Stat(name string) (vfs.FileInfo, error) {
	if f.closed.Load() {
		if info, err := f.shadow.Stat(name); err == nil {
			return info, nil
		}
	}
	return f.FS.Stat(name)
}

func (f *FS) Rename(old, name string) error {
	if f.isAside(name) {
		return f.FS.Rename(old, name)
	}
	done, err := f.try(func() error { return f.FS.Rename(old, name) })
	if !done {
		_ = f.shadow.Rename(old, name)
	}
	return err
}

func (f *FS) Link(old, name string) error {
	if f.isAside(name) {
		return f.FS.Link(old, name)
	}
	_, err := f.try(func() error { return f.FS.Link(old, name) })
	return err
}

func (f *FS) Remove(name string) error {
	if f.isAside(name) {
		return f.FS.Remove(name)
	}
	_, err := f.try(func() error { return f.FS.Remove(name) })
	return err
}
