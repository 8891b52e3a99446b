package main

import "github.com/spf13/cobra"

func newReloadCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "reload",
		Short: "Let the switch read its configuration again",
		Long: "Lets the running switch read its configuration again: centers, links, rules and routes\n" +
			"change without a stop. A configuration with a fault changes nothing and is refused\n" +
			"with every fault named. SIGHUP does the same, and tells its faults to the log.",
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return act(command, "/v1/reload", nil)
		},
	}
}
