// Package disktest is a disk in memory for simulations: it is slow, full or broken when told.
//
// When its power is cut, what it really kept can be drawn from a seed: all that was synced, and of
// the rest some blocks. The same draws give the same disk, so that a simulation can be repeated.
package disktest

import (
	"math/rand/v2"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// Disk is a disk and its power. It may be used by one process at a time.
type Disk struct {
	mem *vfs.MemFS

	mu    sync.Mutex
	off   bool
	fails error
	slow  func() time.Duration
	sync  func() // called as a log is about to be synced
}

// New gives an empty disk.
func New() *Disk { return &Disk{mem: vfs.NewCrashableMem()} }

// FS is the disk as a process sees it.
func (d *Disk) FS() vfs.FS { return errorfs.Wrap(d.mem, errorfs.InjectorFunc(d.before)) }

// Slow makes each sync of a log take as long as f says.
func (d *Disk) Slow(f func() time.Duration) { d.set(func() { d.slow = f }) }

// OnSync has f called whenever a log is about to be synced, once its wait is over.
func (d *Disk) OnSync(f func()) { d.set(func() { d.sync = f }) }

// Break makes every write fail from now on.
func (d *Disk) Break() { d.set(func() { d.fails = syscall.EIO }) }

// Fill leaves no room: every write fails until Free.
func (d *Disk) Fill() { d.set(func() { d.fails = syscall.ENOSPC }) }

// Free is how many bytes the disk says are free; it also ends Fill.
func (d *Disk) Free(bytes uint64) {
	d.set(func() { d.fails = nil })
	d.mem.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: bytes, TotalBytes: 1 << 40})
}

func (d *Disk) set(change func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change()
}

// before is asked before each operation.
func (d *Disk) before(op errorfs.Op) error {
	if op.Kind.ReadOrWrite() == errorfs.OpIsRead {
		return nil
	}
	if syncs(op) {
		d.mu.Lock()
		slow := d.slow
		d.mu.Unlock()
		if slow != nil && !rotates() {
			time.Sleep(slow())
		}
		d.mu.Lock()
		hook := d.sync
		d.mu.Unlock()
		if hook != nil {
			hook()
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.off {
		return syscall.EIO
	}
	return d.fails
}

// rotates tells of the sync of a log that is followed by the next. Pebble does it under the lock of
// all its writers, and a bubble of testing/synctest can't wait for who waits for a lock: it takes
// no time.
func rotates() bool {
	var callers [24]uintptr
	frames := runtime.CallersFrames(callers[:runtime.Callers(2, callers[:])])
	for {
		f, more := frames.Next()
		if strings.HasSuffix(f.Function, "(*DB).rotateWAL") {
			return true
		}
		if !more {
			return false
		}
	}
}

func syncs(op errorfs.Op) bool {
	switch op.Kind {
	case errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo:
		return strings.HasSuffix(op.Path, ".log")
	}
	return false
}

// Cut takes the power away: whoever still runs writes nothing any more. It returns the disk as it
// comes back: what was synced, and each block and each name that was not where keep says so.
func (d *Disk) Cut(keep func() bool) *Disk {
	d.set(func() { d.off = true })
	return d.Kept(keep)
}

// Kept is the disk as it would come back if its power were cut now.
func (d *Disk) Kept(keep func() bool) *Disk {
	synced := d.mem.CrashClone(vfs.CrashCloneCfg{})
	all := d.mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100,
		RNG: rand.New(rand.NewPCG(0, 0))})
	overlay(synced, all, "/", keep)
	// What it has now is all there is: nothing of it can be lost by the next cut.
	return &Disk{mem: synced}
}

const blockSize = 4096

// overlay adds to a folder of synced what keep says of the same folder of all, in order of names.
func overlay(synced, all *vfs.MemFS, dir string, keep func() bool) {
	names := must(all.List(dir))
	slices.Sort(names)
	for _, name := range names {
		at := path.Join(dir, name)
		info := must(all.Stat(at))
		_, err := synced.Stat(at)
		if err != nil && !keep() {
			continue
		}
		if info.IsDir() {
			ok(synced.MkdirAll(at, 0o700))
			overlay(synced, all, at, keep)
			continue
		}
		have, whole := content(synced, at), content(all, at)
		if err != nil || string(have) != string(whole) {
			write(synced, at, blocks(have, whole, keep))
		}
	}
	folder := must(synced.OpenDir(dir))
	ok(folder.Sync())
	ok(folder.Close())
}

// blocks is have with the blocks of whole that are kept; a block that was not, between others, is
// zeros.
func blocks(have, whole []byte, keep func() bool) []byte {
	out := slices.Clone(have)
	for i := 0; i < len(whole); i += blockSize {
		to := min(i+blockSize, len(whole))
		if to <= len(have) && string(have[i:to]) == string(whole[i:to]) || !keep() {
			continue
		}
		if to > len(out) {
			out = append(out, make([]byte, to-len(out))...)
		}
		copy(out[i:], whole[i:to])
	}
	return out
}

func content(fs *vfs.MemFS, name string) []byte {
	b, err := fs.UnsafeGetFileDataBuffer(name)
	if err != nil {
		return nil
	}
	return b
}

func write(fs *vfs.MemFS, name string, data []byte) {
	f := must(fs.Create(name, vfs.WriteCategoryUnspecified))
	must(f.Write(data))
	ok(f.Sync())
	ok(f.Close())
}

// ok and must are for a disk in memory, on which nothing fails.
func ok(err error) {
	if err != nil {
		panic(err)
	}
}

func must[T any](v T, err error) T {
	ok(err)
	return v
}
