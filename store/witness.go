package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// KeyWitness remembers the newest key store (keyring.Witness): its version, so that the journal
// tells when an old copy of the key store is put back alone, and its sealed text, so that every
// node of the cluster has it. Whoever puts back both is found out by
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
	version, _, err := keyStore(from)
	return version, err
}

// Text is the newest key store itself; empty if none was told.
func (w KeyWitness) Text() (version uint64, text []byte, err error) {
	if err := w.s.err(); err != nil {
		return 0, nil, err
	}
	return keyStore(w.s.db)
}

func keyStore(from pebble.Reader) (version uint64, text []byte, err error) {
	v, closer, err := from.Get([]byte(aboutKeyStore))
	if errors.Is(err, pebble.ErrNotFound) {
		return 0, nil, nil
	}
	if err != nil {
		return 0, nil, err
	}
	defer closer.Close()
	if len(v) < 8 {
		return 0, nil, &Error{"read the witnessed version of the key store",
			fmt.Errorf("it has %d bytes, not 8", len(v)), "restore the data directory"}
	}
	return binary.BigEndian.Uint64(v), bytes.Clone(v[8:]), nil
}

// Advance keeps a version and its text durably. It never goes back.
func (w KeyWitness) Advance(version uint64, text []byte) error {
	known, err := w.Version()
	switch {
	case err != nil:
		return err
	case version < known:
		return fmt.Errorf("version %d of the key store after %d", version, known)
	}
	value := binary.BigEndian.AppendUint64(nil, version)
	return w.s.decree([]byte(aboutKeyStore), append(value, text...))
}
