package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"

	"cardswitch/hsm/keyring/ceremony"
	cardswitch "cardswitch/switch"
	"cardswitch/switch/admin"
	"cardswitch/switch/evidence"
	"cardswitch/switch/keys"
)

// passphraseEnv holds the passphrase where no file does. A file is better: other programs of the
// same user can read the environment.
const passphraseEnv = envPrefix + "_KEYS_PASSPHRASE"

// errStopped ends a start that somebody stops before its master key is made. It is no failure.
var errStopped = errors.New("stopped before the master key was made")

const mostPassphrase = 1024 // bytes

// passphrase reads what opens the master key; nil if nothing is given.
func passphrase(c *cardswitch.Config) ([]byte, error) {
	if c.Keys.PassphraseFile == "" {
		if text := os.Getenv(passphraseEnv); text != "" {
			return []byte(text), nil
		}
		return nil, nil
	}
	f, err := os.Open(c.Keys.PassphraseFile)
	if err != nil {
		return nil, failed(fmt.Errorf("keys.passphrase_file: %w", err),
			"name the file that holds the passphrase of the master key")
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("keys.passphrase_file: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, failed(fmt.Errorf("keys.passphrase_file: %s is open to others (mode %04o)",
			c.Keys.PassphraseFile, info.Mode().Perm()), "chmod 600 it, and change the passphrase")
	}
	text, err := io.ReadAll(io.LimitReader(f, mostPassphrase))
	return bytes.TrimRight(text, "\r\n"), err
}

// makeFolders makes the folders of the keys, and reads what opens the master key.
func makeFolders(c *cardswitch.Config) (words []byte, err error) {
	for _, name := range []string{c.Keys.Store, c.Keys.Master, filepath.Join(c.Data.Dir, "x")} {
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			return nil, fmt.Errorf("make the folder of the keys: %w", err)
		}
	}
	return passphrase(c)
}

// makeMaster holds the ceremony of the master key: the socket serves nothing else meanwhile.
func makeMaster(ctx context.Context, c *cardswitch.Config, log *slog.Logger, operators net.Listener,
	words []byte, record *evidence.Log) (net.Listener, error) {
	log.Warn("there is no master key: the switch waits for its ceremony", "socket", c.Admin.Socket,
		"hint", "`cardswitch key ceremony start master`, then custodians and an approver")
	ctx, made := context.WithCancelCause(ctx)
	defer made(nil)
	systemd := newNotifier() // people may need longer than it waits for a start
	go systemd.watch(ctx, func() bool { return true })
	tell(log, systemd.say("READY=1\nSTATUS=waiting for the master key"))
	errMade := errors.New("the master key is made")
	room := new(ceremony.Room)
	server := admin.New(admin.Options{Logger: log, Audit: record, Evidence: record,
		Access: func() admin.Access { return admin.NewAccess(c) },
		Ceremonies: admin.Ceremonies{Room: room, Master: func() ceremony.Work {
			return keys.MasterWork(c, words, func() { made(errMade) })
		}}})
	err := errors.Join(server.Serve(ctx, operators, nil), room.Close())
	if err == nil && !errors.Is(context.Cause(ctx), errMade) {
		err = errStopped
	}
	if err != nil {
		return operators, err
	}
	return admin.ListenSocket(c.Admin.Socket)
}
