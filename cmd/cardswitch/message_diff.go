package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"cardswitch/spec"
)

func newMessageDiffCommand() *cobra.Command {
	var flags messageFlags
	var second string
	command := &cobra.Command{
		Use:   "diff MESSAGE|@FILE MESSAGE|@FILE|-",
		Short: "Say which elements of two messages differ; card data is masked",
		Long: "Says which elements of two messages differ in what they say, whatever their dialects\n" +
			"write it as. Exits with 1 if any does.\n" + messageInput,
		Example: "  cardswitch message diff @merchant.hex @issuer.hex --dialect ascii-binary " +
			"--second bcd-left",
		Args: cobra.ExactArgs(2),
		RunE: func(command *cobra.Command, args []string) error {
			if second == "" {
				second = flags.dialect
			}
			var messages [2]*spec.Message
			for i, name := range []string{flags.dialect, second} {
				m, err := flags.index(command, name, args[i])
				if err != nil {
					return err
				}
				messages[i] = m
			}
			return printDiff(command, spec.Diff(messages[0], messages[1]))
		},
	}
	flags.add(command)
	flags.addSkip(command)
	command.Flags().StringVar(&second, "second", "", "dialect of the second (default: as the first)")
	return command
}

// index reads a message of one dialect, which must be without a fault.
func (f *messageFlags) index(command *cobra.Command, name, word string) (*spec.Message, error) {
	d, err := openDialect(name)
	if err != nil {
		return nil, err
	}
	raw, err := f.read(command, word)
	if err != nil {
		return nil, err
	}
	m := new(spec.Message)
	if fault := d.Index(m, raw); !fault.OK() {
		return nil, failed(fmt.Errorf("in %s: %w", name, fault.Err()),
			"`cardswitch message decode` shows what is sound of it")
	}
	return m, nil
}

func printDiff(command *cobra.Command, list []spec.Difference) error {
	if wantsJSON(command) {
		if list == nil {
			list = []spec.Difference{}
		}
		if err := printJSON(command, list); err != nil {
			return err
		}
	} else if len(list) > 0 {
		t := newTable(command, "ELEMENT", "NAME", "FIRST", "SECOND", "NOTE")
		for _, d := range list {
			number := fmt.Sprint(d.Element)
			if d.Element == 0 {
				number = "MTI"
			}
			t.row(number, d.Name, d.First, d.Second, d.Note)
		}
		if err := t.flush(); err != nil {
			return err
		}
	}
	if len(list) > 0 {
		return &failure{Code: exitFailed}
	}
	return nil
}
