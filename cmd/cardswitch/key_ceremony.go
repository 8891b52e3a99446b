package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"cardswitch/switch/admin"
)

func newCeremonyCommand() *cobra.Command {
	return group("ceremony", "Make a key of components, with several people",
		newCeremonyStartCommand(),
		newCeremonyComponentCommand(),
		newCeremonyApproveCommand(),
		newCeremonyCancelCommand(),
		newCeremonyStatusCommand(),
	)
}

func newCeremonyStartCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "start [SLOT|master]",
		Short: "Ask for a key of components",
		Long: "Begins a ceremony: each custodian then enters a component in a login of their own, and\n" +
			"an approver, a third person, activates the key. `master` is the master key of the soft\n" +
			"module, at the first start in production.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			o, err := order(command)
			if err != nil {
				return err
			}
			if o.Slot, err = slotOf(command, args); err != nil {
				return err
			}
			count, _ := command.Flags().GetInt("count")
			return ceremonyDone(command, "/v1/ceremonies", admin.CeremonyOrder{KeyOrder: o, Count: count})
		},
	}
	addSlot(command)
	command.Flags().Int("count", 2, "components")
	return command
}

// ceremonyDone does something in a ceremony and shows how it stands.
func ceremonyDone(command *cobra.Command, path string, body any) error {
	c, err := newClient(command)
	if err != nil {
		return err
	}
	var view admin.CeremonyView
	if err := c.post(command.Context(), path, body, &view); err != nil {
		return err
	}
	return printCeremony(command, &view)
}

func printCeremony(command *cobra.Command, v *admin.CeremonyView) error {
	if wantsJSON(command) {
		return printJSON(command, v)
	}
	out := command.OutOrStdout()
	fmt.Fprintf(out, "ceremony %s: %s\n", v.ID, v.What)
	for i, e := range v.Entries {
		fmt.Fprintf(out, "component %d of %d: %s, check value %s\n", i+1, v.Count, e.Who, e.Check)
	}
	switch v.Phase {
	case "entering":
		_, err := fmt.Fprintf(out, "next: a custodian runs `cardswitch key ceremony component %s`, "+
			"until %s\n", v.ID, v.Deadline.Format("15:04"))
		return err
	case "formed":
		_, err := fmt.Fprintf(out, "the key is formed, check value %s\nnext: an approver compares it "+
			"and runs `cardswitch key ceremony approve %s`, until %s\n", v.Check, v.ID,
			v.Deadline.Format("15:04"))
		return err
	case "done":
		_, err := fmt.Fprintf(out, "%s is active, check value %s\n", v.Key, v.Check)
		return err
	}
	_, err := fmt.Fprintf(out, "ended: %s\n", v.Why)
	return err
}

func newCeremonyComponentCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "component ID",
		Short: "Enter a component: one custodian, one login",
		Long: "Asks for the component on the terminal, where it isn't shown and isn't kept, and shows\n" +
			"its check value. With --check, one that has another check value is refused.",
		Args: cobra.ExactArgs(1),
		RunE: enterComponent,
	}
	command.Flags().String("check", "", "the check value on the paper")
	command.Flags().Bool("stdin", false, "read it from standard input, as from a card reader")
	return command
}

func enterComponent(command *cobra.Command, args []string) error {
	c, err := newClient(command)
	if err != nil {
		return err
	}
	digits, err := readComponent(command)
	defer clear(digits)
	if err != nil {
		return err
	}
	query := url.Values{}
	if check, _ := command.Flags().GetString("check"); check != "" {
		query.Set("check", check)
	}
	var view admin.CeremonyView
	path := "/v1/ceremonies/" + url.PathEscape(args[0]) + "/component"
	if err := c.put(command.Context(), path, query, digits, &view); err != nil {
		return err
	}
	return printCeremony(command, &view)
}

// readComponent reads hexadecimal digits without showing them; blanks between them are left out.
// The caller clears them.
func readComponent(command *cobra.Command) (digits []byte, err error) {
	const most = 256
	if stdin, _ := command.Flags().GetBool("stdin"); stdin {
		text := make([]byte, most)
		defer clear(text)
		n, err := io.ReadFull(command.InOrStdin(), text)
		if err == nil {
			return nil, errors.New("that is too long for a component")
		}
		return dense(text[:n]), nil
	}
	terminal := int(os.Stdin.Fd())
	if !term.IsTerminal(terminal) {
		return nil, wrongUsage("a component is typed on a terminal",
			"a file of it would break split knowledge; --stdin is for readers of smart cards")
	}
	fmt.Fprint(command.ErrOrStderr(), "component (isn't shown): ")
	text, err := term.ReadPassword(terminal)
	fmt.Fprintln(command.ErrOrStderr())
	defer clear(text)
	if err != nil {
		return nil, err
	}
	return dense(text), nil
}

// dense copies what isn't blank.
func dense(text []byte) []byte {
	digits := make([]byte, 0, len(text))
	for _, b := range text {
		if !bytes.ContainsRune([]byte(" \t\r\n-"), rune(b)) {
			digits = append(digits, b)
		}
	}
	return digits
}

func newCeremonyApproveCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "approve ID --check VALUE",
		Short: "Activate the key: a person who entered nothing and didn't ask",
		Args:  cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			check, _ := command.Flags().GetString("check")
			if check == "" {
				return wrongUsage("--check is missing", "give the check value that the custodians' papers have")
			}
			path := "/v1/ceremonies/" + url.PathEscape(args[0]) + "/approve"
			return ceremonyDone(command, path, map[string]string{"check": check})
		},
	}
	command.Flags().String("check", "", "the check value of the key on the papers")
	return command
}

func newCeremonyCancelCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "cancel ID",
		Short: "End a ceremony; its components are wiped",
		Args:  cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			return ceremonyDone(command, "/v1/ceremonies/"+url.PathEscape(args[0])+"/cancel", nil)
		},
	}
}

func newCeremonyStatusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show the ceremonies that are open, and those before",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return show(command, "/v1/ceremonies", nil, printCeremonies)
		},
	}
}

func printCeremonies(command *cobra.Command, views []admin.CeremonyView) error {
	t := newTable(command, "ID", "WHAT", "PHASE", "COMPONENTS", "CHECK", "ASKED BY", "UNTIL", "NOTE")
	for _, v := range views {
		note := v.Why
		if v.Key != "" {
			note = v.Key + ", approved by " + v.Approver
		}
		t.row(v.ID, v.What, v.Phase, fmt.Sprintf("%d/%d", len(v.Entries), v.Count), v.Check, v.AskedBy,
			v.Deadline.Format(time.TimeOnly), note)
	}
	return t.flush()
}
