package backup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"cardswitch/hsm/keyring"
	"cardswitch/store"
	"cardswitch/store/negative"
	"cardswitch/store/vault"
)

// Parts that the journal knows of, under these names in a restored folder.
const (
	KeyStorePart = "keys"
	VaultPart    = "vault.keys"
	NegativePart = "negative"
)

// beside checks that the files beside the journal are at least as new as it knows them to be: with
// older ones a node wouldn't start.
func (r *Report) beside(dir string, s *store.Store, is *store.Mark) error {
	text, err := os.ReadFile(filepath.Join(dir, KeyStorePart))
	switch {
	case err == nil:
		r.KeyStore, err = keyring.VersionOf(text)
	case errors.Is(err, fs.ErrNotExist):
		err = nil
	}
	if err == nil && r.KeyStore < is.KeyStore {
		err = fmt.Errorf("it is version %d, the journal knows %d", r.KeyStore, is.KeyStore)
	}
	if err != nil {
		return fmt.Errorf("key store: %w: %w", ErrDamaged, err)
	}
	if err := vault.Matches(s, filepath.Join(dir, VaultPart)); err != nil {
		return fmt.Errorf("token keys: %w: %w", ErrDamaged, err)
	}
	lists := negative.Open(negative.Options{Books: s, Dir: filepath.Join(dir, NegativePart),
		Key: s.KeyName()})
	for id := uint16(1); s.Registry().Name(id) != ""; id++ {
		l, err := lists.List(id, s.Registry().Name(id), time.UTC)
		if err != nil {
			return err
		}
		status := l.Status(time.Now().UnixNano())
		if status.Unusable != nil {
			return fmt.Errorf("negative list of %s: %w: %w", s.Registry().Name(id), ErrDamaged,
				status.Unusable)
		}
		if status.InForce != nil {
			r.Lists++
		}
	}
	return nil
}
