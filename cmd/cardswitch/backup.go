package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/spf13/cobra"

	"cardswitch/dr/backup"
	cardswitch "cardswitch/switch"
)

func newBackupCommand() *cobra.Command {
	command := group("backup", "Copy the node's books elsewhere, and bring them back",
		newBackupInitCommand(),
		newBackupCreateCommand(),
		newBackupListCommand(),
		newBackupVerifyCommand(),
		newBackupPruneCommand(),
		newBackupRestoreCommand(),
	)
	command.Long = `Copies the journal as it is at one moment, and the files beside it, to a target
elsewhere: sealed under the backup key, and only what isn't there yet. "restore" and "verify" need
the target, the backup key and the data key, and neither a switch nor a configuration.

Never in a backup: the data key, the master key of the key store, the state and keys of the audit
log, private keys of certificates. "restore" says which of them the node needs.`
	return command
}

// backupFlags name the target where the configuration doesn't, as on a machine that is new.
func backupFlags(command *cobra.Command) {
	flags := command.Flags()
	flags.String("target", "", "folder or s3://BUCKET/PREFIX (default: the configuration's)")
	flags.String("key", "", "file of the backup key (default: the configuration's)")
}

// backupConfig is what the configuration and the flags say, whether the rest makes sense or not.
func backupConfig(command *cobra.Command) (*loaded, error) {
	l, err := load(command.Flags())
	if err != nil {
		return nil, err
	}
	if err := l.one(); err != nil {
		return nil, err
	}
	if to, _ := command.Flags().GetString("target"); to != "" {
		l.Backup.To = to
	}
	if key, _ := command.Flags().GetString("key"); key != "" {
		l.Backup.KeyFile = key
	}
	return l, nil
}

// openBackups opens the target.
func openBackups(ctx context.Context, c *cardswitch.Config, begin bool) (*backup.Repository,
	error) {
	target, err := backupTarget(c)
	if err != nil {
		return nil, err
	}
	key, err := backup.ReadKeyFile(c.Backup.KeyFile)
	if err != nil {
		return nil, err
	}
	return backup.Open(ctx, target, key, begin)
}

// backups is openBackups for a command.
func backups(command *cobra.Command) (*backup.Repository, *loaded, error) {
	l, err := backupConfig(command)
	if err != nil {
		return nil, nil, err
	}
	r, err := openBackups(command.Context(), &l.Config, false)
	return r, l, err
}

func newBackupInitCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "init",
		Short: "Make the backup key, if there is none, and begin an empty target",
		Long: "A target is begun by a person, so that a disk that isn't mounted is never taken for an\n" +
			"empty one. Whoever has lost the backup key has lost the backups: keep a copy of it away\n" +
			"from this machine and from the target.",
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error { return initBackups(command) },
	}
	backupFlags(command)
	return command
}

// backupsBegun is what `backup init -o json` says.
type backupsBegun struct {
	Target  string `json:"target"`
	Key     string `json:"key"`
	KeyFile string `json:"key_file"`
	Made    bool   `json:"made"` // the key is new
}

func initBackups(command *cobra.Command) error {
	l, err := backupConfig(command)
	if err != nil {
		return err
	}
	if _, err := backupTarget(&l.Config); err != nil {
		return err
	}
	made := false
	key, err := backup.ReadKeyFile(l.Backup.KeyFile)
	if errors.Is(err, fs.ErrNotExist) {
		made = true
		key, err = backup.MakeKeyFile(l.Backup.KeyFile)
	}
	if err != nil {
		return err
	}
	r, err := openBackups(command.Context(), &l.Config, true)
	if err != nil {
		return err
	}
	file, _ := filepath.Abs(l.Backup.KeyFile)
	said := backupsBegun{r.String(), key.ID(), file, made}
	if wantsJSON(command) {
		return printJSON(command, said)
	}
	_, err = fmt.Fprintf(command.OutOrStdout(), "%s is for backups under key %s\n", said.Target,
		said.Key)
	if made {
		_, more := fmt.Fprintf(command.OutOrStdout(),
			"the key is new: keep a copy of %s away from this machine and from the target;\n"+
				"the other data nodes of a cluster need it, too, as the active one makes backups\n", file)
		err = errors.Join(err, more)
	}
	return err
}
