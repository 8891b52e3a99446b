package security

import (
	"errors"
	"fmt"
	"strings"

	"cardswitch/hsm/dukpt"
	"cardswitch/hsm/keyring"
)

// Terminals is how the keys of a center's terminals come of a base key (DUKPT, ANSI X9.24-1 and
// X9.24-3).
type Terminals struct {
	AES bool          // AES DUKPT, else TDES DUKPT
	Key dukpt.KeyType // of the keys for this use
	// Sets are the key sets that a KSN may begin with, in capital hexadecimal digits, each with a
	// base key of its own. None: the center has one base key.
	Sets []string

	center string
}

// Terminal names the initial key of a terminal: its KSN without the counter. It is no secret. The
// zero value is none.
type Terminal struct {
	id   [10]byte
	size uint8
}

// TerminalNamed is the terminal of a name: 8 bytes of AES DUKPT, 10 of TDES DUKPT.
func TerminalNamed(name []byte) (t Terminal) {
	t.size = uint8(copy(t.id[:], name))
	return t
}

// String is the name in hexadecimal.
func (t Terminal) String() string { return fmt.Sprintf("%X", t.id[:t.size]) }

// AppendTo appends the name: 8 bytes of AES DUKPT, 10 of TDES DUKPT.
func (t Terminal) AppendTo(dst []byte) []byte { return append(dst, t.id[:t.size]...) }

// read reads a KSN.
func (t *Terminals) read(serial []byte) (who Terminal, counter uint32, err error) {
	if t.AES {
		ksn, err := dukpt.ParseAESKSN(serial)
		if err != nil {
			return Terminal{}, 0, err
		}
		return TerminalNamed(ksn.ID().AppendTo(nil)), ksn.Counter(), nil
	}
	ksn, err := dukpt.ParseTDESKSN(serial)
	if err != nil {
		return Terminal{}, 0, err
	}
	return TerminalNamed(ksn.ID().AppendTo(nil)), ksn.Counter(), nil
}

var errKeySet = errors.New("the KSN is of no key set of this center (hint: see key_sets in its " +
	"security)")

// slot is where the base key of a terminal's key set is.
func (t *Terminals) slot(ksn []byte) (keyring.Slot, error) {
	slot := keyring.Slot{Purpose: keyring.BDK, Center: t.center}
	if len(t.Sets) == 0 {
		return slot, nil
	}
	text := fmt.Sprintf("%X", ksn)
	for _, set := range t.Sets {
		if strings.HasPrefix(text, set) {
			slot.Set = set
			return slot, nil
		}
	}
	return slot, errKeySet
}
