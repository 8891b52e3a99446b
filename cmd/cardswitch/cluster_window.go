package main

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	cardswitch "cardswitch/switch"
)

func newClusterWindowCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "window --data DIR [--take --why TEXT]",
		Short: "List what a lost site did that the promoted one doesn't have, from its disk",
		Long: "Asked of the active node of a promoted site, once a disk of the lost one is found. DIR\n" +
			"is the data folder of one of its data nodes, or a copy, where this node's process can\n" +
			"read it; it is only read, and no process may run on it. Lists each transaction that is\n" +
			"only there: what became of it there, what is known of it here, and what is to be done.\n\n" +
			"With --take it is done: what was approved there comes into the books here, so that its\n" +
			"repeat gets the first answer; what was open is answered and reversed, as after a restart;\n" +
			"what the lost site still owed is owed by this one. What is in doubt, because this site has\n" +
			"decided otherwise meanwhile, comes onto the work list (`cardswitch worklist list`). A\n" +
			"second time, and with the disk of another node of the site, does nothing twice.",
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error { return showWindow(command) },
	}
	flags := command.Flags()
	flags.String("data", "", "data folder of a lost data node")
	flags.Bool("take", false, "do what is to be done")
	flags.String("why", "", "the reason, kept in journal and audit log")
	_ = command.MarkFlagRequired("data") // fails only for a flag that isn't there
	_ = command.MarkFlagDirname("data")
	return command
}

func showWindow(command *cobra.Command) error {
	dir, _ := command.Flags().GetString("data")
	take, _ := command.Flags().GetBool("take")
	why, _ := command.Flags().GetString("why")
	if take && why == "" {
		return wrongUsage("--take needs --why", "say in a sentence why it is taken in")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	c, err := newClient(command)
	if err != nil {
		return err
	}
	order := struct {
		Dir  string `json:"dir"`
		Take bool   `json:"take"`
		Why  string `json:"why"`
	}{dir, take, why}
	var w cardswitch.Window
	if err := c.post(command.Context(), "/v1/window", order, &w); err != nil {
		return err
	}
	if wantsJSON(command) {
		return printJSON(command, w)
	}
	return printWindow(command, &w)
}

func printWindow(command *cobra.Command, w *cardswitch.Window) error {
	if len(w.Transactions) == 0 {
		return printWindowSum(command, w)
	}
	t := newTable(command, "THERE", "AT", "CENTER", "ISSUER", "MTI", "CARD", "AMOUNT", "RRN",
		"BECAME THERE", "HERE", "TO DO", "NOW")
	for i := range w.Transactions {
		l := &w.Transactions[i]
		taken := ""
		if l.Taken != 0 {
			taken = fmt.Sprint(l.Taken)
		}
		t.row(l.Txn, l.At.Format(time.StampMilli), l.Center, l.Issuer, l.MTI, l.PAN, l.Amount, l.RRN,
			l.There, l.Here, l.Act, taken)
	}
	if err := t.flush(); err != nil {
		return err
	}
	fmt.Fprintln(command.OutOrStdout())
	return printWindowSum(command, w)
}

func printWindowSum(command *cobra.Command, w *cardswitch.Window) error {
	t := newTable(command)
	t.row("in common", fmt.Sprintf("through record %d", w.Common))
	t.row("only there", fmt.Sprintf("%s, through %d: %s", many(w.Records, "record"), w.Last,
		many(len(w.Transactions), "transaction")))
	for _, kind := range slices.Sorted(maps.Keys(w.Others)) {
		t.row("besides", fmt.Sprintf("%d of kind %q, which aren't taken in", w.Others[kind], kind))
	}
	t.row("in doubt", w.Doubtful)
	t.row("taken in now", w.Taken)
	return t.flush()
}
