package store

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// KeyWitness remembers the version of the newest key store (keyring.Witness), so that the journal
// tells when an old copy of the key store is put back alone. Whoever puts back both is found out by
// whoever has the newer journal: the standby, or the index beside it.
type KeyWitness struct{ s *Store }

// KeyWitness is the store's.
func (s *Store) KeyWitness() KeyWitness { return KeyWitness{s} }

// Version is the newest that was told, 0 if none was.
func (w KeyWitness) Version() (uint64, error) {
	if err := w.s.err(); err != nil {
		return 0, err
	}
	return keyStoreVersion(w.s.db)
}

func keyStoreVersion(from pebble.Reader) (uint64, error) {
	v, closer, err := from.Get([]byte(aboutKeyStore))
	if errors.Is(err, pebble.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer closer.Close()
	if len(v) != 8 {
		return 0, &Error{"read the witnessed version of the key store",
			fmt.Errorf("it has %d bytes, not 8", len(v)), "restore the data directory"}
	}
	return binary.BigEndian.Uint64(v), nil
}

// Advance keeps a version durably. It never goes back.
func (w KeyWitness) Advance(version uint64) error {
	known, err := w.Version()
	switch {
	case err != nil:
		return err
	case version < known:
		return fmt.Errorf("version %d of the key store after %d", version, known)
	}
	return w.s.decree([]byte(aboutKeyStore), binary.BigEndian.AppendUint64(nil, version))
}
