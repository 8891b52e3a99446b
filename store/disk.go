package store

import (
	"math/rand/v2"

	"github.com/cockroachdb/pebble/v2/vfs"
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
