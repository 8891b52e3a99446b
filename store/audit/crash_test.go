package audit

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// cutter cuts the power before a step of writing: it keeps what is then on the disk, and lets
// nothing more be written.
type cutter struct {
	disk    *vfs.MemFS
	percent int
	rng     *rand.Rand
	step    int
	cut     int
	after   *vfs.MemFS
}

func (c *cutter) fs() vfs.FS {
	return errorfs.Wrap(c.disk, errorfs.InjectorFunc(func(o errorfs.Op) error {
		if o.Kind.ReadOrWrite() != errorfs.OpIsWrite || o.Kind == errorfs.OpFileClose {
			return nil
		}
		if c.step++; c.step == c.cut {
			c.after = c.disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: c.percent, RNG: c.rng})
		}
		if c.step >= c.cut {
			return errorfs.ErrInjected
		}
		return nil
	}))
}

// TestCrashAtEachStep cuts the power before each write, sync, rename or removal in the life of a
// log: creation, records, rotation, a restart, the recovery itself. What was acknowledged is there,
// the chain verifies before and after the recovery, and the log goes on.
func TestCrashAtEachStep(t *testing.T) {
	if testing.Short() {
		t.Skip("many cases, and nothing that runs side by side")
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	for _, percent := range []int{0, 25, 75, 100} {
		cuts := 0
		for cut := 1; ; cut++ {
			c := &cutter{disk: vfs.NewCrashableMem(), percent: percent, cut: cut,
				rng: rand.New(rand.NewPCG(seed, uint64(cut)))}
			if err := c.disk.MkdirAll("audit", 0o700); err != nil {
				t.Fatal(err)
			}
			l := &life{disk: c.fs()}
			l.run(12)
			if c.after == nil {
				cuts = cut - 1
				break
			}
			l.resume(t, c.after, fmt.Sprintf("%d %%, cut %d", percent, cut), func(disk *vfs.MemFS) {
				again(t, disk, l, seed^uint64(cut), percent)
			})
		}
		if cuts < 100 {
			t.Errorf("only %d cuts", cuts)
		}
	}
}

// life creates a log, fills it, closes it and goes on with it, for as long as the disk takes it.
type life struct {
	disk  vfs.FS
	birth Birth
	acked []int // numbers of acts
	next  int
}

func (l *life) run(acts int) {
	o := small(l.disk)
	var birth Birth
	if err := Create(o, func(b Birth) error { birth = b; return nil }); err == nil {
		l.birth = birth
	} else if !errors.Is(err, fs.ErrExist) {
		l.birth = birth // if the state reached the disk after all, this one is right
		return
	}
	for range 2 {
		log, err := Open(o)
		if err != nil {
			return
		}
		for range acts / 2 {
			l.next++
			if _, err := log.Append(ctx(), act(l.next)); err == nil {
				l.acked = append(l.acked, l.next)
			}
		}
		_ = log.Close()
	}
}

// resume checks what a cut has left, as it is, and then after a restart.
func (l *life) resume(t *testing.T, disk *vfs.MemFS, when string, more func(*vfs.MemFS)) {
	t.Helper()
	if _, err := loadState(disk, "audit"); errors.Is(err, fs.ErrNotExist) {
		if len(l.acked) > 0 {
			t.Fatalf("%s: %d were acknowledged by a log that isn't there", when, len(l.acked))
		}
		(&life{disk: disk}).run(2)
		if _, err := loadState(disk, "audit"); err != nil {
			t.Fatalf("%s: the log couldn't be created again: %v", when, err)
		}
		return
	}
	l.check(t, disk, when+", before the recovery")
	more(disk.CrashClone(vfs.CrashCloneCfg{}))
	log, err := Open(small(disk))
	if err != nil {
		t.Fatalf("%s: %v", when, err)
	}
	l.next++
	record(t, log, l.next)
	acked := append(l.acked[:len(l.acked):len(l.acked)], l.next)
	closeLog(t, log)
	after := &life{birth: l.birth, acked: acked}
	if r := after.check(t, disk, when+", after the recovery"); r.Unfinished != 0 {
		t.Fatalf("%s: %d bytes were left behind", when, r.Unfinished)
	}
}

func (l *life) check(t *testing.T, disk *vfs.MemFS, when string) Report {
	t.Helper()
	for _, c := range []Check{
		{FS: disk, Key: l.birth.Key, Public: l.birth.Public}, {FS: disk, Public: l.birth.Public},
	} {
		if r, err := Verify("audit", c); err != nil {
			t.Fatalf("%s: %+v, %v", when, r, err)
		}
	}
	found, err := Read("audit", Filter{FS: disk, Actor: "tanaka", Limit: 10_000})
	if err != nil && len(found) == 0 && len(l.acked) > 0 {
		t.Fatalf("%s: %v", when, err)
	}
	there := make(map[string]int)
	for _, r := range found {
		there[r.Object]++
	}
	for _, n := range l.acked {
		if there[act(n).Object] != 1 {
			t.Fatalf("%s: act %d was acknowledged and is there %d times", when, n, there[act(n).Object])
		}
	}
	r, _ := Verify("audit", Check{FS: disk, Key: l.birth.Key})
	return r
}

// again cuts the power once more, in the middle of the recovery.
func again(t *testing.T, disk *vfs.MemFS, l *life, seed uint64, percent int) {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 1))
	c := &cutter{disk: disk, percent: percent, cut: 1 + rng.IntN(12), rng: rng}
	if log, err := Open(small(c.fs())); err == nil {
		_ = log.Close()
	}
	if c.after != nil {
		l.check(t, c.after, fmt.Sprintf("cut again at %d", c.cut))
		log, err := Open(small(c.after))
		if err != nil {
			t.Fatalf("cut again at %d: %v", c.cut, err)
		}
		closeLog(t, log)
		l.check(t, c.after, "after a second recovery")
	}
}

