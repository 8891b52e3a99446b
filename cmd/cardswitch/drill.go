package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"cardswitch/conformance/lab"
)

func newDrillCommand() *cobra.Command {
	command := group("drill", "Practise failures, and measure for how long nobody is served",
		newDrillNodeCommand(), newDrillLinkCommand(), newDrillRestoreCommand(),
		newDrillNetworkCommand(), newDrillDiskCommand(), newDrillSiteCommand(),
		newDrillHistoryCommand(), newDrillShowCommand(), newDrillCalendarCommand(),
		newDrillLabCommand())
	command.Long = drillHelp
	return command
}

const drillHelp = `Practises failures on the running cluster, under its traffic: looks first whether
all is well (--dry-run only looks), does the fault, ends it, and prints a report: when it was
noticed, when the first transaction was answered again, what became of those in doubt, whether
the nodes' journals agree, and what to do. It is ended early, and undone, on bad signs.

Order a drill at a data node that isn't the active one: what is measured is what its journal
takes, by its clock, some milliseconds after the active node has sent the answer. Each needs a
reason, which is kept with it and in the audit logs of both nodes. "lab" alone hurts no cluster
but its own.`

func newDrillLabCommand() *cobra.Command {
	config := lab.Config{}
	command := &cobra.Command{
		Use:   "lab",
		Short: "Run three nodes on this machine and hurt the active one, time after time",
		Long: "Starts a cluster of three nodes with its merchants and issuers on this machine, each\n" +
			"node in a network namespace of its own where that can be had (as root, with ip), and\n" +
			"while money moves does to the active node, on a cluster that is whole:\n\n" +
			"  kill, kill twice   the process ends at once; so does the one that takes over\n" +
			"  stop               it stands still, and goes on when another one has taken over\n" +
			"  cut                nothing passes between it and the other nodes\n" +
			"  deafened, muted    nothing of them comes to it, or nothing of it to them\n" +
			"  transfer, drain    an operator has another node lead, or ends it in order\n" +
			"  rekey              another leads while the merchants get new keys\n" +
			"  full, stalled      its disk has no free space, or answers no write (as root, on a small\n" +
			"                     disk of its own)\n" +
			"  practise           the drills that operators order, each at another node; alone also that\n" +
			"                     of another site's node, which there is then\n" +
			"  upgrade            all nodes begin as those of an older program (--old); one by one\n" +
			"                     they become this program's, the older one's again, and this one's\n" +
			"  restart            one node alone starts anew (see restart); a run of its own\n\n" +
			"With --only site all three are killed at once, and a fourth at another site is promoted by\n" +
			"two people (as root, and as the user daemon). Then the lost machines come back: the old\n" +
			"nodes must stop by themselves; as new ones they join, one of them takes over, and the other\n" +
			"site follows again (fail-back), all with the operator's commands while money moves. At last\n" +
			"the window that a lost disk lists is compared with what merchants and issuers have.\n\n" +
			"With --shards each issuer has a journal and an active node of its own; the first one's is\n" +
			"hurt, and the other should go on.\n\n" +
			"For each it prints the longest time within which no merchant got an issuer's answer.\n" +
			"At the end the merchants' receipts, each node's journal and the issuers' postings are\n" +
			"compared, transaction by transaction. Exit code 1 if anything is lost, double,\n" +
			"unexplained or still owed, or if an upgrade or a restart declined anything.",
		Example: "  cardswitch drill lab --kills 20\n  cardswitch drill lab --kills 3 --only kill\n" +
			"  cardswitch drill lab --only upgrade --old /usr/local/bin/cardswitch-before",
		Args: cobra.NoArgs,
	}
	flags := command.Flags()
	kills := flags.Int("kills", 5, "how often the active node is killed")
	only := flags.StringSlice("only", nil, "only these, as kill,cut (default all)")
	flags.StringVar(&config.Old, "old", "", "an older program, for upgrade")
	flags.Float64Var(&config.Rate, "rate", 300, "transactions a second")
	flags.Uint64Var(&config.Seed, "seed", rand.Uint64N(1_000_000), "of the partners' choices")
	flags.StringVar(&config.Dir, "dir", os.TempDir(), "where the folder of the run is made")
	flags.BoolVar(&config.Keep, "keep", false, "leave the folder, also if all went well")
	flags.BoolVar(&config.Shards, "shards", false, "a shard for each issuer, active at two nodes")
	flags.BoolVar(&config.Cold, "cold", false, "no connections to issuers are kept ready (warm)")
	flags.BoolVar(&config.Loopback, "loopback", false, "no namespaces; nobody can be cut off then")
	command.RunE = func(command *cobra.Command, _ []string) error {
		var err error
		if config.Plan, err = lab.Plan(*kills, *only); err != nil {
			return wrongUsage(err.Error(), "see `cardswitch drill lab --help`")
		}
		return drilled(command, config)
	}
	return command
}

