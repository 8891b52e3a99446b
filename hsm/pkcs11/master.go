//go:build pkcs11 && cgo

package pkcs11

import (
	"errors"
	"fmt"
	"runtime"

	cryptoki "github.com/miekg/pkcs11"

	"cardswitch/hsm"
	"cardswitch/hsm/keyblock"
)

// masters are the keys that stay in the token.
type masters struct {
	open   handle // wraps keys that may leave, or that this process needs
	locked handle // wraps keys that stay
	code   handle // authenticates blocks
}

// role is one of them.
type role struct {
	name string // behind Config.Label
	may  []uint
	lock bool // what it unwraps stays inside
}

func roles() [3]role {
	wraps := []uint{cryptoki.CKA_WRAP, cryptoki.CKA_UNWRAP}
	return [3]role{{"-open", wraps, false}, {"-locked", wraps, true},
		{"-code", []uint{cryptoki.CKA_SIGN}, false}}
}

// master is the one that keys of a spec are under. A key of codes that no token makes must be read.
func (m masters) master(s hsm.KeySpec) handle {
	switch s.Usage {
	case keyblock.UsageM0, keyblock.UsageM1, keyblock.UsageM3:
		return m.open
	}
	if s.Export == keyblock.ExportN {
		return m.locked
	}
	return m.open
}

// findMasters finds them, and refuses those that someone could read.
func findMasters(c call, label string) (m masters, err error) {
	for i, to := range []*handle{&m.open, &m.locked, &m.code} {
		name := label + roles()[i].name
		found, err := c.named(name)
		switch {
		case err != nil:
			return m, fmt.Errorf("%w: look for the key %q: %w", hsm.ErrUnavailable, name, err)
		case len(found) == 0:
			return m, fmt.Errorf("the token has no key %q (hint: cardswitch key token)", name)
		case len(found) > 1:
			return m, fmt.Errorf("the token has several keys %q", name)
		}
		stays, err := c.stays(found[0])
		switch {
		case err != nil:
			return m, fmt.Errorf("%w: look at the key %q: %w", hsm.ErrUnavailable, name, err)
		case !stays:
			return m, fmt.Errorf("%w: the key %q in the token may leave it", hsm.ErrKey, name)
		}
		*to = found[0]
	}
	return m, nil
}

// named finds the secret keys with a label, two at most.
func (c call) named(label string) ([]handle, error) {
	if err := c.lib.FindObjectsInit(c.session, []*cryptoki.Attribute{
		cryptoki.NewAttribute(cryptoki.CKA_CLASS, cryptoki.CKO_SECRET_KEY),
		cryptoki.NewAttribute(cryptoki.CKA_LABEL, label),
	}); err != nil {
		return nil, err
	}
	found, _, err := c.lib.FindObjects(c.session, 2)
	return found, errors.Join(err, c.lib.FindObjectsFinal(c.session))
}

// stays tells that a key is sensitive and not extractable.
func (c call) stays(h handle) (bool, error) {
	got, err := c.lib.GetAttributeValue(c.session, h, []*cryptoki.Attribute{
		cryptoki.NewAttribute(cryptoki.CKA_SENSITIVE, nil),
		cryptoki.NewAttribute(cryptoki.CKA_EXTRACTABLE, nil)})
	if err != nil {
		return false, err
	}
	return len(got) == 2 && len(got[0].Value) == 1 && got[0].Value[0] != 0 &&
		len(got[1].Value) == 1 && got[1].Value[0] == 0, nil
}

// Create makes the keys that stay in the token. It is done once for a token, and refuses to make
// them beside others with the same labels.
func Create(config Config) error {
	config, err := config.complete()
	if err != nil {
		return err
	}
	lib, slot, err := find(config)
	if err != nil {
		return err
	}
	s, err := lib.OpenSession(slot, cryptoki.CKF_SERIAL_SESSION|cryptoki.CKF_RW_SESSION)
	if err != nil {
		return fmt.Errorf("%w: open a session: %w", hsm.ErrUnavailable, err)
	}
	defer lib.CloseSession(s)
	if err := login(lib, s, config); err != nil {
		return err
	}
	c := call{nil, lib, s}
	for _, r := range roles() {
		found, err := c.named(config.Label + r.name)
		if err != nil || len(found) > 0 {
			return errors.Join(err, fmt.Errorf("the token has %d keys %q already", len(found),
				config.Label+r.name))
		}
	}
	for _, r := range roles() {
		if err := c.make(r, config.Label+r.name); err != nil {
			return fmt.Errorf("make the key %q in the token: %w", config.Label+r.name, err)
		}
	}
	return nil
}

// make makes one.
func (c call) make(r role, label string) error {
	k := kindOf(keyblock.AES, 32)
	t := with(k.template(true, r.may...), cryptoki.NewAttribute(cryptoki.CKA_TOKEN, true),
		cryptoki.NewAttribute(cryptoki.CKA_MODIFIABLE, false),
		cryptoki.NewAttribute(cryptoki.CKA_LABEL, label))
	var pinner runtime.Pinner
	defer pinner.Unpin()
	if r.lock {
		t = append(t, cryptoki.NewAttribute(cryptoki.CKA_UNWRAP_TEMPLATE, lockTemplate(&pinner)))
	}
	_, err := c.lib.GenerateKey(c.session, one(k.generate, nil), t)
	return err
}

// lockTemplate is an array of CK_ATTRIBUTE: type, pointer, length.
func lockTemplate(pinner *runtime.Pinner) []byte {
	yes, no := []byte{1}, []byte{0}
	t := pointed(appendWord(nil, cryptoki.CKA_SENSITIVE), pinner, yes)
	return pointed(appendWord(t, cryptoki.CKA_EXTRACTABLE), pinner, no)
}
