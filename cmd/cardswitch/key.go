package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"cardswitch/hsm/keyring"
	"cardswitch/switch/admin"
)

func newKeyCommand() *cobra.Command {
	return group("key", "Make, move and end cryptographic keys",
		newKeyListCommand(),
		newKeyInventoryCommand(),
		newKeyGenerateCommand(),
		newKeyRotateCommand(),
		newKeyExchangeCommand(),
		newKeyImportCommand(),
		newKeyExportCommand(),
		newKeyStepCommand("confirm", "Note that the check values were compared",
			"After an import or export: both sides have read the same check value."),
		newKeyStepCommand("serve", "Put a key into service",
			"Brings a key that both sides have as far as it goes: the generation before retires."),
		newKeyStepCommand("retire", "Let a key only open what is under way",
			"From now on nothing is protected with it; it is accepted until its window ends."),
		newKeyDestroyCommand(),
		newKeyAdoptCommand(),
		newKeyTokenCommand(),
		newCeremonyCommand(),
	)
}

func newKeyListCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "list",
		Short: "Show the keys that are alive",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return show(command, "/v1/keys", nil, printKeys)
		},
	}
	command.Flags().Bool("all", false, "show those that are destroyed too")
	return command
}

func printKeys(command *cobra.Command, lines []admin.KeyLine) error {
	all, _ := command.Flags().GetBool("all")
	t := newTable(command, "KEY", "STATE", "ALGORITHM", "CHECK", "FOR", "UNTIL", "DUE")
	now := time.Now()
	for i := range lines {
		l := &lines[i]
		if l.State == string(keyring.Destroyed) && !all {
			continue
		}
		t.row(l.Key, l.State, algorithmOf(l), l.Check, ago(now, l.Created), until(l), l.Due)
	}
	return t.flush()
}

func algorithmOf(l *admin.KeyLine) string { return fmt.Sprintf("%s-%d", l.Algorithm, l.Bits) }

// until is the last day of a key as it is now.
func until(l *admin.KeyLine) string {
	if l.RetireUntil != nil {
		return l.RetireUntil.Format("2006-01-02 15:04")
	}
	return l.Expires.Format("2006-01-02 15:04")
}

func newKeyInventoryCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "inventory",
		Short: "Show every key with all that may be known of it",
		Long: "Shows every key, also those that are destroyed: purpose, algorithm, size, generation,\n" +
			"state, age, next change, check value, and the module that holds it (PCI DSS 12.3.3).",
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return show(command, "/v1/keys", nil, printInventory)
		},
	}
}

func printInventory(command *cobra.Command, lines []admin.KeyLine) error {
	t := newTable(command, "SLOT", "GEN", "PURPOSE", "USAGE", "ALGORITHM", "BITS", "STATE", "AGE",
		"USES", "NEXT CHANGE", "CHECK", "METHOD", "MODULE", "LABEL", "DUE")
	now := time.Now()
	for i := range lines {
		l := &lines[i]
		next := ""
		if l.NextChange != nil {
			next = l.NextChange.Format("2006-01-02 15:04")
		}
		t.row(l.Slot, l.Generation, keyring.Purpose(l.Purpose).Text(), l.Usage+"/"+l.Mode,
			l.Algorithm, l.Bits, l.State, ago(now, l.Created), l.Uses, next, l.Check,
			l.CheckMethod, l.Module, l.Label, strings.TrimSpace(l.Due+" "+l.DueWhy))
	}
	return t.flush()
}

// addPlan gives a command the flags that say which key it makes.
func addPlan(command *cobra.Command) {
	flags := command.Flags()
	flags.String("algorithm", "", "aes or tdes (default aes; of an import, what the block has)")
	flags.Int("bits", 0, "bits of the key (default the most; of an import, what the block has)")
	flags.String("label", "", "a word for people, as who gave it")
	addWhy(command)
}

func addWhy(command *cobra.Command) {
	command.Flags().String("why", "", "the reason, kept in the audit log")
}

// order is what the flags say.
func order(command *cobra.Command) (admin.KeyOrder, error) {
	flags := command.Flags()
	var o admin.KeyOrder
	o.Why, _ = flags.GetString("why")
	if o.Why == "" {
		return o, wrongUsage("--why is missing", "say in a sentence why it is done")
	}
	o.Algorithm, _ = flags.GetString("algorithm")
	o.Bits, _ = flags.GetInt("bits")
	o.Label, _ = flags.GetString("label")
	return o, nil
}

