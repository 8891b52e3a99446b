package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"
	"golang.org/x/term"

	"cardswitch/cmd/cardswitch/demo"
	"cardswitch/conformance/count"
	"cardswitch/hsm/keyring"
	cardswitch "cardswitch/switch"
)

func newDemoCommand() *cobra.Command {
	var o demo.Options
	command := &cobra.Command{
		Use:   "demo",
		Short: "Show a switch at work between two merchants and three issuers",
		Long: "Starts a switch with its own configuration and data folder, two simulated merchants\n" +
			"and three simulated issuers with a primary and a standby link each, and shows them at\n" +
			"work. Now and then a primary link is cut: watch the standby take over; or both links of an\n" +
			"issuer: watch stand-in decide, and tell the issuer when it is back. Now and then a\n" +
			"link's key is changed: watch its generation; or an issuer's business day ends: watch its\n" +
			"totals agree. At the end the money is counted\n" +
			"three ways: merchants' receipts, journal, issuers' ledgers.",
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error { return runDemo(command, o) },
	}
	flags := command.Flags()
	flags.Float64Var(&o.Rate, "rate", 60, "transactions a second")
	flags.DurationVar(&o.CutEvery, "cut-every", 20*time.Second, "between cuts of a link; 0: never")
	flags.DurationVar(&o.CutFor, "cut-for", 7*time.Second, "how long a link stays cut")
	flags.DurationVar(&o.DayEvery, "day-every", 12*time.Second,
		"between ends of business days; 0: never")
	flags.DurationVar(&o.ChangeEvery, "change-every", 5*time.Second,
		"between changes of link keys; 0: never")
	flags.Uint64Var(&o.Seed, "seed", rand.Uint64N(1_000_000), "of the simulators' choices")
	flags.Duration("duration", 0, "end after this time (default: q or Ctrl-C)")
	flags.String("data", "", "keep the data in this folder (default: a temporary one)")
	flags.Bool("plain", false, "print lines even on a terminal")
	return command
}

// runDemo sets the stage and clears it afterwards.
func runDemo(command *cobra.Command, o demo.Options) (err error) {
	dir, keep, err := demoFolder(command)
	if err != nil {
		return failed(err, "name another folder with --data")
	}
	if !keep {
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	config, err := demoConfig(dir)
	if err != nil {
		return err
	}
	logFile, err := os.Create(filepath.Join(dir, "cardswitch.log"))
	if err != nil {
		return err
	}
	defer logFile.Close()
	o.Log = newLogger(logFile, config.Log)
	d := &demonstration{command: command, config: config}
	return d.run(o)
}

func demoFolder(command *cobra.Command) (dir string, keep bool, err error) {
	name, _ := command.Flags().GetString("data")
	if name == "" {
		dir, err = os.MkdirTemp("", "cardswitch-demo-")
		return dir, false, err
	}
	if dir, err = filepath.Abs(name); err == nil {
		err = os.MkdirAll(dir, 0o750)
	}
	return dir, true, err
}

// demoConfig reads the demo's own configuration, whatever the environment says of another.
func demoConfig(dir string) (cardswitch.Config, error) {
	config := cardswitch.Defaults()
	name, err := demo.WriteStage(dir)
	if err != nil {
		return config, err
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return config, err
	}
	if err := yaml.Unmarshal(text, &config); err != nil {
		return config, err
	}
	config.Dir = dir
	config.Data.Dir = filepath.Join(dir, "data")
	config.Data.KeyFile = filepath.Join(dir, "data.key")
	config.Admin.Socket = filepath.Join(dir, "admin.sock")
	config.Complete()
	return config, config.Validate()
}

// demonstration is the switch, its town, and whoever shows them.
type demonstration struct {
	command *cobra.Command
	config  cardswitch.Config
	node    *node
	town    *demo.Town
	client  *client
	screen  *demo.Screen // nil: plain lines
	plain   *demo.Plain
	began   time.Time

	mu       sync.Mutex
	snapshot demo.Snapshot
}

func (d *demonstration) run(o demo.Options) error {
	ctx, leave := context.WithCancel(d.command.Context())
	defer leave()
	if duration, _ := d.command.Flags().GetDuration("duration"); duration > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, duration)
		defer stop()
	}
	// The parts outlive the wish to leave: what is in flight comes to its end first.
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	o.Event = d.happened
	o.ChangeKey = func(ctx context.Context, slot keyring.Slot) error {
		return d.node.active.Load().ChangeKey(ctx, keyring.By{Who: "the town", Role: "the demo",
			Why: "to watch"}, slot)
	}
	var err error
	if d.town, err = demo.Build(life, d.config, o); err != nil {
		return err
	}
	defer d.town.Close()
	deps := cardswitch.Deps{Log: o.Log, Listen: d.town.Listen, Dial: d.town.Dial}
	same := func() (cardswitch.Config, error) { return d.config, nil }
	if d.node, err = newNode(ctx, d.config, deps, same, nil); err != nil {
		return err
	}
	if err := d.town.Enroll(ctx, d.node.active.Load().keys.Ring); err != nil {
		return err
	}
	d.client = clientOf(d.config.Admin.Socket)
	d.began = time.Now()
	d.snapshot.Socket = d.config.Admin.Socket
	switching, stopSwitch := context.WithCancel(life)
	switched := make(chan error, 1)
	go func() { switched <- d.node.run(switching) }()
	report, err := d.show(ctx, leave)
	stopSwitch()
	if err = errors.Join(err, <-switched); err != nil {
		return err
	}
	return d.printMoney(report)
}

// show trades in front of a screen or plain lines until ctx ends, then counts the money.
func (d *demonstration) show(ctx context.Context, leave func()) (*count.Report, error) {
	watching, stopWatching := context.WithCancel(context.WithoutCancel(ctx))
	var parts sync.WaitGroup
	defer parts.Wait()
	defer stopWatching()
	out := d.command.OutOrStdout()
	plain, _ := d.command.Flags().GetBool("plain")
	if isTerminal(out) && isTerminal(d.command.InOrStdin()) && !plain {
		d.screen = demo.NewScreen(watching, d.command.InOrStdin(), out, leave)
		parts.Go(func() {
			if err := d.screen.Run(); err != nil {
				leave()
			}
		})
		defer d.screen.Close()
	} else {
		d.plain = demo.NewPlain(out)
	}
	if err := d.town.Open(ctx); err != nil && ctx.Err() == nil {
		return nil, err
	}
	parts.Go(func() { d.watch(watching) })
	parts.Go(func() { d.follow(watching) })
	err := d.town.Trade(ctx)
	d.settle(watching)
	d.town.Leave()
	report, countErr := d.count()
	return report, errors.Join(err, countErr)
}

func (d *demonstration) happened(text string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.snapshot.Happened(time.Since(d.began), text)
	if d.plain != nil {
		d.plain.Event(d.snapshot.Events[len(d.snapshot.Events)-1])
	}
}

func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// printMoney is the last word of the demo; if the books disagree, it failed.
func (d *demonstration) printMoney(report *count.Report) error {
	out := d.command.OutOrStdout()
	write := report.Write
	if wantsJSON(d.command) {
		write = report.JSON
	}
	if err := write(out); err != nil {
		return err
	}
	if !report.OK() {
		return failed(errors.New("the money doesn't agree"),
			"run it again with --data, then look at the reference numbers above in the journal")
	}
	return nil
}
