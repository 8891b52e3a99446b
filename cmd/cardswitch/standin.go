package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	cardswitch "cardswitch/switch"
	"cardswitch/switch/standin"
)

func newStandInCommand() *cobra.Command {
	return group("standin", "Decide for issuers that are away (代行)",
		newStandInStatusCommand(),
		newStandInActCommand("on", "Decide for an issuer, whether it is away or not"),
		newStandInActCommand("off", "Never decide for an issuer"),
		newStandInActCommand("auto", "Decide for an issuer when it is away"),
		newStandInSimulateCommand(),
	)
}

func completeStandIns() completion {
	return asked("/v1/standin", func(s *cardswitch.StandInStatus) string { return s.Center })
}

func newStandInStatusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status [ISSUER]",
		Short: "Show for whom stand-in decides, and why",
		Args:  cobra.MaximumNArgs(1),

		ValidArgsFunction: completeStandIns(),
		RunE: func(command *cobra.Command, args []string) error {
			return show(command, "/v1/standin", nil,
				func(command *cobra.Command, list []cardswitch.StandInStatus) error {
					return printStandIns(command, args, list)
				})
		},
	}
}

func printStandIns(command *cobra.Command, only []string, list []cardswitch.StandInStatus) error {
	t := newTable(command, "ISSUER", "SETTING", "STAND-IN", "FOR", "CARDS", "APPROVED", "DECLINED",
		"LEFT ALONE", "OWED", "WHY")
	for _, s := range list {
		if len(only) > 0 && only[0] != s.Center {
			continue
		}
		since := ""
		if !s.Since.IsZero() {
			since = ago(time.Now(), s.Since)
		}
		t.row(s.Center, s.Setting, yesNo(s.Stands), since, s.Cards, s.Approved, s.Declined,
			s.Abstained, s.Owed, dash(s.Why))
	}
	return t.flush()
}

func newStandInActCommand(what, short string) *cobra.Command {
	command := &cobra.Command{
		Use:   what + " ISSUER --why TEXT",
		Short: short,
		Long:  short + ". Who ordered it and why are kept in the journal.",
		Args:  cobra.ExactArgs(1),

		ValidArgsFunction: completeStandIns(),
		RunE: func(command *cobra.Command, args []string) error {
			who, _ := command.Flags().GetString("who")
			why, _ := command.Flags().GetString("why")
			if why == "" {
				return wrongUsage("--why is missing", "say in a sentence why you order it")
			}
			signed := struct{ Who, Why string }{who, why}
			return act(command, fmt.Sprintf("/v1/standin/%s/%s", args[0], what), signed)
		},
	}
	command.Flags().String("who", currentUser(), "who orders it")
	command.Flags().String("why", "", "the reason, kept in the journal")
	return command
}

func newStandInSimulateCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "simulate",
		Short: "Run rules against journaled days and show what would have been decided",
		Long: "Decides by a rule file on all requests to an issuer in the running switch's journal,\n" +
			"as if the issuer had been away, and compares with what it really decided. Nothing is\n" +
			"changed or sent. An expiry date that stood in a track only is not kept: it counts as\n" +
			"good. Negative lists are not asked: they were others then. Without --rules the rules in\n" +
			"force are tried.",
		Example: "  cardswitch standin simulate --issuer sakura --rules next.yaml --from 2026-11-20\n" +
			"  cardswitch standin simulate -o json | jq .total.approved_but_issuer_declined",
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error { return simulate(command) },
	}
	flags := command.Flags()
	flags.String("rules", "", "rule file to try")
	flags.String("issuer", "", "issuer center, if several have stand-in")
	flags.String("from", "", "first day or time: 2026-11-20, 2026-11-20T18:00:00+09:00")
	flags.String("to", "", "end: the day that is the last, or the time before which")
	completeFlag(command, "issuer", completeStandIns())
	return command
}

func simulate(command *cobra.Command) error {
	flags := command.Flags()
	var q cardswitch.Simulation
	q.Issuer, _ = flags.GetString("issuer")
	if name, _ := flags.GetString("rules"); name != "" {
		text, err := os.ReadFile(name)
		if err != nil {
			return failed(err, "name a rule file with --rules")
		}
		q.Rules = string(text)
	}
	var err error
	from, _ := flags.GetString("from")
	if q.From, err = boundOf("from", from, 0); err != nil {
		return err
	}
	to, _ := flags.GetString("to")
	if q.To, err = boundOf("to", to, 1); err != nil {
		return err
	}
	if !q.From.IsZero() && !q.To.IsZero() && !q.From.Before(q.To) {
		return wrongUsage("--from is not before --to", "the first day, and the last one")
	}
	c, err := newClient(command)
	if err != nil {
		return err
	}
	var found cardswitch.Simulated
	if err := c.post(command.Context(), "/v1/standin/simulate", q, &found); err != nil {
		return err
	}
	if wantsJSON(command) {
		return printJSON(command, found)
	}
	return printSimulated(command, &found)
}

// boundOf reads a time, or a day of this machine's zone: its beginning, or days later.
func boundOf(flag, text string, days int) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if at, err := time.ParseInLocation(time.DateOnly, text, time.Local); err == nil {
		return at.AddDate(0, 0, days), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, wrongUsage(fmt.Sprintf("--%s: %q is no day and no time", flag, text),
			"write 2026-11-20 or 2026-11-20T18:00:00+09:00")
	}
	return at, nil
}

func printSimulated(command *cobra.Command, s *cardswitch.Simulated) error {
	t := newTable(command, "RULE", "APPROVED", "AMOUNT", "DECLINED", "AMOUNT", "LEFT ALONE",
		"ISSUER DECLINED", "AMOUNT", "ISSUER APPROVED", "AMOUNT", "AGREED", "NO ANSWER")
	row := func(name string, y *standin.Tally) {
		t.row(name, y.Approved.Count, y.Approved.Amount, y.Declined.Count, y.Declined.Amount,
			y.Abstained.Count, y.Risked.Count, y.Risked.Amount, y.Lost.Count, y.Lost.Amount,
			y.Agreed.Count, y.Unknown.Count)
	}
	for i := range s.Rules {
		name := s.Rules[i].Rule
		if name == "" {
			name = "(no rule)"
		}
		row(name, &s.Rules[i].Tally)
	}
	row("all", &s.Total)
	if err := t.flush(); err != nil {
		return err
	}
	out := command.OutOrStdout()
	if _, err := fmt.Fprintln(out); err != nil {
		return err
	}
	t = newTable(command, "REASON", "REQUESTS", "AMOUNT", "WHY")
	for _, r := range s.Total.Reasons {
		t.row(r.Reason, r.Count, r.Amount, r.Text)
	}
	if err := t.flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "\n%d requests to %s. ISSUER DECLINED: approved here, declined by "+
		"the issuer.\nISSUER APPROVED: declined here, approved by the issuer.\n", s.Requests,
		strings.TrimSpace(s.Issuer))
	return err
}