// slotOf reads the slot from the argument, or from --purpose with --link, --center and --direction.
func slotOf(command *cobra.Command, args []string) (string, error) {
	flags := command.Flags()
	purpose, _ := flags.GetString("purpose")
	if len(args) == 1 {
		if purpose != "" {
			return "", wrongUsage("the key is named twice", "name it, or use --purpose")
		}
		return args[0], nil
	}
	if purpose == "" {
		return "", wrongUsage("no key is named",
			"as zek:center/link, or --purpose zek --link center/link")
	}
	slot := keyring.Slot{Purpose: keyring.Purpose(purpose)}
	link, _ := flags.GetString("link")
	slot.Center, slot.Link, _ = strings.Cut(link, "/")
	if center, _ := flags.GetString("center"); center != "" {
		slot.Center = center
	}
	direction, _ := flags.GetString("direction")
	slot.Direction = keyring.Direction(direction)
	return slot.String(), nil
}

func addSlot(command *cobra.Command) {
	flags := command.Flags()
	flags.String("purpose", "", "kbpk, zpk, zak, zek, bdk, kek or data")
	flags.String("center", "", "whose key it is")
	flags.String("link", "", "as center/link, of a link key")
	flags.String("direction", "", "in or out, of a PIN, MAC or data key")
	addPlan(command)
}

// keyDone asks for something and shows the key that came of it.
func keyDone(command *cobra.Command, path string, o any) error {
	c, err := newClient(command)
	if err != nil {
		return err
	}
	var line admin.KeyLine
	if err := c.post(command.Context(), path, o, &line); err != nil {
		return err
	}
	if wantsJSON(command) {
		return printJSON(command, line)
	}
	_, err = fmt.Fprintf(command.OutOrStdout(), "%s: %s, %s, check value %s (%s)\n", line.Key,
		line.State, algorithmOf(&line), line.Check, line.CheckMethod)
	return err
}

func newKeyGenerateCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "generate [SLOT]",
		Short: "Make a key in the security module",
		Long: "Makes the next generation of a key: zek:center/link, zpk:center:in, kek. It is\n" +
			"received and does nothing until it is served: a partner must have it first. In\n" +
			"production a KBPK comes of a ceremony only, and a BDK or KEK is served by an approver\n" +
			"who didn't make it.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			o, err := order(command)
			if err != nil {
				return err
			}
			if o.Slot, err = slotOf(command, args); err != nil {
				return err
			}
			o.Serve, _ = command.Flags().GetBool("serve")
			return keyDone(command, "/v1/keys/generate", o)
		},
	}
	addSlot(command)
	command.Flags().Bool("serve", false, "put it into service at once")
	return command
}

func newKeyRotateCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "rotate SLOT",
		Short: "Make the next generation of a key",
		Long: "Makes the next generation of a key that is in use, with its algorithm and size. The\n" +
			"old one goes on until the new one is served; a partner's must be exported first. A key\n" +
			"of a test installation itself is served at once.",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeKeys,
		RunE: func(command *cobra.Command, args []string) error {
			o, err := order(command)
			if err != nil {
				return err
			}
			o.Slot, _, _ = strings.Cut(args[0], "@")
			c, err := newClient(command)
			if err != nil {
				return err
			}
			var lines []admin.KeyLine
			if err := c.get(command.Context(), "/v1/keys", nil, &lines); err != nil {
				return err
			}
			for i := range lines {
				if lines[i].Slot == o.Slot {
					o.Bits, o.Algorithm = lines[i].Bits, strings.ToLower(lines[i].Algorithm)
					o.Serve = lines[i].Purpose == string(keyring.KEK) && lines[i].Test
				}
			}
			if o.Bits == 0 {
				return failed(fmt.Errorf("there is no key %s", o.Slot),
					"`cardswitch key generate` makes one")
			}
			return keyDone(command, "/v1/keys/generate", o)
		},
	}
	addWhy(command)
	return command
}

func newKeyExchangeCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "exchange SLOT",
		Short: "Make the next generation of a key and bring it to its center",
		Long: "Makes the next generation of a link, PIN, MAC or data key, sends it to its center by a\n" +
			"1804 with function code 811 under the KBPK of that center, compares the check value in\n" +
			"the answer, and uses the key. The old one is accepted for its window. Nothing stops\n" +
			"meanwhile. It returns when the key is in use, or says why it isn't.",
		Example: "  cardswitch key exchange zek:issuer-sakura/primary --why 'daily change'\n" +
			"  cardswitch key exchange zak:issuer-sakura:out --why 'three wrong MACs'",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeKeys,
		RunE: func(command *cobra.Command, args []string) error {
			o, err := order(command)
			if err != nil {
				return err
			}
			o.Slot, _, _ = strings.Cut(args[0], "@")
			return keyDone(command, "/v1/keys/exchange", o)
		},
	}
	addWhy(command)
	return command
}

func newKeyImportCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "import [SLOT] [--block FILE | --components FILE]",
		Short: "Take a key that a partner gave",
		Long: "Takes a key block (TR-31, X9.143) that a partner made under the KBPK of its center,\n" +
			"from a file or, with -, from standard input. It is received: confirm it when both sides\n" +
			"have read the same check value, then serve it. A test installation also takes\n" +
			"components in clear, one a line.",
		Args: cobra.MaximumNArgs(1),
		RunE: importKey,
	}
	addSlot(command)
	command.Flags().String("block", "", "file of the key block, - is standard input")
	command.Flags().String("components", "", "file of clear components, for tests only")
	command.Flags().Uint16("under", 0, "generation of the KBPK (default the one in service)")
	return command
}

func importKey(command *cobra.Command, args []string) error {
	o, err := order(command)
	if err != nil {
		return err
	}
	if o.Slot, err = slotOf(command, args); err != nil {
		return err
	}
	block, _ := command.Flags().GetString("block")
	parts, _ := command.Flags().GetString("components")
	o.Under, _ = command.Flags().GetUint16("under")
	switch {
	case (block == "") == (parts == ""):
		return wrongUsage("name the block or the components", "as --block FILE")
	case block != "":
		text, err := readSmall(command, block)
		if err != nil {
			return err
		}
		o.Block = strings.TrimSpace(string(text))
		return keyDone(command, "/v1/keys/import", o)
	}
	text, err := readSmall(command, parts)
	if err != nil {
		return err
	}
	o.Components = strings.Fields(string(text))
	clear(text)
	return keyDone(command, "/v1/keys/clear", o)
}

// readSmall reads a file of at most a key block's size.
func readSmall(command *cobra.Command, name string) ([]byte, error) {
	const most = 16 << 10
	in := command.InOrStdin()
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, failed(err, "name the file of the key, or - for standard input")
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, most+1))
	if err == nil && len(text) > most {
		err = errors.New(name + " is too large for a key")
	}
	return text, err
}

func newKeyExportCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "export KEY",
		Short: "Give a key to a partner, as a key block under the center's KBPK",
		Long: "Prints the key block (TR-31, X9.143). With --components, in a test installation only,\n" +
			"the key comes as two clear components instead.",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeKeys,
		RunE: func(command *cobra.Command, args []string) error {
			o, err := order(command)
			if err != nil {
				return err
			}
			o.Key = args[0]
			if parts, _ := command.Flags().GetBool("components"); parts {
				return revealKey(command, o)
			}
			c, err := newClient(command)
			if err != nil {
				return err
			}
			var block admin.KeyBlock
			if err := c.post(command.Context(), "/v1/keys/export", o, &block); err != nil {
				return err
			}
			if wantsJSON(command) {
				return printJSON(command, block)
			}
			fmt.Fprintf(command.ErrOrStderr(), "%s under %s, check value %s\n", block.Key, block.Under,
				block.Check)
			_, err = fmt.Fprintln(command.OutOrStdout(), block.Block)
			return err
		},
	}
	addWhy(command)
	command.Flags().Bool("components", false, "two clear components, for tests only")
	return command
}

func revealKey(command *cobra.Command, o admin.KeyOrder) error {
	c, err := newClient(command)
	if err != nil {
		return err
	}
	var parts admin.KeyParts
	if err := c.post(command.Context(), "/v1/keys/clear", o, &parts); err != nil {
		return err
	}
	if wantsJSON(command) {
		return printJSON(command, parts)
	}
	_, err = fmt.Fprintln(command.OutOrStdout(), strings.Join(parts.Components, "\n"))
	return err
}

func newKeyStepCommand(step, short, long string) *cobra.Command {
	command := &cobra.Command{
		Use:               step + " KEY",
		Short:             short,
		Long:              long,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeKeys,
		RunE: func(command *cobra.Command, args []string) error {
			o, err := order(command)
			if err != nil {
				return err
			}
			o.Key = args[0]
			return keyDone(command, "/v1/keys/step/"+step, o)
		},
	}
	addWhy(command)
	return command
}

func newKeyDestroyCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "destroy KEY --yes",
		Short: "Forget a key, for good",
		Long: "Removes the key from memory and from the key store; its record stays, so that it can't\n" +
			"come back. What is under it can't be opened any more.",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeKeys,
		RunE: func(command *cobra.Command, args []string) error {
			o, err := order(command)
			if err != nil {
				return err
			}
			if yes, _ := command.Flags().GetBool("yes"); !yes {
				return wrongUsage("a destroyed key doesn't come back", "add --yes if that is meant")
			}
			o.Key = args[0]
			return keyDone(command, "/v1/keys/destroy", o)
		},
	}
	addWhy(command)
	command.Flags().Bool("yes", false, "it is meant")
	return command
}

// completeKeys asks the switch; without one there is nothing to offer.
func completeKeys(command *cobra.Command, _ []string, _ string) ([]string,
	cobra.ShellCompDirective) {
	c, err := newClient(command)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var lines []admin.KeyLine
	if err := c.get(command.Context(), "/v1/keys", nil, &lines); err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for i := range lines {
		names = append(names, lines[i].Key)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
