package replica

import (
	"flag"
	"strings"
	"testing"
	"testing/cryptotest"
	"time"
)

var (
	oneSeed  = flag.Uint64("seed", 0, "the one seed of TestSeed")
	seedTime = flag.Duration("for", 8*time.Second, "how long TestFreshSeeds plays")
)

// kept are seeds that found something once.
func kept() []uint64 { return []uint64{1, 2, 3, 4, 5, 6, 7, 8, 1753595845981352, 1753611455085983} }

func playSeed(t *testing.T, seed uint64, b breaks) (*sim, error) {
	t.Helper()
	cryptotest.SetGlobalRandom(t, seed) // raft draws its time-outs there
	return play(seed, b)
}

func judge(t *testing.T, seed uint64) *sim {
	t.Helper()
	s, err := playSeed(t, seed, breaks{})
	if err != nil {
		t.Errorf("seed %d: %v\n%s\n%s\nagain: go test ./dr/replica -run TestSeed -seed %d -v", seed,
			err, s.state(), strings.Join(s.trace, "\n"), seed)
	}
	return s
}

func TestSeed(t *testing.T) {
	if *oneSeed == 0 {
		t.Skip("name one with -seed")
	}
	s := judge(t, *oneSeed)
	t.Log(strings.Join(s.trace, "\n"))
	t.Logf("%d acknowledged, %v, members %v", len(s.acked), s.told, s.shape.members)
}

func TestKeptSeeds(t *testing.T) {
	for _, seed := range kept() {
		judge(t, seed)
	}
}

// TestFreshSeeds plays as many seeds as fit into the time.
func TestFreshSeeds(t *testing.T) {
	began := time.Now()
	first := uint64(began.UnixNano()) >> 10
	n, acked, told := uint64(0), 0, make(map[string]int)
	for time.Since(began) < *seedTime && !t.Failed() {
		s := judge(t, first+n)
		acked += len(s.acked)
		for what, times := range s.told {
			told[what] += times
		}
		n++
	}
	t.Logf("%d seeds from %d on, %d records acknowledged, %v", n, first, acked, told)
}

// TestBreaksAreFound: without a synced log, or without the lease, promises break, and it is seen.
func TestBreaksAreFound(t *testing.T) {
	if testing.Short() {
		t.Skip("many cases, and nothing that runs side by side")
	}
	for name, c := range map[string]struct {
		breaks breaks
		says   string
	}{
		"log not synced":  {breaks{noSync: true}, ""},
		"lease not asked": {breaks{noLease: true}, "may both speak"},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := uint64(1); seed <= 60; seed++ {
				_, err := playSeed(t, seed, c.breaks)
				if err != nil {
					t.Logf("seed %d: %v", seed, err)
				}
				if err != nil && strings.Contains(err.Error(), c.says) {
					return
				}
			}
			t.Error("not found in 60 seeds")
		})
	}
}

// TestSeedsRepeat: a seed is the same each time, or it helps nobody.
func TestSeedsRepeat(t *testing.T) {
	if testing.Short() {
		t.Skip("many cases, and nothing that runs side by side")
	}
	for seed := uint64(101); seed < 104; seed++ {
		one, _ := playSeed(t, seed, breaks{})
		other, _ := playSeed(t, seed, breaks{})
		for i := range min(len(one.trace), len(other.trace)) {
			if one.trace[i] != other.trace[i] {
				t.Fatalf("seed %d, first: %s\nagain: %s", seed, one.trace[i], other.trace[i])
			}
		}
		if len(one.trace) != len(other.trace) || len(one.acked) != len(other.acked) {
			t.Fatalf("seed %d: %d and %d acknowledged", seed, len(one.acked), len(other.acked))
		}
	}
}
