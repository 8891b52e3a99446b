package world

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/cryptotest"
	"testing/synctest"
	"time"
)

// flags say which seeds are played.
type flags struct {
	seed, first, count, seeds *uint64
	jobs                      *int
	stop, many, breaks        *bool
	several, warm             *bool
	time                      *time.Duration
}

// given is read once, as flags are.
var given = flags{
	seed:   flag.Uint64("seed", 0, "the one seed of TestSeed"),
	first:  flag.Uint64("first", 1, "the first seed of TestFresh and TestMany; 0: of the clock"),
	count:  flag.Uint64("count", 0, "how many seeds TestFresh plays; 0: as many as fit"),
	seeds:  flag.Uint64("seeds", 0, "how many seeds TestMany plays; 0: as many as fit"),
	time:   flag.Duration("for", 15*time.Second, "how long seeds are played that aren't counted"),
	stop:   flag.Bool("stop", false, "stop at the first seed that fails"),
	many:   flag.Bool("many", false, "run TestMany"),
	jobs:   flag.Int("jobs", 1, "how many processes TestMany has"),
	breaks: flag.Bool("breaks", false, "run TestBreaks"),

	several: flag.Bool("several", false, "the switch of every seed is a cluster of nodes"),
	warm:    flag.Bool("warm", false, "whose nodes keep connections with banks ready"),
}

// hangTime is how long a world may take that takes a fraction of a second.
const hangTime = 3 * time.Minute

// play runs a world in a bubble of its own. With one processor what happens at one instant happens
// in one order, so that a world is the same each time.
func play(t *testing.T, o Options, g *Ground, each func(string)) (r Result) {
	t.Helper()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	hangs := time.AfterFunc(hangTime, func() { panic(fmt.Sprintf("seed %d hangs", o.Seed)) })
	defer hangs.Stop()
	cryptotest.SetGlobalRandom(t, o.Seed)
	synctest.Test(t, func(t *testing.T) { r = Run(o, g, each) })
	return r
}

// draw gives the options of a seed, as the flags say.
func draw(seed uint64) Options {
	if *given.several || *given.warm {
		o := DrawSeveral(seed)
		o.Warm = *given.warm
		return o
	}
	return Draw(seed)
}

// again is what plays a world again.
func again(o Options) string {
	flags := ""
	if o.several() {
		flags = " -several"
	}
	if o.Warm {
		flags = " -warm"
	}
	return fmt.Sprintf("go test ./conformance/world -run TestSeed -seed %d%s -v", o.Seed, flags)
}

// ground makes what worlds share.
func ground(t *testing.T) *Ground {
	t.Helper()
	g, err := NewGround(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// judge fails the test for a world that broke a promise.
func judge(t *testing.T, r Result) {
	t.Helper()
	if err := linearizable(r.Calls); err != nil {
		r.Broken = append(r.Broken, err.Error())
		r.Last += "\nVIOLATION " + err.Error()
	}
	if len(r.Broken) == 0 {
		return
	}
	t.Errorf("seed %d broke a promise\n%s\n%s\n%s\nagain: %s", r.Options.Seed, r.Options, r.Last,
		strings.Join(r.Broken, "\n"), again(r.Options))
}

// One seed, named by -seed, line by line.
func TestSeed(t *testing.T) {
	if *given.seed == 0 {
		t.Skip("name one with -seed")
	}
	o := draw(*given.seed)
	t.Log(o)
	r := play(t, o, ground(t), func(line string) { fmt.Println(line) })
	t.Logf("%d events, digest %x, %d sales, %d starts", r.Events, r.Digest, r.Sales, r.Starts)
	judge(t, r)
}

// The seeds of the bugs that the world has found.
func TestKept(t *testing.T) {
	f, err := os.Open("testdata/seeds")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	g := ground(t)
	for lines := bufio.NewScanner(f); lines.Scan(); {
		number, bug, _ := strings.Cut(lines.Text(), " ")
		if strings.HasPrefix(number, "#") || number == "" {
			continue
		}
		drawn, draw := number, Draw
		if after, ok := strings.CutPrefix(number, "several:"); ok {
			drawn, draw = after, DrawSeveral
		}
		seed, err := strconv.ParseUint(drawn, 10, 64)
		if err != nil || bug == "" {
			t.Fatalf("%q is no seed with its bug", lines.Text())
		}
		t.Run(number, func(t *testing.T) { judge(t, play(t, draw(seed), g, nil)) })
	}
}

// Nodes that follow keep connections with banks ready: not a byte leaves on one of them before its
// node leads, and nothing that was promised is broken by those that a takeover begins with.
func TestConnectionsKeptReady(t *testing.T) {
	g := ground(t)
	for _, seed := range []uint64{11, 16} {
		o := DrawSeveral(seed)
		o.Warm = true
		t.Run(fmt.Sprint(seed), func(t *testing.T) { judge(t, play(t, o, g, nil)) })
	}
}

// A node that is paused between its question to the fence and its write writes when it goes on.
func TestWritesThatComeLate(t *testing.T) {
	g, late := ground(t), 0
	for _, seed := range []uint64{7002, 7013, 7016} {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := play(t, DrawSeveral(seed), g, nil)
			late += r.Late
			judge(t, r)
		})
	}
	if late == 0 {
		t.Error("no write was late")
	}
}

// Fresh seeds, as many as fit.
func TestFresh(t *testing.T) {
	g, began := ground(t), time.Now()
	var played, failed uint64
	for seed := *given.first; ; seed++ {
		if *given.count == 0 && time.Since(began) > *given.time ||
			*given.count > 0 && played == *given.count || *given.stop && failed > 0 {
			break
		}
		ok := t.Run(fmt.Sprint(seed), func(t *testing.T) { judge(t, play(t, draw(seed), g, nil)) })
		if played++; !ok {
			failed++
		}
	}
	t.Logf("%d seeds from %d, %d failed, %.1f a second", played, *given.first, failed,
		float64(played)/time.Since(began).Seconds())
}

// mostRuns is how often a seed is run until a run is like one before.
const mostRuns = 6

// A seed is the same world each time. A busy machine may let one goroutine run for so long that the
// runtime puts it aside for another, so a seed has a few tries. The race detector makes the
// runtime draw what runs next: then no two runs are the same.
func TestAgain(t *testing.T) {
	if testing.Short() {
		t.Skip("make race asks for short tests")
	}
	g := ground(t)
	for seed := range uint64(12) {
		o := Draw(seed)
		if seed%2 == 1 {
			o = DrawSeveral(seed)
		}
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			first := play(t, o, g, nil)
			seen := []Result{first}
			for again := false; !again; {
				next := play(t, o, g, nil)
				again = slices.ContainsFunc(seen, func(one Result) bool {
					return one.Digest == next.Digest && one.Events == next.Events
				})
				if seen = append(seen, next); !again && len(seen) == mostRuns {
					t.Fatalf("no two of %d runs of seed %d are the same: %d events with digest %x, %d with %x",
						mostRuns, seed, first.Events, first.Digest, next.Events, next.Digest)
				}
			}
			if first.Events == 0 || first.Sales == 0 {
				t.Error("nothing happened")
			}
		})
	}
}
