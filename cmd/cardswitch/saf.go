package main

import (
	"time"

	"github.com/spf13/cobra"

	cardswitch "cardswitch/switch"
)

func newSAFCommand() *cobra.Command {
	return group("saf", "See what is stored to be forwarded", newSAFListCommand())
}

func newSAFListCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "list",
		Short: "Show how much each center must still get",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return show(command, "/v1/saf", nil, printQueues)
		},
	}
	command.Flags().Bool("all", false, "show the oldest advices too")
	return command
}

func printQueues(command *cobra.Command, queues []cardswitch.QueueStatus) error {
	all, _ := command.Flags().GetBool("all")
	if all {
		return printOwed(command, queues)
	}
	t := newTable(command, "CENTER", "DEPTH", "IN FLIGHT", "HELD", "OLDEST", "SHELVED", "ALARM")
	for _, q := range queues {
		oldest := ""
		if len(q.Owed) > 0 {
			oldest = ago(time.Now(), q.Owed[0].Since)
		}
		t.row(q.Center, q.Depth, q.InFlight, q.Held, oldest, q.Shelved, yesNo(q.Alarm))
	}
	return t.flush()
}

func printOwed(command *cobra.Command, queues []cardswitch.QueueStatus) error {
	t := newTable(command, "ID", "TXN", "CENTER", "MTI", "STAN", "OWED FOR", "ATTEMPTS", "WHY")
	for _, q := range queues {
		for _, o := range q.Owed {
			t.row(o.ID, o.Txn, o.Center, o.MTI, o.STAN, ago(time.Now(), o.Since), o.Attempts, o.Why)
		}
	}
	return t.flush()
}
