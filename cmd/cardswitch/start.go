package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"runtime/pprof"
	"syscall"

	"github.com/spf13/cobra"

	"cardswitch/dr/replica"
	"cardswitch/store/audit"
	cardswitch "cardswitch/switch"
)

func newStartCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "start",
		Short: "Run the switch",
		Long: "Runs the switch until SIGTERM or Ctrl-C: then it takes nothing new, finishes what is\n" +
			"in flight and signs off; a second signal ends it at once. SIGHUP reads the\n" +
			"configuration again: centers, links, rules and routes change while it runs, and a\n" +
			"configuration with a fault changes nothing. SIGUSR2 starts it anew, see restart.",
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error { return start(command) },
	}
	addSettings(command.Flags())
	command.Flags().String("cpuprofile", "", "write a CPU profile to this file")
	command.Flags().Bool("debuggable", false,
		"let debuggers and core files see the memory, with its keys and cards; for tests only")
	return command
}

func start(command *cobra.Command) error {
	next, err := newNext(command)
	if err != nil {
		return err
	}
	if err := serve(command, next); !errors.Is(err, errRestart) {
		return err
	}
	return failed(next.exec(), "start it by hand; nothing is lost")
}

func serve(command *cobra.Command, next *next) (err error) {
	l, err := loadValid(command.Flags())
	if err != nil {
		return err
	}
	if l.Cluster != nil && l.Cluster.Shard != "" {
		return wrongUsage("a node runs all shards", "leave --shard out; `cluster transfer` moves one")
	}
	next.only(listened(&l.Config))
	log := newLogger(command.ErrOrStderr(), l.Log)
	signals, deaf := hear()
	defer deaf()
	letBackgroundWait()
	debuggable, _ := command.Flags().GetBool("debuggable")
	switch {
	case debuggable && l.Production:
		return wrongUsage("--debuggable is not for production", "leave it out")
	case !debuggable:
		if err := sealOff(); err != nil {
			return failed(err, "does the system forbid prctl? --debuggable starts without, for tests")
		}
	}
	stopProfile, err := startProfile(command)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stopProfile()) }()
	again := func() (cardswitch.Config, error) {
		again, err := loadValid(command.Flags())
		if err != nil {
			return cardswitch.Config{}, err
		}
		return again.Config, checkFiles(again)
	}
	// A standby reads the files now, not when it must take over.
	if err := checkFiles(l); l.Cluster != nil && err != nil {
		return &failure{Code: exitUsage, What: err}
	}
	deps := cardswitch.Deps{Log: log, Listen: next.listen}
	for {
		n, err := newProgram(command.Context(), l.Config, deps, again, next)
		if errors.Is(err, errStopped) {
			log.Info("cardswitch ends", "because", errStopped)
			return nil
		}
		if err != nil {
			return err
		}
		build := buildInfo()
		log.Info("cardswitch starts", "node", l.Node, "version", build.Version,
			"revision", build.Revision, "config", l.file, "socket", l.Admin.Socket)
		err = untilStopped(command.Context(), n, log, signals, next)
		if !startsAnew(err) {
			return err
		}
		log.Info("the node starts anew", "because", err)
	}
}

// startsAnew tells whether a node has ended only to begin with another journal, or in another part.
func startsAnew(err error) bool {
	return errors.Is(err, replica.ErrReplaced) || errors.Is(err, errPromoted) ||
		errors.Is(err, errAdopted)
}

// hear takes signals from the beginning: a SIGHUP would end a switch that still starts.
func hear() (signals chan os.Signal, deaf func()) {
	signals = make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGUSR2)
	return signals, func() { signal.Stop(signals) }
}

// leastProcessors is how many threads Go may run at once even where there are fewer cores.
const leastProcessors = 6

// letBackgroundWait leaves the choice between the path and the journal's background work to the
// kernel. With two threads on two cores Go gave each of two compactions slices of 10 ms, and the
// transactions waited; the kernel prefers who has just been woken. Measured at half the peak on two
// cores: p99 23 to 58 ms instead of 80 to 110 ms.
func letBackgroundWait() {
	if os.Getenv("GOMAXPROCS") == "" && runtime.GOMAXPROCS(0) < leastProcessors {
		runtime.GOMAXPROCS(leastProcessors)
	}
}

// untilStopped runs the node and hears signals and systemd meanwhile.
func untilStopped(ctx context.Context, n program, log *slog.Logger,
	signals <-chan os.Signal, next *next) error {
	ctx, drain := context.WithCancel(ctx)
	defer drain()
	asked := false // Ctrl-C also ends ctx, so only signals are counted
	restarts := false
	systemd := newNotifier()
	watched, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	go systemd.watch(watched, func() bool { return n.alive() }) // also while it drains
	ended := make(chan error, 1)
	go func() { ended <- n.run(ctx) }()
	tell(log, systemd.say("READY=1"))
	for {
		select {
		case err := <-ended:
			if restarts && err == nil {
				return errRestart
			}
			return err
		case handOver := <-next.orders:
			if !asked {
				log.Info("draining, to start anew")
				tell(log, systemd.reloading())
				asked, restarts = true, true
				handOver()
				drain()
			}
		case s := <-signals:
			switch {
			case s == syscall.SIGHUP:
				reload(n, log, systemd)
			case s == syscall.SIGUSR2:
				orderRestart(n, log)
			case asked:
				return failed(errors.New("stopped before it was drained"),
					"what was open is answered and reversed at the next start")
			default:
				log.Info("draining", "signal", s.String(), "again", "ends at once")
				tell(log, systemd.say("STOPPING=1"))
				asked = true
				drain()
			}
		}
	}
}

func reload(n program, log *slog.Logger, systemd notifier) {
	tell(log, systemd.reloading())
	err := n.tell(context.Background(), audit.ConfigChanged, audit.Done, "reload", "SIGHUP")
	if err == nil {
		if err = n.reconfigure(); err != nil {
			tell(log, n.tell(context.Background(), audit.ConfigChanged, audit.Failed, "reload", "SIGHUP"))
		}
	}
	if err != nil {
		log.Error("the new configuration was refused, the old one stays", "error", err)
	} else {
		log.Info("configuration reloaded")
	}
	tell(log, systemd.say("READY=1"))
}

// orderRestart is what SIGUSR2 does.
func orderRestart(n program, log *slog.Logger) {
	ctx := context.Background()
	err := n.tell(ctx, audit.ConfigChanged, audit.Done, "restart", "SIGUSR2")
	if err == nil {
		err = n.Restart(ctx)
	}
	if err != nil {
		log.Error("no restart", "error", err)
	}
}

func tell(log *slog.Logger, err error) {
	if err != nil {
		log.Warn("systemd can't be told", "error", err)
	}
}

// startProfile begins a CPU profile if one is wanted.
func startProfile(command *cobra.Command) (stop func() error, err error) {
	name, _ := command.Flags().GetString("cpuprofile")
	if name == "" {
		return func() error { return nil }, nil
	}
	file, err := os.Create(name)
	if err != nil {
		return nil, fmt.Errorf("--cpuprofile: %w", err)
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		return file.Close()
	}, nil
}
