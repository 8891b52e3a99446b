package main

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	"github.com/spf13/cobra"

	"cardswitch/conformance/chaos"
)

// newCrashCommand is `make crash`: it is for those who build the switch, so help doesn't list it.
func newCrashCommand() *cobra.Command {
	config := chaos.Config{Lanes: 4, Outstanding: 16}
	mode := newChoice(string(chaos.Both), string(chaos.Kill), string(chaos.Cut))
	command := &cobra.Command{
		Use:    "crash",
		Hidden: true,
		Short:  "Kill the switch and cut its links under load, then compare the books",
		Long: "Kills the switch as often and as fast as it starts, at full load, thousands of times:\n" +
			"this is about recovery. `cardswitch torture` hurts everything there is.",
		Example: "  cardswitch crash --cycles 1000\n  cardswitch crash --cycles 200 --mode cut",
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			var err error
			if config.Program, err = os.Executable(); err != nil {
				return failed(err, "start the program by its full path")
			}
			config.Mode = chaos.Mode(mode.value)
			config.Progress = command.ErrOrStderr()
			report, err := chaos.Run(command.Context(), config)
			if err != nil {
				return failed(err, fmt.Sprintf("seed %d", config.Seed))
			}
			return printCrash(command, report)
		},
	}
	flags := command.Flags()
	flags.IntVar(&config.Cycles, "cycles", 100, "how often something breaks")
	flags.Var(mode, "mode", "what breaks: the switch, its links, both")
	flags.StringVar(&config.Dir, "dir", os.TempDir(), "where the data folder is made")
	flags.BoolVar(&config.Keep, "keep", false, "leave the data folder for a look")
	flags.IntVar(&config.Lanes, "connections", config.Lanes, "connections of the merchant")
	flags.IntVar(&config.Outstanding, "outstanding", config.Outstanding, "sales in flight on each")
	flags.Uint64Var(&config.Seed, "seed", rand.Uint64N(1_000_000), "of the random choices")
	return command
}

func printCrash(command *cobra.Command, r chaos.Report) error {
	if wantsJSON(command) {
		if err := printJSON(command, r); err != nil {
			return err
		}
	} else {
		t := newTable(command)
		t.row("broken", fmt.Sprintf("%d kills, %d cuts in %s (seed %d)",
			r.Kills, r.Cuts, r.Elapsed.Round(time.Second), r.Seed))
		t.row("start", fmt.Sprintf("p50 %s, max %s to the first answer",
			r.StartP50.Round(time.Millisecond), r.StartMax.Round(time.Millisecond)))
		t.row("sales", fmt.Sprintf("%d: %d approved, %d declined, %d refused, %d taken back",
			r.Transactions, r.Approved, r.Declined, r.Refused, r.TakenBack))
		t.row("undone", fmt.Sprintf("%d postings reversed, %d reversals ahead of their original, "+
			"%d twice", r.Reversed, r.Ahead, r.Again))
		t.row("repeats", r.Repeats)
		t.row("lost", r.Lost)
		t.row("double", r.Double)
		t.row("unexplained", r.Unexplained)
		t.row("other", fmt.Sprintf("%d changed answers, %d mismatched, %d unknown, %d collisions, "+
			"%d malformed", r.Changed, r.Mismatched, r.Unknown, r.Collisions, r.Malformed))
		t.row("unfinished", fmt.Sprintf("%d unanswered, %d owed, %d on the work list",
			r.Unanswered, r.Owed, r.Shelved))
		t.row("journal", cmp.Or(r.Journal, "whole"))
		for _, example := range r.Examples {
			t.row("", example)
		}
		if err := t.flush(); err != nil {
			return err
		}
	}
	if !r.Clean() {
		return failed(fmt.Errorf("the books don't agree after %d kills and %d cuts", r.Kills, r.Cuts),
			fmt.Sprintf("run it again with --seed %d --keep", r.Seed))
	}
	return nil
}
