package sealed

import (
	"context"
	"crypto/rand"
	"crypto/subtle"

	"cardswitch/hsm/keyring"
)

// EnrollCenter brings the key under which keys travel to a center into force, as Enroll does.
func (s Secret) EnrollCenter(ctx context.Context, ring *keyring.Ring, center string) error {
	return s.EnrollCenterAs(ctx, ring, center, center)
}

// EnrollCenterAs does the same with the key that the other side has for it by another name.
func (s Secret) EnrollCenterAs(ctx context.Context, ring *keyring.Ring, center, as string) error {
	return form(ctx, ring, keyring.Slot{Purpose: keyring.KBPK, Center: center}, s.Protection(as))
}

// Enroll brings the next generation of a link's key into force on the switch's side, formed of two
// components as two custodians would. The link is named "center/link".
func (s Secret) Enroll(ctx context.Context, ring *keyring.Ring, link string) error {
	return s.EnrollAs(ctx, ring, link, link)
}

// EnrollAs does the same with the key that the other side has for it by another name.
func (s Secret) EnrollAs(ctx context.Context, ring *keyring.Ring, link, as string) error {
	slot, _ := keyring.LinkSlot(link)
	generation, err := ring.Set().Next(slot)
	if err != nil {
		return err
	}
	return form(ctx, ring, slot, s.Key(as, generation))
}

// form makes a key of two components and brings it into force.
func form(ctx context.Context, ring *keyring.Ring, slot keyring.Slot, key []byte) error {
	one := make([]byte, len(key))
	rand.Read(one)
	subtle.XORBytes(key, key, one)
	return formOf(ctx, ring, keyring.Plan{Slot: slot}, one, key)
}

// formOf makes a key of its components.
func formOf(ctx context.Context, ring *keyring.Ring, p keyring.Plan, components ...[]byte) error {
	forming, _, err := ring.Forming(p)
	if err != nil {
		return err
	}
	if _, err := forming.Form(ctx, components); err != nil {
		return err
	}
	_, err = forming.Activate(ctx, "a test", "the test", "of the test's secret")
	return err
}
