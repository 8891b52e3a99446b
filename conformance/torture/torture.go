// Package torture hurts a center of real processes while money moves, then compares its books.
//
// The switch, two issuers and two merchants run as programs of their own, as their operators would
// start them; between them stand proxies. A plan drawn from a seed kills, stops and starves the
// switch, stops the partners, cuts, holds and swallows their links. Then the faults stop,
// everything owed must be delivered, and three ledgers that share nothing but the retrieval
// reference number are laid side by side: the merchants' receipts, the switch's journal, the
// issuers' postings.
package torture

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"cardswitch/conformance/load/process"
)

// Config is one run.
type Config struct {
	Program  string // the cardswitch program
	Dir      string // where the folder of the run is made
	Keep     bool   // leave the folder, also if the books agree
	Duration time.Duration
	Rate     float64 // transactions a second, of both merchants together
	Seed     uint64
	Kinds    []Kind // the faults of the plan; nil: all
	Lie      string // what the issuers' books do wrong: drop, double, change; "": nothing
	Progress io.Writer
	Live     bool // Progress is a terminal: one line that changes
}

// Validate says what is wrong with a configuration.
func (c *Config) Validate() error {
	if len(c.Kinds) == 0 {
		c.Kinds = Kinds()
	}
	for _, k := range c.Kinds {
		if !slices.Contains(Kinds(), k) {
			return fmt.Errorf("torture: no fault %q; there are %v", k, Kinds())
		}
	}
	switch {
	case !slices.Contains([]string{"", "drop", "double", "change"}, c.Lie):
		return fmt.Errorf("torture: no lie %q; there are drop, double and change", c.Lie)
	case c.Duration < 5*time.Second || c.Duration > 24*time.Hour:
		return errors.New("torture: a run lasts 5 seconds to 24 hours")
	case c.Rate < 1 || c.Rate > 10_000:
		return errors.New("torture: 1 to 10000 transactions a second")
	}
	return nil
}

// Plan is what the run will do.
func (c *Config) Plan() []Fault {
	return Plan(c.Seed, c.Duration, Scene{Kinds: c.Kinds, Partners: partnerNames(),
		Issuers: issuerNames(), Links: linkNames()})
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
	Config
	dir      string
	disk     disk
	ground   *ground
	partners map[string]*process.Child
	master   *master // of the switch's process
	began    time.Time
	report   *Report
}

// Run follows the plan, lets everything settle and compares the books. An error is about the run
// itself; what the center did wrong is in the report.
func Run(ctx context.Context, config Config) (report *Report, err error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(config.Dir, "cardswitch-torture-")
	if err != nil {
		return nil, fmt.Errorf("torture: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	r := &run{Config: config, dir: dir, disk: disk{dir: dir}, partners: map[string]*process.Child{},
		report: &Report{Seed: config.Seed, Faults: map[Kind]int{}}}
	defer func() {
		cancel() // ends what still runs
		r.close()
		if !config.Keep && (err != nil || report.Clean()) {
			os.RemoveAll(dir)
		} else if report != nil {
			report.Folder = dir
		}
	}()
	if err := r.setUp(ctx); err != nil {
		return nil, err
	}
	r.began = time.Now()
	watching, stop := context.WithCancel(ctx)
	watched := make(chan struct{})
	go func() { defer close(watched); r.watch(watching) }()
	err = r.follow(ctx, config.Plan())
	if err == nil {
		err = r.settle(ctx)
	}
	stop()
	<-watched
	if err != nil {
		return nil, err
	}
	return r.report, r.judge(ctx)
}

// setUp writes everybody's files and starts them: issuers, switch, merchants.
func (r *run) setUp(ctx context.Context) error {
	var err error
	if r.ground, err = layOut(r); err != nil {
		return err
	}
	for _, name := range issuerNames() {
		if err := r.startPartner(ctx, name, "issuer", "--ledger"); err != nil {
			return err
		}
	}
	r.master = &master{stage: r.ground.stage, report: r.report}
	if err := r.master.start(ctx); err != nil {
		return err
	}
	for _, name := range merchantNames() {
		if err := r.startPartner(ctx, name, "pos", "--receipts"); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) startPartner(ctx context.Context, name, role, book string) error {
	child, err := process.Start(ctx, name, r.Program, "sim", role, "--file",
		r.ground.stage.File(name+".yaml"), book, r.book(name))
	if err == nil {
		r.partners[name] = child
		child.Mute()
	}
	return err
}

// close ends what is left, each of them a child of ours.
func (r *run) close() {
	for _, child := range r.partners {
		child.Kill()
	}
	if r.master != nil && r.master.child != nil {
		r.master.child.Kill()
	}
	if r.ground != nil {
		r.ground.close()
	}
}
