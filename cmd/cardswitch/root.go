package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func newRootCommand() *cobra.Command {
	root := group("cardswitch", "ISO 8583:1993 switch between merchants and card issuers",
		newStartCommand(),
		newAuditCommand(),
		newBackupCommand(),
		newCheckCommand(),
		newClusterCommand(),
		newConfigCommand(),
		newJournalCommand(),
		newKeyCommand(),
		newLinkCommand(),
		newMessageCommand(),
		newNegativeCommand(),
		newRouteCommand(),
		newSAFCommand(),
		newSettleCommand(),
		newStandInCommand(),
		newTokenCommand(),
		newWorklistCommand(),
		newStatusCommand(),
		newReloadCommand(), newRestartCommand(),
		newSimCommand(),
		newDemoCommand(),
		newConformCommand(),
		newBenchCommand(),
		newTortureCommand(),
		newDrillCommand(),
		newCrashCommand(),
		newVersionCommand(),
	)
	root.Long = root.Short + ".\n\n" + exitCodes
	root.SilenceErrors = true
	root.SilenceUsage = true
	flags := root.PersistentFlags()
	flags.VarP(newChoice("table", "json"), "output", "o", "table or json")
	completeFlag(root, "output", fixed("table", "json"))
	flags.StringP("config", "c", "", "configuration file (default cardswitch.yaml, if there)")
	flags.String("socket", "", "operators' socket (default: the configuration's)")
	flags.String("shard", "", "the shard that is meant, where the configuration has several")
	completeFlag(root, "shard", completeShards())
	sayArguments(root)
	root.SetFlagErrorFunc(wrongFlag)
	return root
}

// sayArguments has all commands below say in our words what is wrong with their arguments.
func sayArguments(command *cobra.Command) {
	for _, verb := range command.Commands() {
		sayArguments(verb)
	}
	fit := command.Args
	if fit == nil {
		return
	}
	command.Args = func(command *cobra.Command, args []string) error {
		if fit(command, args) != nil {
			return wrongArguments(command, args, fit)
		}
		var missing []string
		command.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Annotations[cobra.BashCompOneRequiredFlag] != nil && !f.Changed {
				missing = append(missing, "--"+f.Name)
			}
		})
		if len(missing) == 0 {
			return nil
		}
		is := " is"
		if len(missing) > 1 {
			is = " are"
		}
		return wrongUsage(strings.Join(missing, " and ")+is+" missing", usageHint(command))
	}
}

// wrongArguments names the first one that is too many, if one is.
func wrongArguments(command *cobra.Command, args []string, fit cobra.PositionalArgs) error {
	for n := range args {
		if fit(command, args[:n]) == nil {
			return wrongUsage(fmt.Sprintf("%q is one argument too many", args[n]), usageHint(command))
		}
	}
	return wrongUsage("an argument is missing", usageHint(command))
}

// wrongFlag says what is wrong with a flag; of a noun's verb that there is none, that comes first.
func wrongFlag(command *cobra.Command, err error) error {
	if args := command.Flags().Args(); command.HasSubCommands() && len(args) > 0 {
		return noVerb(command, args[0])
	}
	hint := "see `" + command.CommandPath() + " --help`"
	var invalid *pflag.InvalidValueError
	if !errors.As(err, &invalid) {
		return wrongUsage(err.Error(), hint)
	}
	want := ""
	switch flag := invalid.GetFlag(); flag.Value.Type() {
	case "int", "int64", "uint", "uint64", "float64":
		want = "a number"
	case "duration":
		want = "a duration, as 30s or 5m"
	default:
		return wrongUsage(err.Error(), hint)
	}
	return wrongUsage(fmt.Sprintf("--%s takes %s, not %q", invalid.GetFlag().Name, want,
		invalid.GetValue()), hint)
}

func usageHint(command *cobra.Command) string {
	return fmt.Sprintf("`%s`; see `%s --help`", strings.TrimSuffix(command.UseLine(), " [flags]"),
		command.CommandPath())
}

// startedRunning tells whether Execute came as far as the command itself.
func startedRunning(root *cobra.Command) *bool {
	began := new(bool)
	root.PersistentPreRun = func(*cobra.Command, []string) { *began = true }
	return began
}

// group is a noun: it does nothing but hold its verbs.
func group(use, short string, verbs ...*cobra.Command) *cobra.Command {
	command := &cobra.Command{Use: use, Short: short}
	command.AddCommand(verbs...)
	command.RunE = func(command *cobra.Command, args []string) error {
		if len(args) == 0 {
			return command.Help()
		}
		return noVerb(command, args[0])
	}
	command.Args = cobra.ArbitraryArgs
	return command
}

func noVerb(command *cobra.Command, word string) error {
	hint := fmt.Sprintf("see `%s --help`", command.CommandPath())
	command.SuggestionsMinimumDistance = 2
	if near := command.SuggestionsFor(word); len(near) > 0 {
		hint = "did you mean " + strings.Join(near, " or ") + "?"
	}
	return wrongUsage(fmt.Sprintf("%s has no %q", command.CommandPath(), word), hint)
}

// choice is a flag that takes one of a few words.
type choice struct {
	value   string
	allowed []string
}

func newChoice(allowed ...string) *choice { return &choice{allowed[0], allowed} }

func (c *choice) String() string { return c.value }
func (c *choice) Type() string   { return strings.Join(c.allowed, "|") }

// Set is the flag package's.
func (c *choice) Set(value string) error {
	if !slices.Contains(c.allowed, value) {
		return fmt.Errorf("use %s", strings.Join(c.allowed, " or "))
	}
	c.value = value
	return nil
}
