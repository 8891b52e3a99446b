package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"cardswitch/spec"
	"cardswitch/spec/rule"
)

// decoded is a message as -o json shows it.
type decoded struct {
	Dialect  string      `json:"dialect"`
	MTI      string      `json:"mti"`
	Name     string      `json:"name"`
	Bytes    int         `json:"bytes"`
	Fault    string      `json:"fault,omitempty"`
	Elements []spec.Line `json:"elements"`
}

func newMessageDecodeCommand() *cobra.Command {
	var flags messageFlags
	var check, strict bool
	command := &cobra.Command{
		Use:   "decode [MESSAGE|@FILE|-]",
		Short: "Say what a message says; card data is masked",
		Long: "Says what a message says, element by element, with the meaning of its codes. Card\n" +
			"data is masked, always. Of a message with a fault the sound elements are shown.\n" +
			messageInput,
		Example: "  cardswitch message decode 31323030... --check\n" +
			"  cardswitch message decode --dialect bcd-left --format raw --skip 2 @frame.bin",
		Args: cobra.MaximumNArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			d, err := openDialect(flags.dialect)
			if err != nil {
				return err
			}
			raw, err := flags.read(command, firstOf(args))
			if err != nil {
				return err
			}
			m := new(spec.Message)
			fault := d.Index(m, raw)
			if fault.OK() && (check || strict) {
				fault = rulesOf(strict).Check(m)
			}
			if err := printDecoded(command, m, len(raw), fault); err != nil {
				return err
			}
			return decodeFailure(fault)
		},
	}
	flags.add(command)
	flags.addSkip(command)
	command.Flags().BoolVar(&check, "check", false, "check that it has what its kind must have")
	command.Flags().BoolVar(&strict, "strict", false, "and that it has nothing its kind doesn't use")
	return command
}

func firstOf(args []string) string {
	if len(args) == 0 {
		return "-"
	}
	return args[0]
}

func rulesOf(strict bool) *rule.Rules {
	if strict {
		return rule.Standard().Strict()
	}
	return rule.Standard()
}

func printDecoded(command *cobra.Command, m *spec.Message, bytes int, fault spec.Fault) error {
	lines := spec.Describe(m)
	if wantsJSON(command) {
		shown := decoded{Dialect: m.Dialect().Name(), MTI: m.MTI().String(), Name: m.MTI().Name(),
			Bytes: bytes, Elements: lines[1:]}
		if err := fault.Err(); err != nil {
			shown.Fault = err.Error()
		}
		return printJSON(command, shown)
	}
	for _, line := range lines {
		if _, err := fmt.Fprintln(command.OutOrStdout(), line); err != nil {
			return err
		}
	}
	return nil
}

func decodeFailure(fault spec.Fault) error {
	if fault.OK() {
		return nil
	}
	hint := "is it another dialect? `--skip` leaves out a length or a TPDU in front"
	switch fault.Kind {
	case spec.FaultMissing, spec.FaultNotAllowed, spec.FaultValue:
		hint = "a center's rules: in its configuration can relax or require elements"
	}
	return failed(fault.Err(), hint)
}
