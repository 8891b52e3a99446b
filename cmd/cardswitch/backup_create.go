package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"cardswitch/dr/backup"
	"cardswitch/store"
	"cardswitch/switch/admin"
)

func newBackupCreateCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "create",
		Short: "Make a backup now",
		Long: "Asks the running switch, which goes on meanwhile. With --offline a switch that is\n" +
			"stopped is copied. What is interrupted is no backup, and the next one goes on there.",
		Example: "  cardswitch backup create --why 'before the upgrade'",
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			if offline, _ := command.Flags().GetBool("offline"); offline {
				return createOffline(command)
			}
			return createOnline(command)
		},
	}
	backupFlags(command)
	flags := command.Flags()
	flags.Bool("offline", false, "copy the data folder of a switch that is stopped")
	flags.Bool("whole", false, "read and write everything anew, which mends a damaged target")
	flags.String("why", "", "the reason, kept in the audit log")
	return command
}

func createOnline(command *cobra.Command) error {
	c, err := newClient(command)
	if err != nil {
		return err
	}
	var order admin.BackupOrder
	order.Why, _ = command.Flags().GetString("why")
	order.Whole, _ = command.Flags().GetBool("whole")
	response, err := c.send(command.Context(), http.MethodPost, "/v1/backup", nil, order)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	made, err := readBackup(command, response.Body)
	if err != nil {
		return c.unreachable(err)
	}
	if made.Error != "" {
		return failed(errors.New(made.Error), made.Hint)
	}
	return printBackup(command, made)
}

// readBackup shows how far it is on standard error, and returns the last line.
func readBackup(command *cobra.Command, body io.Reader) (*admin.BackupMade, error) {
	decoder := json.NewDecoder(body)
	for {
		var line struct {
			Progress *backup.Progress `json:"progress"`
			admin.BackupMade
		}
		if err := decoder.Decode(&line); err != nil {
			return nil, err
		}
		if line.Progress == nil {
			return &line.BackupMade, nil
		}
		progressOf(command)(*line.Progress)
	}
}

// progressOf shows how far it is on standard error.
func progressOf(command *cobra.Command) func(backup.Progress) {
	return func(p backup.Progress) {
		fmt.Fprintf(command.ErrOrStderr(), "%s of %s\n", megabytes(p.Done), megabytes(p.Of))
	}
}

func createOffline(command *cobra.Command) error {
	r, l, err := backups(command)
	if err != nil {
		return err
	}
	journal, err := store.Open(store.Options{Dir: l.Data.Dir, KeyFile: l.Data.KeyFile})
	if err != nil {
		return err
	}
	options := backup.Options{Rate: int64(l.Backup.RateMB) << 20, Progress: progressOf(command)}
	options.Whole, _ = command.Flags().GetBool("whole")
	begun := time.Now()
	m, err := r.Create(command.Context(), backupSource(&l.Config, journal), options)
	if err = errors.Join(err, journal.Close()); err != nil {
		return err
	}
	return printBackup(command, backupMade(&m, time.Since(begun)))
}

func backupMade(m *backup.Manifest, took time.Duration) *admin.BackupMade {
	return &admin.BackupMade{ID: m.ID, Last: m.Journal.Last, Files: m.Files, Bytes: m.Bytes,
		Copied: m.Copied, Stored: m.Stored, MS: took.Milliseconds()}
}

func printBackup(command *cobra.Command, made *admin.BackupMade) error {
	if wantsJSON(command) {
		return printJSON(command, made)
	}
	_, err := fmt.Fprintf(command.OutOrStdout(), "backup %s: to record %d, %d files of %s, %s of "+
		"them new, in %s\n", made.ID, made.Last, made.Files, megabytes(made.Bytes),
		megabytes(made.Copied), time.Duration(made.MS)*time.Millisecond)
	return err
}

// orderedBackup is what `backup create` asks of a running switch.
func (n *node) orderedBackup(ctx context.Context, o admin.BackupOrder,
	progress func(any)) (*admin.BackupMade, error) {
	made, err := n.makeBackup(ctx, o.Whole, func(p backup.Progress) { progress(p) })
	var f *failure
	if errors.As(err, &f) { // whoever asked gets the hint, too
		return &admin.BackupMade{Error: f.What.Error(), Hint: f.Hint}, nil
	}
	return made, err
}

// makeBackup is a backup of a running switch.
func (n *node) makeBackup(ctx context.Context, whole bool,
	progress func(backup.Progress)) (*admin.BackupMade, error) {
	if !n.backing.TryLock() {
		return nil, errors.New("a backup is being made already")
	}
	defer n.backing.Unlock()
	config := n.config.Load()
	r, err := openBackups(ctx, config, false)
	if err != nil {
		return nil, err
	}
	begun := time.Now()
	m, err := r.Create(ctx, backupSource(config, n.store), backup.Options{Whole: whole,
		Rate: int64(config.Backup.RateMB) << 20, Progress: progress})
	if err != nil {
		return nil, err
	}
	if a := n.archiver.Load(); a != nil {
		a.Based(&m)
	}
	made := backupMade(&m, time.Since(begun))
	n.backupMetrics.made(made, m.Begun)
	n.log.Info("a backup was made", "backup", made.ID, "last", made.Last, "files", made.Files,
		"bytes", made.Bytes, "copied", made.Copied, "took", time.Since(begun))
	return made, nil
}
