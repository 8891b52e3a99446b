package main

import (
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"cardswitch/store/journal"
	"cardswitch/switch/admin"
)

// What a shell offers comes from the running switch where only that knows it; without one there is
// nothing to offer.

type completion = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective)

// completeFlag offers words for a flag of the command.
func completeFlag(command *cobra.Command, flag string, words completion) {
	_ = command.RegisterFlagCompletionFunc(flag, words) // fails only for a flag that isn't there
}

func fixed(words ...string) completion {
	return cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)
}

// asked offers what the switch says.
func asked[T any](path string, word func(*T) string) completion {
	return func(command *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		c, err := newClient(command)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var list []T
		if err := c.get(command.Context(), path, nil, &list); err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var words []string
		for i := range list {
			words = append(words, word(&list[i]))
		}
		return slices.Compact(words), cobra.ShellCompDirectiveNoFileComp
	}
}

// completeShards offers those of the configuration.
func completeShards() completion {
	return func(command *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		l, err := load(command.Flags())
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return l.Shards(), cobra.ShellCompDirectiveNoFileComp
	}
}

func completeLinks() completion {
	return asked("/v1/links", func(l *admin.LinkLine) string { return l.Center + "/" + l.Link })
}

func completeCenters() completion {
	return asked("/v1/links", func(l *admin.LinkLine) string { return l.Center })
}

func completeWorklist() completion {
	return asked("/v1/worklist",
		func(i *admin.WorkItem) string { return strconv.FormatUint(i.ID, 10) })
}

// completeKinds offers the kinds of journal records.
func completeKinds() completion { return fixed(recordKinds()...) }

func recordKinds() []string {
	var kinds []string
	for k := journal.Opened; k.String() != "unknown"; k++ {
		if name := k.String(); name != "" { // a number that is none
			kinds = append(kinds, name)
		}
	}
	return kinds
}
