package main

import (
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"cardswitch/store/journal"
	"cardswitch/switch/admin"
)

func newJournalShowCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "show [SEQ]",
		Short: "Show one transaction: each step, its time and its messages",
		Long: "Shows the transaction of a record, or those found by --rrn, --stan or --last4.\n" +
			"Card data is blanked in every message, in the byte image of --raw too.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			query := url.Values{}
			for _, name := range []string{"rrn", "stan", "last4"} {
				if value, _ := command.Flags().GetString(name); value != "" {
					query.Set(name, value)
				}
			}
			searched := len(query) > 0
			if raw, _ := command.Flags().GetBool("raw"); raw {
				query.Set("raw", "1")
			}
			switch {
			case len(args) == 1 && !searched:
				path := "/v1/transactions/" + url.PathEscape(args[0])
				return show(command, path, query, printTransaction)
			case len(args) == 0 && searched:
				return show(command, "/v1/transactions", query, printTransactions)
			}
			return wrongUsage("say a sequence number, or --rrn, --stan or --last4",
				"`cardswitch journal tail` shows sequence numbers")
		},
	}
	command.Flags().Bool("raw", false, "show the bytes of each message in hex")
	command.Flags().String("rrn", "", "retrieval reference number, DE 37")
	command.Flags().String("stan", "", "our trace number on the issuer's leg, DE 11")
	command.Flags().String("last4", "", "last four digits of the card")
	return command
}

func printTransactions(command *cobra.Command, list []admin.Transaction) error {
	if len(list) == 0 {
		return failed(fmt.Errorf("no transaction was found"),
			"last4 and stan are looked for among the newest records only; rrn among all")
	}
	for _, t := range list {
		if err := printTransaction(command, t); err != nil {
			return err
		}
	}
	return nil
}

func printTransaction(command *cobra.Command, t admin.Transaction) error {
	out := command.OutOrStdout()
	fmt.Fprintf(out, "transaction %d\n", t.Txn)
	for i := range t.Steps {
		printStep(out, &t.Steps[i])
	}
	return nil
}

func printStep(out io.Writer, s *admin.Step) {
	fmt.Fprintf(out, "\n%s  record %d  +%s  %s", s.At.Format("2006-01-02 15:04:05.000000"),
		s.Seq, micros(s.US), s.Kind)
	if s.Action != "" {
		fmt.Fprintf(out, " %s", s.Action)
	}
	if s.ReasonText != "" {
		fmt.Fprintf(out, " (%s)", s.ReasonText)
	}
	if s.Day != "" {
		fmt.Fprintf(out, ", day %s", s.Day)
	}
	if s.Counts != "" {
		fmt.Fprintf(out, ", counts as a %s", s.Counts)
	}
	if s.Text != "" {
		fmt.Fprintf(out, " %s", s.Text)
	}
	if s.Kind == journal.Reversed.String() { // which is a transaction of its own
		fmt.Fprintf(out, ", see transaction %d", s.Advice)
	}
	fmt.Fprintln(out)
	for i := range s.Messages {
		printMessage(out, &s.Messages[i])
	}
}

func printMessage(out io.Writer, m *admin.Message) {
	fmt.Fprintf(out, "  %s %s  over %s in %s\n", m.Role, m.MTI, dash(m.Link), dash(m.Dialect))
	if m.Fault != "" {
		fmt.Fprintf(out, "    fault: %s\n", m.Fault)
	}
	for _, e := range m.Elements {
		text := ""
		if e.Text != "" {
			text = "  " + e.Text
		}
		fmt.Fprintf(out, "    %3d  %-36s %s%s\n", e.Number, e.Name, e.Value, text)
	}
	for at := 0; at < len(m.Raw); at += 32 {
		row := m.Raw[at:min(at+32, len(m.Raw))]
		fmt.Fprintf(out, "    %04x  %s\n", at/2, spaced(row))
	}
}

// spaced puts a space between bytes of hex.
func spaced(hex string) string {
	var b strings.Builder
	for i := 0; i < len(hex); i += 2 {
		b.WriteString(hex[i:min(i+2, len(hex))] + " ")
	}
	return strings.TrimSuffix(b.String(), " ")
}
