package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"
)

func newSimCommand() *cobra.Command {
	return group("sim", "Play a center or an HSM that the switch talks to",
		newSimPOSCommand(), newSimIssuerCommand(), newSimHSMCommand())
}

// readOptions reads a simulator's file, if one is named, over what options holds already.
func readOptions(command *cobra.Command, options any) error {
	name, _ := command.Flags().GetString("file")
	if name == "" {
		return nil
	}
	return decodeOptions(command, name, options)
}

// decodeOptions reads a simulator's options from a file.
func decodeOptions(command *cobra.Command, name string, options any) error {
	file, err := os.Open(name)
	if err != nil {
		return wrongUsage(err.Error(), "name a file of options")
	}
	defer file.Close()
	decoder := yaml.NewDecoder(file)
	decoder.KnownFields(true)
	if err := decoder.Decode(options); err != nil {
		return wrongUsage(fmt.Sprintf("%s: %v", name, err), "see `"+command.CommandPath()+" --help`")
	}
	return nil
}

// simCommands gives a simulator the lines of standard input and prints what came of each. One that
// ends with & isn't waited for.
func simCommands(command *cobra.Command,
	do func(ctx context.Context, line string) (string, error)) {
	lines := bufio.NewScanner(command.InOrStdin())
	one := func(line string) {
		answer, err := do(command.Context(), line)
		if err != nil {
			fmt.Fprintln(command.ErrOrStderr(), err)
		} else if answer != "" {
			fmt.Fprintln(command.OutOrStdout(), answer)
		}
	}
	for lines.Scan() {
		if line, beside := strings.CutSuffix(lines.Text(), "&"); beside {
			go one(line)
		} else {
			one(line)
		}
	}
}

// override sets a value if its flag was given, so that flags stand over the file.
func override[T any](command *cobra.Command, flag string, to *T, get func(string) (T, error)) {
	if command.Flags().Changed(flag) {
		if value, err := get(flag); err == nil {
			*to = value
		}
	}
}