func drilled(command *cobra.Command, config lab.Config) error {
	if err := config.Validate(); err != nil {
		return wrongUsage(err.Error(), "see `cardswitch drill lab --help`")
	}
	var err error
	if config.Program, err = os.Executable(); err != nil {
		return failed(err, "start the program by its full path")
	}
	config.Progress = command.ErrOrStderr()
	report, err := lab.Run(command.Context(), config)
	switch {
	case command.Context().Err() != nil:
		return failed(errors.New("ended before the books could be compared"), "")
	case err != nil && report == nil:
		return failed(err, "")
	case err != nil:
		return failed(err, fmt.Sprintf("what is left is in %s", report.Folder))
	}
	return printDrilled(command, report)
}

func printDrilled(command *cobra.Command, r *lab.Report) error {
	if wantsJSON(command) {
		if err := printJSON(command, r); err != nil {
			return err
		}
	} else if err := printLab(command, r); err != nil {
		return err
	}
	if !r.Clean() {
		return failed(errors.New("the cluster didn't hold"),
			fmt.Sprintf("what is left is in %s; --seed %d", r.Folder, r.Seed))
	}
	fmt.Fprintln(command.ErrOrStderr(), "the books agree: nothing lost, double or unexplained")
	return nil
}

// printSite tells of the loss of a site, if there was one.
func printSite(t *table, s *lab.SiteLoss) {
	if s == nil {
		return
	}
	t.row("site", fmt.Sprintf("the other one answers %s after the second person's word",
		s.Back.Round(time.Millisecond)))
	t.row("window", fmt.Sprintf("%d records, %d transactions; %d were missing to partners, %d "+
		"of them not listed", s.Records, s.Listed, s.Missing, len(s.Outside)))
	t.row("taken in", fmt.Sprintf("%d, %d in doubt", s.Taken, s.Doubtful))
	for _, what := range slices.Concat(s.Failed, s.Outside) {
		t.row("not in order", what)
	}
	if b := s.Home; b != nil {
		t.row("fail-back", fmt.Sprintf("its machines had all within %s, served %s after the command, "+
			"and the other site followed again within %s in all", b.Joined.Round(time.Millisecond),
			b.Handed.Round(time.Millisecond), b.Whole.Round(time.Millisecond)))
	}
}

func printLab(command *cobra.Command, r *lab.Report) error {
	t := newTable(command, "FAULT", "TIMES", "MEDIAN", "WORST", "P99 OF ANSWERS", "DECLINED")
	round := func(d time.Duration) string { return d.Round(time.Millisecond).String() }
	for _, s := range r.Summaries() {
		t.row(string(s.Kind), s.Times, round(s.Median), round(s.Worst), round(s.P99), s.Declined)
	}
	if err := t.flush(); err != nil {
		return err
	}
	t = newTable(command)
	for _, why := range r.Cannot {
		t.row("not possible here", why)
	}
	t.row("transactions", r.Count.Transactions)
	t.row("receipts", money(r.Count.Receipts))
	t.row("journal", money(r.Count.Switch))
	t.row("issuers", money(r.Count.Issuers))
	t.row("lost", r.Lost)
	t.row("double", r.Double)
	t.row("unexplained", r.Unexplained)
	t.row("owed", r.Owed)
	t.row("taken of an older term", fmt.Sprintf("%d of %d messages, through term %s",
		r.Terms.Older, r.Terms.Messages, termsText(r.Terms)))
	t.row("refused", r.Refused)
	printSite(t, r.Site)
	for _, d := range r.Count.Differences[:min(shownDifferences, len(r.Count.Differences))] {
		t.row(d.Kind, d.RRN+": "+d.Why)
	}
	for _, what := range append(r.Journals, r.Died...) {
		t.row("not in order", what)
	}
	return t.flush()
}
