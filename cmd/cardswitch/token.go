package main

import (
	"bufio"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"cardswitch/switch/admin"
)

func newTokenCommand() *cobra.Command {
	return group("token", "See and change the tokens that stand for card numbers",
		newTokenStatusCommand(), newTokenLookupCommand(), newTokenRekeyCommand(),
		newTokenDeleteCommand(), newTokenDetokenizeCommand(), newTokenRequestsCommand(),
		newTokenApproveCommand(), newTokenShowCommand())
}

// whyOf demands the reason: it is kept in the audit log.
func whyOf(command *cobra.Command) (string, error) {
	why, _ := command.Flags().GetString("why")
	if strings.TrimSpace(why) == "" {
		return "", wrongUsage("--why is missing", "say in a sentence why; it is kept in the audit log")
	}
	return why, nil
}

func newTokenStatusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show the vault's data keys, and how far a re-keying is",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return show(command, "/v1/tokens/status", nil, printVault)
		},
	}
}

func printVault(command *cobra.Command, s admin.VaultStatus) error {
	t := newTable(command, "KEY", "STATE", "CREATED", "DESTROYED")
	for _, k := range s.DataKeys {
		state, destroyed := "opens", ""
		if k.Active {
			state = "active"
		}
		if !k.Destroyed.IsZero() {
			state, destroyed = "destroyed", k.Destroyed.Format(time.RFC3339)
		}
		t.row(k.ID, state, k.Created.Format(time.RFC3339), destroyed)
	}
	if err := t.flush(); err != nil {
		return err
	}
	if s.Target == 0 {
		return nil
	}
	what := "was re-keyed"
	if s.Rekeying {
		what = "is being re-keyed"
	}
	_, err := fmt.Fprintf(command.OutOrStdout(),
		"the vault %s to key %d: %d of %d tokens seen, %d rewritten, %d damaged %s\n", what, s.Target,
		s.Seen, s.Total, s.Rewritten, s.Damaged, s.Error)
	return err
}

func newTokenLookupCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "lookup [TOKEN | - --why TEXT]",
		Short: "Show what is known of a token, or which tokens a card has",
		Long: "Nothing of the card number is shown. With - the card number is read from standard\n" +
			"input, where no history keeps it, and the tokens of that card are listed; that is\n" +
			"recorded, with the reason.",
		Args: cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			order := admin.TokenOrder{Token: args[0]}
			if args[0] == "-" {
				why, err := whyOf(command)
				if err != nil {
					return err
				}
				line, err := bufio.NewReader(command.InOrStdin()).ReadString('\n')
				if err != nil && line == "" {
					return wrongUsage("there is no card number on standard input", "type one")
				}
				order = admin.TokenOrder{PAN: strings.TrimSpace(line), Why: why}
			}
			c, err := newClient(command)
			if err != nil {
				return err
			}
			var lines []admin.TokenLine
			if err := c.post(command.Context(), "/v1/tokens/lookup", order, &lines); err != nil {
				return err
			}
			if wantsJSON(command) {
				return printJSON(command, lines)
			}
			t := newTable(command, "TOKEN", "SCOPE", "USE", "CREATED", "EXPIRES", "KEY")
			for _, l := range lines {
				use, expires := "many", ""
				if l.Once {
					use, expires = "single", l.Expires.Format(time.RFC3339)
				}
				t.row(l.Token, l.Scope, use, l.Created.Format(time.RFC3339), expires, l.DataKey)
			}
			return t.flush()
		},
	}
	command.Flags().String("why", "", "the reason, kept in the audit log")
	return command
}

func newTokenRekeyCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "rekey --why TEXT",
		Short: "Give the vault a new data key, and re-encrypt under it",
		Long: "What is new lies under the new key at once; the rest is re-encrypted in the background\n" +
			"while the switch serves, and then the old key is destroyed. With --kek the data keys\n" +
			"stay and are wrapped under the newest key encryption key (kek) of the key store.",
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			why, err := whyOf(command)
			if err != nil {
				return err
			}
			kek, _ := command.Flags().GetBool("kek")
			return act(command, "/v1/tokens/rekey", admin.TokenOrder{KEK: kek, Why: why})
		},
	}
	command.Flags().String("why", "", "the reason, kept in the audit log")
	command.Flags().Bool("kek", false, "wrap the data keys under the newest key encryption key")
	return command
}

func newTokenDeleteCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "delete TOKEN --why TEXT --yes",
		Short: "Delete a token, for good",
		Long:  "Its merchant can't use it any more. The card gets another when it is used again.",
		Args:  cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			why, err := whyOf(command)
			if err != nil {
				return err
			}
			if yes, _ := command.Flags().GetBool("yes"); !yes {
				return wrongUsage("a deleted token doesn't come back", "add --yes if that is meant")
			}
			return act(command, "/v1/tokens/delete", admin.TokenOrder{Token: args[0], Why: why})
		},
	}
	command.Flags().String("why", "", "the reason, kept in the audit log")
	command.Flags().Bool("yes", false, "it is meant")
	return command
}

func newTokenDetokenizeCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "detokenize TOKEN --why TEXT",
		Short: "Ask to see the card number behind a token",
		Long: "Three steps: a revealer asks by this, an approver who is another person says yes\n" +
			"(`token approve`), and the revealer sees the number, once (`token show`). Each is in the\n" +
			"audit log before it is done.",
		Args: cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			why, err := whyOf(command)
			if err != nil {
				return err
			}
			return reveal(command, "/v1/tokens/reveals", admin.TokenOrder{Token: args[0], Why: why})
		},
	}
	command.Flags().String("why", "", "the reason, kept in the audit log")
	return command
}

func newTokenApproveCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "approve ID",
		Short: "Let somebody see the card number that they asked for",
		Args:  cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			return reveal(command, "/v1/tokens/reveals/"+args[0]+"/approve", struct{}{})
		},
	}
}

// reveal does a step and prints where the request stands.
func reveal(command *cobra.Command, path string, order any) error {
	c, err := newClient(command)
	if err != nil {
		return err
	}
	var r admin.Reveal
	if err := c.post(command.Context(), path, order, &r); err != nil {
		return err
	}
	if wantsJSON(command) {
		return printJSON(command, r)
	}
	return printReveals(command, []admin.Reveal{r})
}

func newTokenRequestsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "requests",
		Short: "Show which card numbers somebody asked to see",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return show(command, "/v1/tokens/reveals", nil, printReveals)
		},
	}
}

func printReveals(command *cobra.Command, list []admin.Reveal) error {
	t := newTable(command, "ID", "TOKEN", "WHO", "APPROVED BY", "FOR", "WHY")
	for _, r := range list {
		t.row(r.ID, r.Token, r.Who, r.Approver, ago(time.Now(), r.Asked), r.Why)
	}
	return t.flush()
}

func newTokenShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show ID",
		Short: "See the card number that was asked for and approved, once",
		Args:  cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			c, err := newClient(command)
			if err != nil {
				return err
			}
			var r admin.Revealed
			err = c.post(command.Context(), "/v1/tokens/reveals/"+args[0]+"/show", struct{}{}, &r)
			if err != nil {
				return err
			}
			if r.PAN == "" {
				return errors.New("the switch gave no card number")
			}
			if wantsJSON(command) {
				return printJSON(command, r)
			}
			_, err = fmt.Fprintln(command.OutOrStdout(), r.PAN)
			return err
		},
	}
}
