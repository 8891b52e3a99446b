package main

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"cardswitch/dr/backup"
)

func newBackupRestoreCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "restore [ID] --into FOLDER",
		Short: "Bring a backup into a folder that isn't there yet",
		Long: "Brings the newest backup, or the one named, into a new folder and checks it as\n" +
			"`backup verify` does; the folder appears only if all of it is good. Nothing is ever\n" +
			"restored over something. What the node needs besides, and what to do next, is printed.",
		Example: "  cardswitch backup restore --target /mnt/backup --key backup.key \\\n" +
			"      --data-key data.key --into data",
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: completeBackups,
		RunE: func(command *cobra.Command, args []string) error {
			return restoreBackup(command, args)
		},
	}
	backupFlags(command)
	dataKeyFlag(command)
	command.Flags().String("into", "", "the folder, which must not be there")
	return command
}

// backupRestored is what `backup restore -o json` says.
type backupRestored struct {
	backup.Report
	Into      string             `json:"into"`
	Elsewhere []backup.Elsewhere `json:"elsewhere"` // what the node needs besides
}

func restoreBackup(command *cobra.Command, args []string) error {
	into, _ := command.Flags().GetString("into")
	if into == "" {
		return wrongUsage("--into is missing", "name a folder that isn't there yet")
	}
	c, err := choose(command, args)
	if err != nil {
		return err
	}
	if into, err = filepath.Abs(into); err != nil {
		return err
	}
	report, err := c.RestoreChecked(command.Context(), &c.manifest, into, c.key, progressOf(command))
	if err != nil {
		return err
	}
	if wantsJSON(command) {
		return printJSON(command, backupRestored{report, into, c.manifest.Elsewhere})
	}
	if err := printSound(command, &report); err != nil {
		return err
	}
	return printNext(command, into, &c.manifest)
}

// printNext says what a restored folder needs before a switch runs on it.
func printNext(command *cobra.Command, into string, m *backup.Manifest) error {
	out := command.OutOrStdout()
	fmt.Fprintf(out, "\nit is in %s. Next:\n", into)
	fmt.Fprintf(out, "  1. be sure that the node %s doesn't run anywhere\n", m.Node)
	fmt.Fprintf(out, "  2. bring from their safe places what is in no backup:\n")
	for _, e := range m.Elsewhere {
		id, path := "", ""
		if e.ID != "" {
			id = " " + e.ID
		}
		if e.Path != "" {
			path = " (was " + e.Path + ")"
		}
		fmt.Fprintf(out, "       %s%s%s\n", e.What, id, path)
	}
	fmt.Fprintf(out, "  3. put the configuration in %s to its place, with data.dir: %s\n",
		filepath.Join(into, "config"), into)
	fmt.Fprintf(out, "  4. `cardswitch config check`, then `cardswitch start`\n")
	_, err := fmt.Fprintf(out, "  5. what happened after record %d is not in it: compare with every "+
		"center (`cardswitch settle reconcile`)\n", m.Journal.Last)
	return err
}
