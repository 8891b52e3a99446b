package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"cardswitch/dr/backup"
)

func newBackupListCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "list",
		Short: "Show the backups at the target, the newest last",
		Args:  cobra.NoArgs,
		RunE:  func(command *cobra.Command, _ []string) error { return listBackups(command) },
	}
	backupFlags(command)
	return command
}

// backupLine is a backup as `backup list -o json` shows it.
type backupLine struct {
	backup.Manifest
	Verified *time.Time `json:"verified,omitempty"` // when it was found sound
}

func listBackups(command *cobra.Command) error {
	r, _, err := backups(command)
	if err != nil {
		return err
	}
	list := []backupLine{}
	proven, err := r.Proven(command.Context())
	if err != nil {
		return err
	}
	ids, err := r.IDs(command.Context())
	if err != nil {
		return err
	}
	for _, id := range ids {
		m, err := r.Manifest(command.Context(), id)
		if err != nil {
			return err
		}
		m.Listing = nil // of use to nobody
		line := backupLine{Manifest: m}
		for i := range proven {
			if proven[i].ID == id {
				line.Verified = &proven[i].At
			}
		}
		list = append(list, line)
	}
	if wantsJSON(command) {
		return printJSON(command, list)
	}
	t := newTable(command, "ID", "NODE", "ENDED", "RECORDS", "OF", "FILES", "BYTES", "NEW", "TOOK",
		"VERIFIED")
	for i := range list {
		m := &list[i]
		t.row(m.ID, m.Node, m.Ended.Local().Format(time.DateTime),
			fmt.Sprintf("%d-%d", m.Journal.First, m.Journal.Last),
			m.Journal.At.Local().Format(time.DateTime), m.Files, megabytes(m.Bytes),
			megabytes(m.Copied), m.Ended.Sub(m.Begun).Round(time.Millisecond), momentOf(m.Verified))
	}
	return t.flush()
}

// completeBackups offers the backups at the target.
func completeBackups(command *cobra.Command, args []string, _ string) ([]string,
	cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	r, _, err := backups(command)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ids, _ := r.IDs(command.Context())
	return ids, cobra.ShellCompDirectiveNoFileComp
}
