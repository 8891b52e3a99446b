package main

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	cardswitch "cardswitch/switch"
	"cardswitch/switch/admin"
	"cardswitch/switch/settle"
)

func newSettleCommand() *cobra.Command {
	command := group("settle", "Business days: cut over, compare totals, settle",
		newSettleStatusCommand(),
		newSettleTotalsCommand(),
		newSettleCutoverCommand(),
		newSettleCheckpointCommand(),
		newSettleReconcileCommand(),
		newSettleAcceptCommand(),
		newSettleCompareCommand(),
		newSettleWorklistCommand(),
		newSettleResolveCommand(),
		newSettleReportCommand(),
		newSettleVerifyCommand(),
	)
	command.Long = `Business days of the centers that have a reconciliation in their configuration.

Each transaction counts in one day of its issuer (DE 28). A day ends by the clock, by the issuer's
1804/821 or by "settle cutover"; then its totals are compared with the issuer's. Where they differ,
"settle compare" finds the transactions in a listing of the issuer's book.`
	return command
}

// centerFlag names the center of an order, and offers the centers there are.
func centerFlag(command *cobra.Command, what string) {
	command.Flags().String("center", "", what)
	completeFlag(command, "center", completeCenters())
}

// periodFlags name a period.
func periodFlags(command *cobra.Command) {
	centerFlag(command, "the center whose day it is")
	command.Flags().String("day", "", "business day, as 261126 or 2026-11-26")
	command.Flags().Uint16("slice", 0, "slice of the day (DE 29); 0 is the whole day")
	completeFlag(command, "day", asked("/v1/settle",
		func(p *cardswitch.PeriodStatus) string { return p.Day }))
}

// periodPath is the address of the period that flags name.
func periodPath(command *cobra.Command) (string, url.Values, error) {
	center, _ := command.Flags().GetString("center")
	text, _ := command.Flags().GetString("day")
	slice, _ := command.Flags().GetUint16("slice")
	if center == "" || text == "" {
		return "", nil, wrongUsage("--center and --day are needed", "see `cardswitch settle status`")
	}
	day, err := settle.ParseDay(text)
	if err != nil {
		return "", nil, wrongUsage(err.Error(), "see `cardswitch settle status`")
	}
	query := url.Values{}
	if slice != 0 {
		query.Set("slice", strconv.Itoa(int(slice)))
	}
	return "/v1/settle/" + url.PathEscape(center) + "/" + day.String(), query, nil
}

func newSettleStatusCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "status",
		Short: "Show the business days of each center",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			query := url.Values{}
			if center, _ := command.Flags().GetString("center"); center != "" {
				query.Set("center", center)
			}
			return show(command, "/v1/settle", query, printPeriods)
		},
	}
	centerFlag(command, "of this center only")
	return command
}

func printPeriods(command *cobra.Command, periods []cardswitch.PeriodStatus) error {
	t := newTable(command, "CENTER", "DAY", "STATE", "SLICE", "OPENED", "ENDED", "COMPARED",
		"BALANCE", "WAITS", "UNDECIDED", "ALARM")
	for i := range periods {
		p := &periods[i]
		balance := ""
		switch {
		case p.Out:
			balance = "out"
		case len(p.OutSlices) > 0:
			balance = "out in slice " + listOf(p.OutSlices)
		case p.Versions > 0:
			balance = "in balance"
		}
		t.row(p.Center, p.Day, p.State, p.Slice, p.Opened.Local().Format(time.DateTime),
			momentOf(p.Ended), p.Versions, balance, yesNo(p.Waits), p.Undecided,
			yesNo(p.Late || p.Out))
	}
	return t.flush()
}

func momentOf(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.Local().Format(time.DateTime)
}

func listOf(numbers []uint16) string {
	words := make([]string, len(numbers))
	for i, n := range numbers {
		words[i] = strconv.Itoa(int(n))
	}
	return strings.Join(words, ",")
}

func newSettleTotalsCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "totals --center NAME --day DAY",
		Short: "Show what a day comes to",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			path, query, err := periodPath(command)
			if err != nil {
				return err
			}
			return show(command, path, query, printTotals)
		},
	}
	periodFlags(command)
	return command
}

