package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"cardswitch/store/negative"
	cardswitch "cardswitch/switch"
	"cardswitch/switch/admin"
)

func newNegativeCommand() *cobra.Command {
	return group("negative", "See and change the cards that issuers have listed to be refused",
		newNegativeStatusCommand(), newNegativeListCommand(), newNegativeCheckCommand(),
		newNegativeAddCommand(), newNegativeRemoveCommand(), newNegativeImportCommand(),
		newNegativeHistoryCommand(), newNegativeExportCommand())
}

// addIssuer is the flag that names whose list is meant.
func addIssuer(command *cobra.Command) {
	command.Flags().String("issuer", "", "whose list")
	completeFlag(command, "issuer", asked("/v1/negative",
		func(s *cardswitch.NegativeStatus) string { return s.Issuer }))
}

func issuerOf(command *cobra.Command) (string, error) {
	issuer, _ := command.Flags().GetString("issuer")
	if issuer == "" {
		return "", wrongUsage("--issuer is missing", "`cardswitch negative status` shows them all")
	}
	return issuer, nil
}

func newNegativeStatusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show how the negative list of each issuer stands",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return show(command, "/v1/negative", nil, printNegatives)
		},
	}
}

func printNegatives(command *cobra.Command, list []cardswitch.NegativeStatus) error {
	t := newTable(command, "ISSUER", "MODE", "STATE", "GENERATION", "CARDS", "IN FORCE", "OVERDUE",
		"EMERGENCY", "WAITING")
	for _, s := range list {
		generation, cards := "", ""
		if s.InForce != nil {
			generation, cards = fmt.Sprint(s.InForce.Generation), fmt.Sprint(s.InForce.Cards)
		}
		var waiting []string
		for _, m := range s.Waiting {
			waiting = append(waiting, fmt.Sprintf("%d@%s", m.Generation, instant(m.Effective)))
		}
		if s.Load != nil {
			waiting = append(waiting, fmt.Sprintf("load:%d", s.Load.Number))
		}
		t.row(s.Issuer, s.Mode, s.State, generation, cards, ago(time.Now(), s.Since),
			yesNo(s.Overdue), s.Urgent, strings.Join(waiting, ","))
	}
	if err := t.flush(); err != nil {
		return err
	}
	for _, s := range list {
		if s.Error != "" {
			return &failure{Code: exitUnhealthy, What: fmt.Errorf("%s: %s", s.Issuer, s.Error),
				Hint: "restore its file, or bring it again by `cardswitch negative import`"}
		}
	}
	return nil
}

// instant is a time in the journal's nanoseconds, for people.
func instant(at int64) string {
	if at == 0 {
		return ""
	}
	return time.Unix(0, at).Format(time.RFC3339)
}

func newNegativeListCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "list --issuer NAME",
		Short: "Show the emergency entries of an issuer, and the cards it has released",
		Long: "Card numbers are masked. The cards of the regular file aren't listed: there may be\n" +
			"millions; `negative check` tells of one, `negative status` how many there are.",
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			issuer, err := issuerOf(command)
			if err != nil {
				return err
			}
			return show(command, "/v1/negative/"+issuer+"/entries", nil, printEntries)
		},
	}
	addIssuer(command)
	return command
}

// negativeLine is an entry as the switch sends it: its card is masked.
type negativeLine struct {
	Issuer   string `json:"issuer"`
	Card     string `json:"card"`
	Listed   bool   `json:"listed"`
	Where    string `json:"where,omitempty"`
	Action   uint16 `json:"action,omitempty"`
	Reason   uint16 `json:"reason,omitempty"`
	From     string `json:"from,omitempty"`
	Until    string `json:"until,omitempty"`
	Unusable bool   `json:"unusable,omitempty"`
}

func printEntries(command *cobra.Command, list []negativeLine) error {
	t := newTable(command, "ISSUER", "CARD", "LISTED", "WHERE", "ACTION", "REASON", "FROM", "UNTIL")
	for _, e := range list {
		listed, action, reason := yesNo(e.Listed), "", ""
		if e.Unusable && !e.Listed {
			listed = "unknown"
		}
		if e.Action != 0 {
			action, reason = fmt.Sprintf("%03d", e.Action), fmt.Sprintf("%04d", e.Reason)
		}
		t.row(e.Issuer, e.Card, listed, e.Where, action, reason, e.From, e.Until)
	}
	return t.flush()
}

// cardsIn reads card numbers, one a line, from a file or from standard input: on a command line
// anybody on the machine could read them.
func cardsIn(command *cobra.Command, name string) ([]string, error) {
	var from io.Reader = command.InOrStdin()
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return nil, wrongUsage(err.Error(),
				"name a file with a card number a line, or - for standard input")
		}
		defer file.Close()
		from = file
	}
	var cards []string
	lines := bufio.NewScanner(from)
	for lines.Scan() {
		if card := strings.TrimSpace(lines.Text()); card != "" {
			cards = append(cards, card)
		}
	}
	if len(cards) == 0 && lines.Err() == nil {
		return nil, wrongUsage("there is no card number", "write one a line")
	}
	return cards, lines.Err()
}

