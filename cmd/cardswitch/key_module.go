package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"cardswitch/hsm/pkcs11"
	cardswitch "cardswitch/switch"
	"cardswitch/switch/keys"
)

func newKeyAdoptCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "adopt KEY --block FILE",
		Short: "Bring a KBPK into the payment HSMs",
		Long: "A KBPK is in the payment HSMs and in the module beside them. Its custodians hold a\n" +
			"ceremony here, and enter the same components at the console of a payment HSM, which\n" +
			"gives a key block under its LMK: that block is adopted, if the check values agree. In\n" +
			"production an approver does it, not who asked for the ceremony.",
		Example: "  cardswitch key ceremony start kbpk:sakura --why 'keys with sakura'\n" +
			"  cardswitch key adopt kbpk:sakura@1 --block console.txt --why 'keys with sakura'",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeKeys,
		RunE: func(command *cobra.Command, args []string) error {
			o, err := order(command)
			if err != nil {
				return err
			}
			name, _ := command.Flags().GetString("block")
			if name == "" {
				return wrongUsage("the block is missing", "as --block FILE, or - for standard input")
			}
			text, err := readSmall(command, name)
			if err != nil {
				return err
			}
			o.Key, o.Block = args[0], strings.TrimSpace(string(text))
			return keyDone(command, "/v1/keys/adopt", o)
		},
	}
	addWhy(command)
	command.Flags().String("block", "", "file with the console's key block, or -")
	return command
}

func newKeyTokenCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "token",
		Short: "Make the keys that stay in a PKCS#11 token",
		Long: "Makes the three keys of cardswitch in the token that the configuration names, once,\n" +
			"before the first start: all other keys are under them. The vendor's means copy them to\n" +
			"a second token. A token that has such keys is left as it is.",
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			l, err := loadValid(command.Flags())
			if err != nil {
				return err
			}
			if !l.Keys.Has(cardswitch.ModulePKCS11) {
				return wrongUsage("the configuration names no token", "keys.module: pkcs11, keys.pkcs11")
			}
			if err := pkcs11.Create(keys.TokenConfig(&l.Config)); err != nil {
				return failed(fmt.Errorf("make the keys of the token: %w", err),
					"`cardswitch config check` looks at keys.pkcs11")
			}
			_, err = fmt.Fprintf(command.OutOrStdout(), "token %s has its keys\n", l.Keys.PKCS11.Token)
			return err
		},
	}
	return command
}