func printTotals(command *cobra.Command, totals []cardswitch.PeriodTotals) error {
	t := newTable(command, "CURRENCY", "TOTAL", "NUMBER", "AMOUNT")
	for i := range totals {
		currency := fmt.Sprintf("%03d", totals[i].Currency)
		for _, name := range kindNames() {
			if sum, ok := totals[i].Totals[name]; ok {
				t.row(currency, name, sum.Number, sum.Amount)
			}
		}
		t.row(currency, "net (DE 97)", "", totals[i].Net)
	}
	return t.flush()
}

func newSettleCutoverCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "cutover --center NAME",
		Short: "End the open business day of a center and begin the next",
		Long: `End the open business day of a center and begin the next, while traffic flows. What was
given the old day, or names it, still counts in it.`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return settleAct(command, "/cutover", true)
		},
	}
	centerFlag(command, "the center whose day ends")
	command.Flags().String("day", "", "the day that begins (default: the next business day)")
	command.Flags().String("why", "", "the reason, kept in the journal")
	return command
}

func newSettleCheckpointCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "checkpoint --center NAME",
		Short: "Begin the next slice of the open business day",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return settleAct(command, "/checkpoint", false)
		},
	}
	centerFlag(command, "the center whose slice ends")
	command.Flags().String("why", "", "the reason, kept in the journal")
	return command
}

// settleAct does something with the open day of a center.
func settleAct(command *cobra.Command, what string, dated bool) error {
	center, _ := command.Flags().GetString("center")
	if center == "" {
		return wrongUsage("--center is needed", "see `cardswitch settle status`")
	}
	order := struct {
		Day string `json:"day,omitempty"`
		Why string `json:"why"`
	}{}
	if dated {
		order.Day, _ = command.Flags().GetString("day")
	}
	order.Why, _ = command.Flags().GetString("why")
	return act(command, "/v1/settle/"+url.PathEscape(center)+what, order)
}

func newSettleReconcileCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "reconcile --center NAME --day DAY",
		Short: "Offer the totals of a day to its issuer now, also again",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			path, query, err := periodPath(command)
			if err != nil {
				return err
			}
			return act(command, withQuery(path+"/reconcile", query), struct{}{})
		},
	}
	periodFlags(command)
	return command
}

func withQuery(path string, query url.Values) string {
	if len(query) == 0 {
		return path
	}
	return path + "?" + query.Encode()
}

func newSettleAcceptCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "accept --center NAME --day DAY --why TEXT",
		Short: "Close a day although its totals were never found equal",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			path, _, err := periodPath(command)
			if err != nil {
				return err
			}
			return reasoned(command, path+"/accept")
		},
	}
	periodFlags(command)
	command.Flags().String("why", "", "the reason, kept in the journal")
	return command
}

// reasoned does what needs a reason.
func reasoned(command *cobra.Command, path string) error {
	why, _ := command.Flags().GetString("why")
	if strings.TrimSpace(why) == "" {
		return wrongUsage("--why is missing", "say in a sentence why")
	}
	return act(command, path, struct {
		Why string `json:"why"`
	}{why})
}

func newSettleVerifyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "verify",
		Short: "Add all totals up anew from the journal and compare",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return show(command, "/v1/settle/verify", nil, printTotalsVerdict)
		},
	}
}

func printTotalsVerdict(command *cobra.Command, v admin.TotalsVerdict) error {
	if len(v.Differ) == 0 {
		_, err := fmt.Fprintf(command.OutOrStdout(),
			"totals are what the journal's %d records come to (%d)\n", v.Records, v.Rows)
		return err
	}
	t := newTable(command, "CENTER", "OTHER", "DAY", "SLICE", "CURRENCY", "TOTAL", "KEPT", "JOURNAL")
	for i := range v.Differ {
		d := &v.Differ[i]
		for _, l := range d.Lines {
			t.row(d.Center, d.Other, d.Day, d.Slice, fmt.Sprintf("%03d", d.Currency), l.Kind,
				fmt.Sprintf("%d/%d", l.Ours.Number, l.Ours.Amount),
				fmt.Sprintf("%d/%d", l.Theirs.Number, l.Theirs.Amount))
		}
	}
	if err := t.flush(); err != nil {
		return err
	}
	return &failure{Code: exitUnhealthy, What: fmt.Errorf("%d totals differ from the journal",
		len(v.Differ)), Hint: "keep the data folder as it is and report it: this must not be"}
}
