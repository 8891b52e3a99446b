// Package bench measures the switch on this machine: throughput, latency, cost and the money count.
//
// Load generator, switch and issuers are processes of their own on loopback, the journal is durable
// on a real disk, and a switch built plainly on moov-io packages runs the same load as a baseline.
package bench

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"cardswitch/conformance/load/sealed"
)

// The aims for the switch at the peak load.
const (
	aimTPS   = 100_000
	aimCPU   = 10 // µs a transaction
	aimRatio = 5  // times the moov-based switch
)

// The switches that are measured.
const (
	switchOurs  = "cardswitch"
	switchMoov  = "moov"
	switchMoov8 = "moov GOGC=800" // with the memory that lets its collector rest
)

// Load is a way of loading a switch.
type Load struct {
	Name        string
	Connections int
	Outstanding int
	Open        bool // at a fixed rate, half of what the peak load reached
}

var (
	loadPeak = Load{Name: "4x512", Connections: 4, Outstanding: 512}
	loadMany = Load{Name: "64x8", Connections: 64, Outstanding: 8}
	loadLone = Load{Name: "1x1", Connections: 1, Outstanding: 1}
	loadOpen = Load{Name: "open", Connections: 4, Open: true}
)

// step is one row of the table.
type step struct {
	of    string
	load  Load
	nodes int // of a cluster; 0: the switch is alone
}

// steps in the order they run. The moov-based switch comes last: its garbage shall not be in the
// way.
func (o Options) steps() []step {
	list := []step{{of: switchOurs, load: loadPeak}, {of: switchOurs, load: loadMany},
		{of: switchOurs, load: loadLone}, {of: switchOurs, load: loadOpen}}
	if o.Nodes > 1 {
		list = append(list, step{fmt.Sprintf("%d nodes", o.Nodes), loadPeak, o.Nodes})
	}
	return append(list, step{of: switchMoov, load: loadPeak}, step{of: switchMoov, load: loadMany},
		step{of: switchMoov8, load: loadPeak})
}

// Options are what a user may choose.
type Options struct {
	Program  string // the cardswitch program, which is also every part
	Dir      string // the folder for journals, on the disk to measure
	Duration time.Duration
	WarmUp   time.Duration
	Runs     int
	Only     []string // "4x512", "moov", "moov/64x8"; empty: all
	Rate     int      // of the open loop; 0: half the peak
	Profile  string   // folder for CPU profiles of the switch; empty: none
	Plain    bool     // the switch's links without envelopes
	Nodes    int      // of a cluster that is measured too; 0: none
	Progress io.Writer

	secret sealed.Secret // of the envelopes' keys
}

// Run measures every step and returns the medians.
func Run(ctx context.Context, o Options) (Result, error) {
	dir, err := os.MkdirTemp(o.Dir, "cardswitch-bench-")
	if err != nil {
		return Result{}, fmt.Errorf("bench: %w", err)
	}
	defer os.RemoveAll(dir)
	o.Dir = dir
	if !o.Plain {
		o.secret = make(sealed.Secret, 32)
		rand.Read(o.secret)
	}
	if inMemory(dir) {
		return Result{}, fmt.Errorf("bench: %s is in memory, not on a disk: name another with --dir", dir)
	}
	machine, err := describe(dir)
	if err != nil {
		return Result{}, err
	}
	var measures []Measure
	for _, s := range o.steps() {
		if !o.wants(s) {
			continue
		}
		rate, err := o.rate(s, measures)
		if err != nil {
			return Result{}, err
		}
		var runs []Measure
		for i := range o.Runs {
			fmt.Fprintf(o.Progress, "%s at %s, run %d of %d\n", s.of, s.load.Name, i+1, o.Runs)
			m, err := measure(ctx, o, s, rate)
			if err != nil {
				return Result{}, fmt.Errorf("%s at %s: %w", s.of, s.load.Name, err)
			}
			runs = append(runs, m)
		}
		measures = append(measures, median(runs))
	}
	if len(measures) == 0 {
		return Result{}, fmt.Errorf("bench: nothing matches %s", strings.Join(o.Only, ", "))
	}
	return newResult(machine, measures), nil
}

func (o Options) wants(s step) bool {
	if len(o.Only) == 0 {
		return true
	}
	return slices.ContainsFunc(o.Only, func(word string) bool {
		return word == s.of || word == s.of+"/"+s.load.Name ||
			word == s.load.Name && (s.of == switchOurs || s.nodes > 0)
	})
}

// rate is that of an open loop: given, or half of the peak measured before.
func (o Options) rate(s step, before []Measure) (int, error) {
	if !s.load.Open || o.Rate > 0 {
		return o.Rate, nil
	}
	for _, m := range before {
		if m.Switch == s.of && m.Load == loadPeak.Name {
			return int(m.TPS / 2), nil
		}
	}
	return 0, fmt.Errorf("bench: the open loop takes half the rate of %s: measure that too, "+
		"or give a rate", loadPeak.Name)
}

// profile is the file for the CPU profile of one step, "" if none is wanted.
func (o Options) profile(s step) string {
	if o.Profile == "" {
		return ""
	}
	return filepath.Join(o.Profile, s.of+"-"+s.load.Name+".pprof")
}
