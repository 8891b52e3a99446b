package store

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"cardswitch/store/journal"
)

// dataKey returns the key that opens the journal, from the options or from the key file.
func dataKey(o *Options) ([]byte, error) {
	if o.Key != nil {
		if len(o.Key) != journal.KeySize {
			return nil, fmt.Errorf("the data key has %d bytes, not %d", len(o.Key), journal.KeySize)
		}
		return o.Key, nil
	}
	key, err := readKeyFile(o.KeyFile)
	if errors.Is(err, fs.ErrNotExist) && o.CreateKey {
		return createKeyFile(o.KeyFile)
	}
	return key, err
}

// KeyNameOf is the KeyName of the data key in a file, in hexadecimal digits.
func KeyNameOf(file string) (string, error) {
	raw, err := readKeyFile(file)
	if err != nil {
		return "", err
	}
	defer clear(raw)
	keys, err := journal.NewKeys(raw)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%x", keys.ID()), nil
}

func readKeyFile(name string) ([]byte, error) {
	const op = "read the data key"
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &Error{op, err, "restore the key file from its safe place, or set " +
			"data.create_key for a new data directory"}
	}
	if err != nil {
		return nil, &Error{op, err, "run cardswitch as the owner of the key file"}
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, &Error{op, err, "check the disk that holds the key file"}
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, &Error{op, fmt.Errorf("%s is open to others (mode %04o)", name, info.Mode().Perm()),
			"chmod 600 it; if others may have read it, its journal is to be taken as read too"}
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); ok && int(owner.Uid) != os.Geteuid() {
		return nil, &Error{op, fmt.Errorf("%s belongs to user %d, not %d", name, owner.Uid, os.Geteuid()),
			"chown it to the user that runs cardswitch"}
	}
	var text [2*journal.KeySize + 2]byte
	n, err := f.Read(text[:])
	key, decodeErr := hex.DecodeString(strings.TrimSpace(string(text[:n])))
	if err != nil || decodeErr != nil || len(key) != journal.KeySize {
		return nil, &Error{op, fmt.Errorf("%s doesn't hold a key", name),
			"it must hold 64 hexadecimal digits; restore it from its safe place"}
	}
	return key, nil
}

// createKeyFile writes a new key. It never overwrites: a lost key is a lost journal.
func createKeyFile(name string) ([]byte, error) {
	key := make([]byte, journal.KeySize)
	rand.Read(key) // never fails
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		_, err = f.WriteString(hex.EncodeToString(key) + "\n")
		err = errors.Join(err, f.Sync(), f.Close())
	}
	if err != nil {
		return nil, &Error{"create the data key", err, "check that its folder exists and can be written"}
	}
	return key, nil
}
