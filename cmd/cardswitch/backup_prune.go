package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"cardswitch/dr/backup"
	cardswitch "cardswitch/switch"
)

func newBackupPruneCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "prune",
		Short: "Remove backups that needn't be kept any more",
		Long: "Keeps what backup.keep in the configuration says, or the flags: the newest backups,\n" +
			"and the newest of each of so many hours, days, weeks and months that have one. The\n" +
			"newest one, and the newest that was verified, always stay; nothing is removed while the\n" +
			"newest isn't whole. A switch that makes backups by itself does this once a day.",
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error { return pruneBackups(command) },
	}
	backupFlags(command)
	flags := command.Flags()
	flags.Bool("dry-run", false, "only say what would go")
	flags.Int("keep-last", 0, "of the newest, so many")
	flags.Int("keep-hourly", 0, "of so many hours, the newest")
	flags.Int("keep-daily", 0, "of so many days")
	flags.Int("keep-weekly", 0, "of so many weeks")
	flags.Int("keep-monthly", 0, "of so many months")
	return command
}

func keepOf(c *cardswitch.KeepConfig) backup.Keep {
	return backup.Keep{Last: c.Last, Hourly: c.Hourly, Daily: c.Daily, Weekly: c.Weekly,
		Monthly: c.Monthly, Tails: c.Tails}
}

// keepFlags are the configuration's, if no flag says anything else.
func keepFlags(command *cobra.Command, c *cardswitch.KeepConfig) backup.Keep {
	keep, given := backup.Keep{Tails: c.Tails}, false
	for name, value := range map[string]*int{"keep-last": &keep.Last, "keep-hourly": &keep.Hourly,
		"keep-daily": &keep.Daily, "keep-weekly": &keep.Weekly, "keep-monthly": &keep.Monthly} {
		*value, _ = command.Flags().GetInt(name)
		given = given || command.Flags().Changed(name)
	}
	if !given {
		return keepOf(c)
	}
	return keep
}

func pruneBackups(command *cobra.Command) error {
	r, l, err := backups(command)
	if err != nil {
		return err
	}
	dry, _ := command.Flags().GetBool("dry-run")
	p, err := r.Prune(command.Context(), keepFlags(command, &l.Backup.Keep), dry)
	if err != nil {
		return err
	}
	if wantsJSON(command) {
		return printJSON(command, p)
	}
	t := newTable(command, "BACKUP", "DOES")
	for _, id := range p.Removed {
		t.row(id, "go")
	}
	for _, id := range p.Kept {
		t.row(id, "stay")
	}
	if err := t.flush(); err != nil {
		return err
	}
	done := "removed"
	if dry {
		done = "would be removed"
	}
	_, err = fmt.Fprintf(command.OutOrStdout(), "%s, %s and %s of %s %s\n",
		many(len(p.Removed), "backup"), many(p.Tails, "tail"), many(p.Objects, "object"),
		megabytes(p.Bytes), done)
	return err
}
