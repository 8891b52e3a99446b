package main

import (
	"fmt"
	"os/user"
	"time"

	"github.com/spf13/cobra"

	"cardswitch/switch/admin"
)

func newWorklistCommand() *cobra.Command {
	return group("worklist", "Decide about advices that could not be delivered",
		newWorklistListCommand(),
		newWorklistActCommand("retry", "Deliver an advice after all"),
		newWorklistActCommand("drop", "Give an advice up, for good"),
	)
}

func newWorklistListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "Show what waits for a person",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return show(command, "/v1/worklist", nil, printWorklist)
		},
	}
}

func printWorklist(command *cobra.Command, items []admin.WorkItem) error {
	t := newTable(command, "ID", "TXN", "CENTER", "MTI", "STAN", "CARD", "AMOUNT", "ACTION",
		"FOR", "REASON", "WHY")
	for _, i := range items {
		t.row(i.ID, i.Txn, i.Center, i.MTI, i.STAN, i.PAN, i.Amount, i.Action,
			ago(time.Now(), i.Since), i.ReasonText, i.Shelved)
	}
	return t.flush()
}

func newWorklistActCommand(what, short string) *cobra.Command {
	command := &cobra.Command{
		Use:   what + " ID --why TEXT",
		Short: short,
		Long:  short + ". Who did it and why are kept in the journal.",
		Args:  cobra.ExactArgs(1),

		ValidArgsFunction: completeWorklist(),
		RunE: func(command *cobra.Command, args []string) error {
			who, _ := command.Flags().GetString("who")
			why, _ := command.Flags().GetString("why")
			if why == "" {
				return wrongUsage("--why is missing", "say in a sentence why you "+what+" it")
			}
			signed := struct{ Who, Why string }{who, why}
			return act(command, fmt.Sprintf("/v1/worklist/%s/%s", args[0], what), signed)
		},
	}
	command.Flags().String("who", currentUser(), "who decides")
	command.Flags().String("why", "", "the reason, kept in the journal")
	return command
}

func currentUser() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return ""
}