const cardsHelp = "Card numbers come one a line from FILE, or from standard input with -: on a\n" +
	"command line every user of the machine could read them.\n"

func newNegativeCheckCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "check FILE|- --why TEXT",
		Short: "Show how cards stand in the negative lists",
		Long:  cardsHelp + "That somebody asked is recorded.",
		Args:  cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			var all []negativeLine
			issuer, _ := command.Flags().GetString("issuer")
			err := eachCard(command, args[0], func(c *client, o admin.NegativeOrder) error {
				var lines []negativeLine
				o.Issuer = issuer
				err := c.post(command.Context(), "/v1/negative/check", o, &lines)
				all = slices.Concat(all, lines)
				return err
			})
			if err != nil {
				return err
			}
			if wantsJSON(command) {
				return printJSON(command, all)
			}
			return printEntries(command, all)
		},
	}
	addIssuer(command)
	addWhy(command)
	return command
}

// eachCard calls fn with an order for each card number of a file.
func eachCard(command *cobra.Command, name string,
	fn func(*client, admin.NegativeOrder) error) error {
	why, err := whyOf(command)
	if err != nil {
		return err
	}
	cards, err := cardsIn(command, name)
	if err != nil {
		return err
	}
	c, err := newClient(command)
	if err != nil {
		return err
	}
	for _, card := range cards {
		if err := fn(c, admin.NegativeOrder{PAN: card, Why: why}); err != nil {
			return err
		}
	}
	return nil
}

func newNegativeAddCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "add FILE|- --issuer NAME --why TEXT",
		Short: "List cards at once, as emergency entries",
		Long:  cardsHelp + "They count at once, until they are removed or\ntheir last day is over.",
		Args:  cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			return changeNegative(command, args[0], "add")
		},
	}
	addIssuer(command)
	addWhy(command)
	flags := command.Flags()
	flags.Uint16("action", 0, "action code to answer with, 1xx or 2xx (default: the configuration's)")
	flags.Uint16("reason", 0, "3000 lost, 3001 stolen, 3002 undelivered, 3003 counterfeit, 3004 other")
	flags.String("from", "", "first day, as 2026-11-26 (default: at once)")
	flags.String("until", "", "last day (default: none)")
	return command
}

func newNegativeRemoveCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "remove FILE|- --issuer NAME --why TEXT",
		Short: "Take cards off the list at once",
		Long: cardsHelp + "A card of the regular file is released until\n" +
			"another regular file takes over.",
		Args: cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			return changeNegative(command, args[0], "remove")
		},
	}
	addIssuer(command)
	addWhy(command)
	return command
}

func changeNegative(command *cobra.Command, name, verb string) error {
	issuer, err := issuerOf(command)
	if err != nil {
		return err
	}
	flags := command.Flags()
	var all []admin.Done
	err = eachCard(command, name, func(c *client, o admin.NegativeOrder) error {
		if verb == "add" {
			o.Action, _ = flags.GetUint16("action")
			o.Reason, _ = flags.GetUint16("reason")
			o.From, _ = flags.GetString("from")
			o.Until, _ = flags.GetString("until")
		}
		var done admin.Done
		err := c.post(command.Context(), "/v1/negative/"+issuer+"/"+verb, o, &done)
		if err == nil {
			all = append(all, done)
		}
		if err == nil && !wantsJSON(command) {
			_, err = fmt.Fprintln(command.OutOrStdout(), done.Done)
		}
		return err
	})
	if err == nil && wantsJSON(command) {
		return printJSON(command, all)
	}
	return err
}

func newNegativeHistoryCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "history --issuer NAME",
		Short: "Show the regular files of an issuer, with what each changed",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			issuer, err := issuerOf(command)
			if err != nil {
				return err
			}
			return show(command, "/v1/negative/"+issuer+"/history", nil, printHistory)
		},
	}
	addIssuer(command)
	return command
}

func printHistory(command *cobra.Command, list []negative.Meta) error {
	t := newTable(command, "GENERATION", "IMPORTED", "IN FORCE FROM", "ENDED", "CARDS", "ADDED",
		"CHANGED", "REMOVED", "REJECTED", "BY", "SOURCE")
	for _, m := range list {
		t.row(m.Generation, instant(m.Imported), instant(max(m.Effective, m.Took)), instant(m.Ended),
			m.Cards, m.Added, m.Changed, m.Removed, m.Rejected, m.By, m.Source)
	}
	return t.flush()
}
