// Package chaos kills the switch and cuts its links while money moves, then compares the books.
//
// The switch runs as a process of its own on one data folder and dies by kill -9 again and again.
// Merchants and banks live in this process and survive: merchants repeat what wasn't answered, take
// back some sales, sometimes before they are answered; banks post, decline, answer late, and keep
// books by question as real ones do. At the end, when everything owed has been delivered, each
// receipt must have its posting and each posting its receipt: nothing lost, nothing double, nothing
// unexplained.
package chaos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"time"

	"cardswitch/conformance/load/process"
	"cardswitch/conformance/load/sealed"
	"cardswitch/conformance/load/stage"
)

// Mode says what goes wrong.
type Mode string

// The modes.
const (
	Kill Mode = "kill" // the switch dies
	Cut  Mode = "cut"  // primary links are cut, stall or refuse
	Both Mode = "both"
)

// Config is one run.
type Config struct {
	Program     string // the cardswitch program
	Dir         string // where the data folder is made
	Keep        bool   // leave the data folder
	Cycles      int
	Mode        Mode
	Lanes       int // connections of the merchant
	Outstanding int // transactions in flight on each
	Seed        uint64
	Progress    io.Writer
}

// Validate says what is wrong with a configuration.
func (c Config) Validate() error {
	switch {
	case c.Cycles < 1:
		return errors.New("chaos: at least one cycle")
	case c.Lanes < 1 || c.Lanes > 64 || c.Outstanding < 1 || c.Outstanding > 1024:
		return errors.New("chaos: 1 to 64 lanes with 1 to 1024 transactions in flight")
	case !slices.Contains([]Mode{Kill, Cut, Both}, c.Mode):
		return fmt.Errorf("chaos: mode %q is not kill, cut or both", c.Mode)
	}
	return nil
}

// Times of the stage: short, so that time-outs, late answers and repeats happen in every run.
const (
	merchantTime = 1500 * time.Millisecond
	issuerTime   = time.Second
	patience     = 2 * time.Second // before a merchant repeats
	repeatTime   = 300 * time.Millisecond
	startTime    = 30 * time.Second // a start that takes longer is a failure
	settleTime   = 90 * time.Second // everything owed must be delivered within
)

// run is a run in progress.
type run struct {
	config    Config
	random    *rand.Rand
	stage     *stage.Stage
	banks     []*bank
	merchants *merchants
	starts    []time.Duration // from the start of the process to its first answer
	kills     int
	cuts      int
}

// Run does the cycles, lets everything settle and compares the books.
func Run(ctx context.Context, config Config) (Report, error) {
	if err := config.Validate(); err != nil {
		return Report{}, err
	}
	dir, err := os.MkdirTemp(config.Dir, "cardswitch-chaos-")
	if err != nil {
		return Report{}, fmt.Errorf("chaos: %w", err)
	}
	if !config.Keep {
		defer os.RemoveAll(dir)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r := &run{config: config, random: rand.New(rand.NewPCG(config.Seed, 1))}
	if err := r.setUp(ctx, dir); err != nil {
		return Report{}, err
	}
	begin := time.Now()
	child, err := r.cycles(ctx)
	if err != nil {
		return Report{}, err
	}
	report := Report{Seed: config.Seed, Elapsed: time.Since(begin)}
	if err := r.settle(ctx, child, &report); err != nil {
		return Report{}, err
	}
	r.verify(&report)
	if err := r.stage.VerifyJournal(ctx); err != nil {
		report.Journal = err.Error()
	}
	return report, child.Stop(startTime)
}

// secretOf is what the keys of all envelopes of a run are made of.
func secretOf(seed uint64) sealed.Secret { return sealed.Secret(fmt.Sprintf("chaos %d", seed)) }

func (r *run) setUp(ctx context.Context, dir string) error {
	var links [][]string
	secret := secretOf(r.config.Seed)
	for i := range 2 {
		b, err := openBank(ctx, r.config.Seed+uint64(i), secret)
		if err != nil {
			return err
		}
		r.banks = append(r.banks, b)
		links = append(links, b.addresses())
	}
	s, err := stage.New(r.config.Program, dir, links)
	if err != nil {
		return err
	}
	s.MerchantTime, s.IssuerTime = merchantTime, issuerTime
	s.Repeat, s.BackOff, s.Hold = repeatTime, 4*repeatTime, repeatTime
	s.Secret = secret
	r.merchants = newMerchants(s.Merchants, r.config, sealed.NewEnd(secret))
	s.Acquirers, s.Connections = r.merchants.acquirers(), 2*r.config.Lanes
	r.stage = s
	if err := s.Write(); err != nil {
		return err
	}
	r.merchants.start(ctx)
	return nil
}

// cycles breaks what the mode says, as often as asked, and leaves the switch running.
func (r *run) cycles(ctx context.Context) (*process.Child, error) {
	child, err := r.startSwitch(ctx, true)
	for cycle := 1; err == nil && cycle <= r.config.Cycles; cycle++ {
		if cycle%50 == 0 {
			lately := quantile(r.starts[max(0, len(r.starts)-50):], 0.5)
			fmt.Fprintf(r.config.Progress, "cycle %d, %d answers, start lately %s\n",
				cycle, r.merchants.answered.Load(), lately.Round(time.Millisecond))
		}
		if err = r.wait(ctx, child, r.between(5, 120)); err != nil {
			break
		}
		if r.config.Mode != Kill && (r.config.Mode == Cut || r.random.IntN(2) == 0) {
			r.banks[r.random.IntN(len(r.banks))].cut(r.random.IntN(3), r.between(50, 600))
			r.cuts++
			err = r.wait(ctx, child, r.between(0, 60))
		}
		if err != nil || r.config.Mode == Cut {
			continue
		}
		child.Kill()
		r.kills++
		// Now and then it dies again before it has recovered.
		child, err = r.startSwitch(ctx, cycle == r.config.Cycles || r.random.IntN(8) > 0)
	}
	return child, err
}

func (r *run) between(from, to int) time.Duration {
	return time.Duration(from+r.random.IntN(to-from)) * time.Millisecond
}

// wait lets the switch work; it must not end by itself.
func (r *run) wait(ctx context.Context, child *process.Child, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-child.Ended():
		return fmt.Errorf("chaos: the switch ended by itself: %s", child.Words())
	case <-ctx.Done():
		return ctx.Err()
	}
}

// startSwitch starts the switch and, if asked, waits until it answers.
func (r *run) startSwitch(ctx context.Context, answering bool) (*process.Child, error) {
	begin := time.Now()
	before := r.merchants.answered.Load()
	child, err := r.stage.Start(ctx)
	if err != nil || !answering {
		return child, err
	}
	for r.merchants.answered.Load() == before {
		if err := r.wait(ctx, child, time.Millisecond); err != nil {
			return nil, err
		}
		if time.Since(begin) > startTime {
			return nil, fmt.Errorf("chaos: no answer within %s of the start: %s",
				startTime, child.Words())
		}
	}
	r.starts = append(r.starts, time.Since(begin))
	return child, nil
}

func quantile(times []time.Duration, q float64) time.Duration {
	if len(times) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(times))
	return sorted[int(q*float64(len(sorted)-1))]
}
