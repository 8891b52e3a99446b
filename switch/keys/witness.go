package keys

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// fileWitness keeps the version of the key store in a file of its own. It finds out a restored or
// swapped key store, not who changes both: keep them on different disks, or the witness elsewhere.
type fileWitness string

// Version is the newest that was told.
func (w fileWitness) Version() (uint64, error) {
	text, err := os.ReadFile(string(w))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s holds no version (hint: restore it with the key store)", string(w))
	}
	return n, nil
}

// Advance keeps a version durably.
func (w fileWitness) Advance(version uint64) error {
	fresh := string(w) + ".new"
	f, err := os.OpenFile(fresh, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(f, version)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(fresh, string(w)); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(string(w)))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
