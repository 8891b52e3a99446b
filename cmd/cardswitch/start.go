package main

import (
	"errors"

	"github.com/spf13/cobra"
)

func newStartCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "start",
		Short: "Run the switch",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			if _, err := loadValid(command.Flags()); err != nil {
				return err
			}
			return failed(errors.New("there is no switch to run yet"), "")
		},
	}
	addSettings(command.Flags())
	return command
}
