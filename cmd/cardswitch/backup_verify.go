package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"cardswitch/dr/backup"
)

func newBackupVerifyCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "verify [ID]",
		Short: "Restore a backup to a scratch folder and check everything",
		Long: "Restores the newest backup with the tails behind it, or the one named as it is, into a\n" +
			"scratch folder, opens its journal as a switch would and checks every object's seal,\n" +
			"every record's, the chain of hashes, where the journal ends, what is owed, and that the\n" +
			"totals are what the records come to. The scratch folder needs as much space as the\n" +
			"journal. Exits with 3 if the backup isn't sound.",
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: completeBackups,
		RunE: func(command *cobra.Command, args []string) error {
			return verifyBackup(command, args)
		},
	}
	backupFlags(command)
	dataKeyFlag(command)
	command.Flags().String("scratch", "", "folder for the scratch folder (default: the system's)")
	return command
}

func dataKeyFlag(command *cobra.Command) {
	command.Flags().String("data-key", "", "file of the data key (default: data.key_file)")
}

// chosen is the backup that a command is about, and the data key of its journal.
type chosen struct {
	*backup.Repository
	manifest backup.Manifest
	key      backup.DataKey
}

// choose finds the backup that arguments and flags name. The data key must be the one under which
// its journal was written.
func choose(command *cobra.Command, args []string) (*chosen, error) {
	r, l, err := backups(command)
	if err != nil {
		return nil, err
	}
	c := &chosen{Repository: r, key: backup.DataKey{File: l.Data.KeyFile}}
	if file, _ := command.Flags().GetString("data-key"); file != "" {
		c.key.File = file
	}
	id := ""
	if len(args) == 1 {
		id = args[0]
	}
	if c.manifest, err = r.Find(command.Context(), id); err != nil {
		return nil, err
	}
	return c, c.key.Opens(&c.manifest)
}

func verifyBackup(command *cobra.Command, args []string) error {
	c, err := choose(command, args)
	if err != nil {
		return err
	}
	in, _ := command.Flags().GetString("scratch")
	scratch, err := os.MkdirTemp(in, "cardswitch-verify-")
	if err != nil {
		return err
	}
	folder, report := filepath.Join(scratch, "data"), backup.Report{}
	if len(args) == 1 {
		report, err = c.Verify(command.Context(), &c.manifest, folder, c.key, progressOf(command))
	} else {
		report, err = c.VerifyTo(command.Context(), backup.Point{}, folder, c.key, progressOf(command))
	}
	err = errors.Join(err, os.RemoveAll(scratch))
	if errors.Is(err, backup.ErrDamaged) {
		return &failure{Code: exitUnhealthy, What: err}
	}
	if err == nil {
		err = c.Prove(command.Context(), report.ID)
	}
	if err != nil {
		return err
	}
	if wantsJSON(command) {
		return printJSON(command, report)
	}
	return printSound(command, &report)
}

func printSound(command *cobra.Command, r *backup.Report) error {
	out := command.OutOrStdout()
	totals := fmt.Sprintf("totals are what they come to (%d)", r.Totals)
	if r.TotalsLeft {
		totals = "totals weren't added up, as retention has dropped records"
	}
	if r.Redone != nil {
		totals = fmt.Sprintf("%d entries of %s brought back; %s", r.Redone.Entries,
			many(r.Redone.Tails, "tail"), totals)
		if r.Redone.Gap != "" {
			totals = "the tails end early, as " + r.Redone.Gap + "; " + totals
		}
	}
	_, err := fmt.Fprintf(out, "backup %s is sound: %d files of %s, records %d to %d in %d chunks, "+
		"the last of %s;\n%s; %d advices owed, %d on the work list; restored in %s, checked in %s\n",
		r.ID, r.Files, megabytes(r.Bytes), r.Journal.First, r.Journal.Last, r.Journal.Chunks,
		r.At.Local().Format(time.DateTime), totals, r.Owed, r.Shelved,
		r.Restored.Round(time.Millisecond), (r.Took - r.Restored).Round(time.Millisecond))
	return err
}
