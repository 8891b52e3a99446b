// Package pkcs11 is a token as security module: any that has a PKCS#11 library, such as an HSM.
//
// It is built with cgo and the tag pkcs11 only; without, Available, Open and Create say that it
// isn't there.
//
// Three AES-256 keys stay in the token (Create makes them; the vendor's means copy them to a second
// token): one wraps keys that may leave or that this process needs, one wraps keys that stay, one
// authenticates. A Wrapped is a key block of form 9: the header of X9.143 with the check value in
// an optional block KC, the key under AES key wrap (RFC 3394), and an AES-CMAC over both. The forms
// of X9.143 itself can't be had, as a token unwraps no key with a length before it.
//
// The key for keys that stay has CKA_UNWRAP_TEMPLATE: what it unwraps is sensitive and not
// extractable, so not even a thief of the token's PIN has a key with export N in the clear. What no
// token of PKCS#11 v2.40 holds is what is derived: who has the PIN may derive an extractable key of
// a base key or a KBPK.
//
// What stays inside (reference crypto.md section 2): keys are made, and used for AES-CMAC,
// TDES-CMAC, data keys and all steps of AES DUKPT. What is in clear in this process for a moment is
// in Caps: keys that come from partners or of components, and those that leave (no mechanism takes
// or gives a partner's block); PINs while they are translated, so production forbids that; and the
// keys of codes that no token makes, ISO 9797-1 algorithms 1 and 3. TDES DUKPT is absent: no token
// joins halves of keys. So are key blocks of versions A and C: no token makes variants.
//
// Loaded keys are objects of sessions. After the token was away, sessions are opened anew and keys
// unwrapped again; a library that must be initialized again needs a restart of the program. A call
// that the token doesn't answer goes on behind, with its session, when its context has ended.
package pkcs11

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	"cardswitch/hsm"
)

// Config says which token it is.
type Config struct {
	Library string // file of the token's library
	Token   string // label of the token
	// The PIN of the user is in a file that only this user may read, or in an environment variable;
	// one of the two. An argument or this structure would show it to others.
	PINFile     string
	PINVariable string
	Label       string // what the labels of the keys in the token begin with; "" is "cardswitch"
	Sessions    int    // how many calls at once; 0 is 8
	// MACInProcess has the MAC keys that may leave (export E or S) used in this process, as a
	// token is slow for every message. Those of ISO 9797-1 algorithms 1 and 3 always are.
	MACInProcess bool
	Profile      hsm.Profile
}

const (
	usualLabel    = "cardswitch"
	usualSessions = 8
	mostSessions  = 1024
	mostPIN       = 255 // bytes
)

// complete fills in what is usual, and says what is wrong.
func (c Config) complete() (Config, error) {
	if c.Label == "" {
		c.Label = usualLabel
	}
	if c.Sessions == 0 {
		c.Sessions = usualSessions
	}
	switch {
	case c.Library == "":
		return c, errors.New("the file of the token's PKCS#11 library isn't named")
	case c.Token == "":
		return c, errors.New("the token isn't named (hint: its label)")
	case (c.PINFile == "") == (c.PINVariable == ""):
		return c, errors.New("the token's PIN comes from a file or an environment variable: name one")
	case c.Sessions < 1 || c.Sessions > mostSessions:
		return c, fmt.Errorf("a token has 1 to %d sessions here, not %d", mostSessions, c.Sessions)
	}
	return c, nil
}

// pin reads the PIN. The caller clears it.
func (c Config) pin() ([]byte, error) {
	if c.PINVariable != "" {
		pin := os.Getenv(c.PINVariable)
		if pin == "" || len(pin) > mostPIN {
			return nil, fmt.Errorf("the environment variable %s doesn't hold the token's PIN",
				c.PINVariable)
		}
		return []byte(pin), nil
	}
	info, err := os.Stat(c.PINFile)
	if err != nil {
		return nil, fmt.Errorf("the file with the token's PIN: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("others may read the token's PIN (hint: chmod 600 %s)", c.PINFile)
	}
	text, err := os.ReadFile(c.PINFile)
	if err != nil {
		return nil, fmt.Errorf("the file with the token's PIN: %w", err)
	}
	pin := bytes.TrimRight(text, "\r\n")
	if len(pin) == 0 || len(pin) > mostPIN {
		clear(text)
		return nil, fmt.Errorf("the file %s doesn't hold the token's PIN", c.PINFile)
	}
	return pin, nil
}
