package main

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"cardswitch/conformance/count"
	"cardswitch/conformance/torture"
)

func newTortureCommand() *cobra.Command {
	config := torture.Config{}
	var kinds []string
	command := &cobra.Command{
		Use:   "torture",
		Short: "Hurt a switch with its partners while money moves, then compare the books",
		Long: "Starts a switch, two issuers and two merchants as processes of their own, with a proxy\n" +
			"in each link, and hurts them while they trade:\n\n" +
			"  kill, twice, restart    the switch dies, also in its recovery, or is asked to end\n" +
			"  stop, freeze            the switch, or a partner, stands still\n" +
			"  reload, rekey           the switch reads its configuration again, a link gets a new key\n" +
			"  cutover                 a business day of an issuer ends\n" +
			"  away                    an issuer signs off, drops its links, or reads nothing\n" +
			"  torn, full, slow        its disk ends in the middle of a write, is nearly full, is busy\n" +
			"  cut, refuse             a link is reset, and for a while nobody gets through\n" +
			"  hold, swallow, trickle  a link stands, loses what is sent, or lets little through\n\n" +
			"Then all faults stop, what is owed is delivered, and the merchants' receipts, the journal\n" +
			"and the issuers' postings are compared, transaction by transaction. The plan of faults is\n" +
			"drawn from the seed: the same seed hurts the same at the same times. Exit code 1 if\n" +
			"anything is lost, double, unexplained, in another day or still owed; then the folder of\n" +
			"the run stays.\n\n" +
			"`cardswitch crash` is about one fault only, deaths of the switch by the thousand.",
		Example: "  cardswitch torture --duration 10m\n  cardswitch torture --seed 4711 --plan",
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			for _, k := range kinds {
				config.Kinds = append(config.Kinds, torture.Kind(k))
			}
			return tortured(command, config)
		},
	}
	flags := command.Flags()
	flags.DurationVar(&config.Duration, "duration", time.Minute, "how long things go wrong")
	flags.Float64Var(&config.Rate, "rate", 200, "transactions a second")
	flags.Uint64Var(&config.Seed, "seed", rand.Uint64N(1_000_000), "of the plan and all choices")
	flags.StringSliceVar(&kinds, "faults", nil, "only these, as kill,cut (default all)")
	flags.StringVar(&config.Dir, "dir", os.TempDir(), "where the folder of the run is made")
	flags.BoolVar(&config.Keep, "keep", false, "leave the folder, also if the books agree")
	flags.StringVar(&config.Lie, "lie", "",
		"make the issuers' books wrong (drop, double, change): it must be found")
	flags.Bool("plan", false, "only print the plan of faults")
	return command
}

func tortured(command *cobra.Command, config torture.Config) error {
	if err := config.Validate(); err != nil {
		return wrongUsage(err.Error(), "see `cardswitch torture --help`")
	}
	if plan, _ := command.Flags().GetBool("plan"); plan {
		if wantsJSON(command) {
			return printJSON(command, config.Plan())
		}
		return torture.Write(command.OutOrStdout(), config.Plan())
	}
	var err error
	if config.Program, err = os.Executable(); err != nil {
		return failed(err, "start the program by its full path")
	}
	config.Progress = command.ErrOrStderr()
	config.Live = isTerminal(config.Progress)
	fmt.Fprintf(config.Progress, "seed %d: %d faults in %s\n", config.Seed, len(config.Plan()),
		config.Duration)
	report, err := torture.Run(command.Context(), config)
	switch {
	case command.Context().Err() != nil:
		return failed(errors.New("ended before the books could be compared"), "")
	case err != nil:
		return failed(err, fmt.Sprintf("run it again with --seed %d --keep", config.Seed))
	}
	return printTorture(command, report)
}

// shownDifferences is how many are printed; -o json has all.
const shownDifferences = 20

func printTorture(command *cobra.Command, r *torture.Report) error {
	if wantsJSON(command) {
		if err := printJSON(command, r); err != nil {
			return err
		}
	} else {
		t := newTable(command)
		var faults []string
		for _, k := range torture.Kinds() {
			if n := r.Faults[k]; n > 0 {
				faults = append(faults, fmt.Sprintf("%s %d", k, n))
			}
		}
		t.row("seed", r.Seed)
		t.row("faults", fmt.Sprintf("%d in %s: %s", r.Hurt(), r.Elapsed.Round(time.Second),
			strings.Join(faults, ", ")))
		for _, why := range r.Cannot {
			t.row("not possible here", why)
		}
		t.row("switch", fmt.Sprintf("%d starts, %d ends in the middle of a write, "+
			"%d because its disk failed, %d keys changed", r.Starts, r.Torn, r.Excused, r.Keys))
		t.row("transactions", r.Count.Transactions)
		t.row("receipts", money(r.Count.Receipts))
		t.row("journal", money(r.Count.Switch))
		t.row("issuers", money(r.Count.Issuers))
		t.row("business days", fmt.Sprintf("%d compared with the issuers' books, %d entries that "+
			"come to nothing with their reversals", r.Days, r.Paired))
		t.row("lost", r.Lost)
		t.row("double", r.Double)
		t.row("unexplained", r.Unexplained)
		t.row("owed", fmt.Sprintf("%d, and %d on the work list", r.Owed, r.Shelved))
		t.row("journal's chain", cmp.Or(r.Journal, "whole"))
		for _, d := range r.Count.Differences[:min(shownDifferences, len(r.Count.Differences))] {
			t.row(d.Kind, d.RRN+": "+d.Why)
		}
		for _, what := range r.OutOfDay[:min(shownDifferences, len(r.OutOfDay))] {
			t.row("business day", what)
		}
		for _, words := range append(r.Died, r.Stuck...) {
			t.row("the switch ended", words)
		}
		if err := t.flush(); err != nil {
			return err
		}
	}
	if !r.Clean() {
		return failed(errors.New("the center didn't hold"),
			fmt.Sprintf("what is left is in %s; the same faults: --seed %d", r.Folder, r.Seed))
	}
	fmt.Fprintln(command.ErrOrStderr(), "the books agree: nothing lost, double or unexplained")
	return nil
}

// money is one side of the count, in yen.
func money(s count.Sum) string {
	return fmt.Sprintf("%d sales of %d, %d returns of %d, %d holds of %d", s.Sales, s.SalesAmount,
		s.Returns, s.ReturnsAmount, s.Holds, s.HoldsAmount)
}
