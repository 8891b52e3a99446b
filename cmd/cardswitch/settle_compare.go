package main

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"

	"github.com/spf13/cobra"

	"cardswitch/store/total"
	cardswitch "cardswitch/switch"
	"cardswitch/switch/settle"
)

func kindNames() (names []string) {
	for k := total.Debit; k < total.Kinds; k++ {
		names = append(names, k.String())
	}
	return names
}

func newSettleCompareCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "compare --center NAME --day DAY --list FILE",
		Short: "Find the transactions that differ, in a listing of the center's book",
		Long: `Compare a day with a listing of the center's book and name each transaction that differs,
with its likely cause. What is found goes on the work list, see "settle worklist".

FILE is CSV with a line of names first, or JSON: a list of objects, or one a line; - is standard
input. mti, stan (DE 11 on the leg between the switch and the center), local_time (DE 12) and amount
must be there; processing (DE 3), original_mti (of a reversal), currency, day (DE 28), slice (DE 29)
and reference (DE 37) may be; others are passed over. Amounts are in the currency's smallest unit;
that of a partial reversal is what it takes back. No card number is needed, and none is kept.

  mti,stan,local_time,processing,amount
  1200,000123,261126101500,000000,12800
  1420,000124,261126101700,000000,12800`,
		Args: cobra.NoArgs,
		RunE: compareListing,
	}
	periodFlags(command)
	command.Flags().String("list", "", "file with the center's book; - is standard input")
	return command
}

func compareListing(command *cobra.Command, _ []string) error {
	path, query, err := periodPath(command)
	if err != nil {
		return err
	}
	name, _ := command.Flags().GetString("list")
	var listing io.Reader = command.InOrStdin()
	switch name {
	case "":
		return wrongUsage("--list is missing", "name a file with the center's book")
	case "-":
	default:
		f, err := os.Open(name)
		if err != nil {
			return failed(err, "name a file that can be read")
		}
		defer f.Close()
		listing = f
	}
	c, err := newClient(command)
	if err != nil {
		return err
	}
	var found cardswitch.Comparison
	err = c.do(command.Context(), http.MethodPost, path+"/compare", query, listing, &found)
	if err != nil {
		return err
	}
	if wantsJSON(command) {
		return printJSON(command, found)
	}
	return printComparison(command, &found)
}

func printComparison(command *cobra.Command, found *cardswitch.Comparison) error {
	out := command.OutOrStdout()
	for i := range found.Totals {
		t := &found.Totals[i]
		verdict := t.Explained
		if verdict == "" {
			verdict = "in balance"
		}
		if _, err := fmt.Fprintf(out, "%s %s, currency %03d: net %s with us, %s with them: %s\n",
			found.Center, found.Day, t.Currency, settle.Net(t.OursNet), settle.Net(t.TheirsNet),
			verdict); err != nil {
			return err
		}
	}
	if len(found.OutSlices) > 0 {
		fmt.Fprintf(out, "differences are in slice %s\n", listOf(found.OutSlices))
	}
	if len(found.Differences) == 0 {
		_, err := fmt.Fprintf(out, "no difference in %d transactions\n", found.Entries)
		return err
	}
	return printDifferences(command, found.Differences)
}

func printDifferences(command *cobra.Command, list []settle.Difference) error {
	t := newTable(command, "ID", "CENTER", "DAY", "CAUSE", "MTI", "STAN", "LOCAL TIME", "OURS",
		"THEIRS", "TXN", "LINE", "WHY")
	for i := range list {
		d := &list[i]
		t.row(d.ID, d.Center, d.Day, d.Cause, d.MTI, d.STAN, d.Local, d.Ours, d.Theirs, d.Txn, d.Line,
			d.Why)
	}
	return t.flush()
}

func newSettleWorklistCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "worklist",
		Short: "Show the differences that wait for a person",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return show(command, "/v1/settle/worklist", nil, printDifferences)
		},
	}
}

func newSettleResolveCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "resolve ID --why TEXT",
		Short: "Take a difference off the work list",
		Long:  "Take a difference off the work list. Who did it and why are kept in the journal.",
		Args:  cobra.ExactArgs(1),
		ValidArgsFunction: asked("/v1/settle/worklist",
			func(d *settle.Difference) string { return fmt.Sprint(d.ID) }),
		RunE: func(command *cobra.Command, args []string) error {
			return reasoned(command, "/v1/settle/worklist/"+url.PathEscape(args[0])+"/resolve")
		},
	}
	command.Flags().String("why", "", "the reason, kept in the journal")
	return command
}

func newSettleReportCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "report --day DAY",
		Short: "Show who owes whom for a business day",
		Long: `Show who owes whom for a business day, with the fees of the configuration: the position of
each party, and in csv and html also each issuer with each merchant center. A fee is a rate of the
net of sales and returns, rounded to the smallest unit, halves away from zero, and so much for each
sale and each return; the positions of a currency come to zero. html is a page to be printed.`,
		Args: cobra.NoArgs,
		RunE: printReport,
	}
	command.Flags().String("day", "", "business day, as 261126 or 2026-11-26")
	command.Flags().Var(newChoice("table", "csv", "html"), "format", "table, csv or html")
	completeFlag(command, "format", fixed("table", "csv", "html"))
	centerFlag(command, "of this center only")
	return command
}

func printReport(command *cobra.Command, _ []string) error {
	text, _ := command.Flags().GetString("day")
	day, err := settle.ParseDay(text)
	if err != nil {
		return wrongUsage("--day: "+err.Error(), "see `cardswitch settle status`")
	}
	path, query := "/v1/settle/report/"+day.String(), url.Values{}
	if center, _ := command.Flags().GetString("center"); center != "" {
		query.Set("center", center)
	}
	format := command.Flag("format").Value.String()
	if format == "table" {
		return show(command, path, query, printStatement)
	}
	c, err := newClient(command)
	if err != nil {
		return err
	}
	query.Set("format", format)
	response, err := c.send(command.Context(), http.MethodGet, path, query, nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	_, err = io.Copy(command.OutOrStdout(), response.Body)
	return err
}

func printStatement(command *cobra.Command, s settle.Statement) error {
	t := newTable(command, "PARTY", "ROLE", "CURRENCY", "TRANSACTIONS", "FEES", "NET")
	for _, p := range append(s.Positions, s.Sums()...) {
		name := p.Party
		if name == "" {
			name = "sum"
		}
		t.row(name, p.Role, fmt.Sprintf("%03d", p.Currency), p.Gross, p.Fees, p.Net)
	}
	if err := t.flush(); err != nil {
		return err
	}
	out := command.OutOrStdout()
	for _, u := range s.Undecided {
		fmt.Fprintf(out, "undecided, on the work list: advice %d (%s, transaction %d) of %s to %s, "+
			"%s %d\n", u.Advice, u.MTI, u.Txn, u.Merchant, u.Issuer, u.Counts, u.Amount)
	}
	if !s.Agreed {
		_, err := fmt.Fprintln(out, "not agreed with all issuers yet")
		return err
	}
	return nil
}