// TestTornEnd cuts what wasn't yet told as recorded at every byte, and puts zeros in its place.
func TestTornEnd(t *testing.T) {
	disk := vfs.NewMem()
	o := Options{Dir: "audit", FS: disk}
	birth := create(t, o)
	l := open(t, o)
	record(t, l, 1)
	before := disk2(t, disk) // with the state of before the last group
	record(t, l, 2)
	record(t, l, 3)
	closeLog(t, l)
	whole, _ := disk.UnsafeGetFileDataBuffer("audit/" + segmentName(1))
	st, err := loadState(before, "audit")
	if err != nil {
		t.Fatal(err)
	}
	for cut := int(st.size); cut <= len(whole); cut += 7 {
		for _, zeros := range []int{0, 300} {
			torn := disk2(t, before)
			write(t, torn, segmentName(1), append(whole[:cut:cut], make([]byte, zeros)...))
			check := Check{FS: torn, Key: birth.Key, Public: birth.Public}
			was, err := Verify("audit", check)
			if err != nil {
				t.Fatalf("cut at %d: %v", cut, err)
			}
			ot := o
			ot.FS = torn
			closeLog(t, open(t, ot))
			r, err := Verify("audit", check)
			if err != nil || r.Unfinished != 0 || r.Last <= was.Last {
				t.Fatalf("cut at %d: %+v, then %+v, %v", cut, was, r, err)
			}
			found, _ := Read("audit", Filter{FS: torn, Events: []Event{LogRecovered}})
			if (len(found) == 1) != (was.Unfinished > 0) {
				t.Fatalf("cut at %d: %d bytes dropped, %d records of it", cut, was.Unfinished, len(found))
			}
		}
	}
	for cut := int(st.size) - 1; cut > 0; cut -= 50 { // what was told
		torn := disk2(t, before)
		write(t, torn, segmentName(1), whole[:cut])
		ot := o
		ot.FS = torn
		if l, err := Open(ot); !errors.Is(err, ErrTampered) {
			_ = l.Close()
			t.Fatalf("cut at %d: %v", cut, err)
		}
	}
}
