package main

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"cardswitch/dr/backup"
)

func newBackupRestoreCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "restore [ID] --into FOLDER",
		Short: "Bring a backup into a folder that isn't there yet",
		Long: "Brings the newest backup with all tails behind it, or the backup named as it is, into\n" +
			"a new folder and checks it as `backup verify` does; the folder appears only if all of\n" +
			"it is good. --to-seq and --to-time bring back a moment: nothing after it is there.\n" +
			"Nothing is ever restored over something. What the node needs besides, and what to do\n" +
			"next, is printed. With a `cluster` the node that starts on it serves nobody, and stops\n" +
			"nobody, until two people have agreed: see `cluster promote`.",
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
	flags := command.Flags()
	flags.String("into", "", "the folder, which must not be there")
	flags.Uint64("to-seq", 0, "the last record that may be there")
	flags.String("to-time", "", "no record after this time, as 2026-11-26T14:05:00+09:00")
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
	point, err := pointOf(command, args)
	if err != nil {
		return err
	}
	c, err := choose(command, args)
	if err != nil {
		return err
	}
	if into, err = filepath.Abs(into); err != nil {
		return err
	}
	var report backup.Report
	if len(args) == 1 {
		report, err = c.RestoreChecked(command.Context(), &c.manifest, into, c.key, progressOf(command))
	} else {
		report, c.manifest, err = c.RestoreTo(command.Context(), point, into, c.key, progressOf(command))
	}
	if err != nil {
		return err
	}
	if last := report.Journal.Last; point.Seq > last {
		fmt.Fprintf(command.ErrOrStderr(), "record %d isn't in it: it ends with record %d, the last "+
			"that was copied, or the last of a batch\n", point.Seq, last)
	}
	if wantsJSON(command) {
		return printJSON(command, backupRestored{report, into, c.manifest.Elsewhere})
	}
	if err := printSound(command, &report); err != nil {
		return err
	}
	return printNext(command, into, &c.manifest, report.Journal.Last)
}

// pointOf is the moment that flags name.
func pointOf(command *cobra.Command, args []string) (p backup.Point, err error) {
	p.Seq, _ = command.Flags().GetUint64("to-seq")
	text, _ := command.Flags().GetString("to-time")
	if text != "" {
		if p.Time, err = time.Parse(time.RFC3339, text); err != nil {
			return p, wrongUsage("--to-time is no time", "write it as 2026-11-26T14:05:00+09:00")
		}
	}
	if p != (backup.Point{}) && len(args) > 0 {
		return p, wrongUsage("a moment is named, and a backup too", "the right backup is found by itself")
	}
	return p, nil
}

// printNext says what a restored folder needs before a switch runs on it.
func printNext(command *cobra.Command, into string, m *backup.Manifest, last uint64) error {
	out := command.OutOrStdout()
	fmt.Fprintf(out, "\nit is in %s. Next:\n", into)
	fmt.Fprintf(out, "  1. be sure that the node %s doesn't run anywhere, nor another one of its\n"+
		"     cluster: they have what came later; `cluster promote` lets one of those go on\n", m.Node)
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
	fmt.Fprintf(out, "  4. `cardswitch config check`, then `cardswitch start`\n"+
		"  5. with a `cluster`, two people let it serve: `cardswitch cluster promote --why`,\n"+
		"     then --consent; old nodes that hear of it stop for good, others join with an\n"+
		"     empty folder. Without one it serves at once\n")
	_, err := fmt.Fprintf(out, "  6. what happened after record %d is not in it: compare with every "+
		"center (`cardswitch settle reconcile`)\n", last)
	return err
}
