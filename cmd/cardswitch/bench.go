package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"cardswitch/conformance/load/bench"
)

// newBenchCommand measures this program on this machine.
func newBenchCommand() *cobra.Command {
	var o bench.Options
	var file string
	var hold bool
	command := &cobra.Command{
		Use:   "bench",
		Short: "Measure the switch on this machine, beside a plain moov-based one",
		Long: `Measure the switch on this machine: load generator, switch and issuers as processes
of their own on loopback, the journal durable on disk. Every link of
the switch is in an envelope, as in production; the moov-based one has none. Loads, in this order:
4x512 (4 connections with 512 requests outstanding each), 64x8, 1x1, open (a fixed
rate, half of what 4x512 reached), then the moov-based switch at 4x512 and 64x8. With --nodes
so many nodes of one cluster run on this machine and its one disk, to see what they cost.`,
		Example: "  cardswitch bench --only 4x512 --duration 3s\n  cardswitch bench --runs 3 --assert",
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			var err error
			if o.Program, err = os.Executable(); err != nil {
				return failed(err, "start the program by its full path")
			}
			o.Progress = command.ErrOrStderr()
			result, err := bench.Run(command.Context(), o)
			if err != nil {
				return failed(err, "see the message of the part that failed")
			}
			return report(command, result, file, hold)
		},
	}
	flags := command.Flags()
	flags.DurationVar(&o.Duration, "duration", 10*time.Second, "measured time of each run")
	flags.DurationVar(&o.WarmUp, "warm-up", 3*time.Second, "load before the measured time")
	flags.IntVar(&o.Runs, "runs", 1, "runs of each load; the median counts")
	flags.StringSliceVar(&o.Only, "only", nil, "loads to run, as 4x512,moov/64x8 (default all)")
	flags.IntVar(&o.Rate, "rate", 0, "requests a second of the open loop (default half the peak)")
	flags.StringVar(&o.Dir, "dir", os.TempDir(), "folder for the journals, on the disk to measure")
	flags.StringVar(&o.Profile, "profile", "", "folder for CPU profiles of the switch")
	flags.BoolVar(&o.Plain, "plain", false, "links without envelopes, to see what those cost")
	flags.IntVar(&o.Nodes, "nodes", 0, "measure a cluster of so many nodes too, at 4x512")
	flags.StringVar(&file, "json", "bench.json", `file for the result, "" for none`)
	flags.BoolVar(&hold, "assert", false, "fail if an aim is missed")
	command.AddCommand(newBenchPartCommand())
	return command
}

// newBenchPartCommand is what bench starts as the other processes.
func newBenchPartCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "part NAME ORDER",
		Hidden: true,
		Args:   cobra.ExactArgs(2),
		RunE: func(command *cobra.Command, args []string) error {
			return bench.Part(command.Context(), args[0], args[1],
				command.InOrStdin(), command.OutOrStdout())
		},
	}
}

// report prints the result. Wrong money always fails; a missed aim only if that was asked for.
func report(command *cobra.Command, result bench.Result, file string, hold bool) error {
	if file != "" {
		if err := result.Write(file); err != nil {
			return failed(err, "choose another file with --json")
		}
	}
	if wantsJSON(command) {
		if err := printJSON(command, result); err != nil {
			return err
		}
	} else if err := result.Print(command.OutOrStdout()); err != nil {
		return err
	}
	if wrong := result.WrongMoney(); len(wrong) > 0 {
		return failed(fmt.Errorf("the money doesn't agree:\n%s", strings.Join(wrong, "\n")),
			"this is a defect of the switch or of the bench")
	}
	if missed := result.Missed(); hold && len(missed) > 0 {
		return failed(errors.New(strings.Join(missed, "\n")), "is the machine doing something else?")
	}
	return nil
}
