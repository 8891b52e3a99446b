package store

import (
	"math/rand/v2"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// FS is a disk; simulations bring their own.
type FS = vfs.FS

// Memory gives an empty disk in memory, for simulations.
func Memory() FS { return vfs.NewCrashableMem() }

// Crashed gives the disk in memory as it is after the power failed now: what was synced is there,
// of the rest a part drawn from seed.
func Crashed(disk FS, seed uint64) FS {
	rng := rand.New(rand.NewPCG(seed, seed))
	return disk.(*vfs.MemFS).CrashClone(vfs.CrashCloneCfg{
		UnsyncedDataPercent: rng.IntN(101), RNG: rng})
}

// Failing gives a disk on which every write fails once broken has been called.
func Failing(disk FS) (failing FS, broken func()) {
	var fails atomic.Bool
	failing = errorfs.Wrap(disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if fails.Load() && op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
			return errorfs.ErrInjected
		}
		return nil
	}))
	return failing, func() { fails.Store(true) }
}

// Disk is the machine's.
func Disk() FS { return vfs.Default }
