package keychange

import (
	"errors"

	"cardswitch/conformance/format"
	"cardswitch/conformance/keyblock"
)

// Zone takes the keys of a center's codes and PINs.
type Zone interface {
	// Take takes a generation of a key, of AES (A) or TDES (T), named as the switch lists it without
	// its center: "zak:in". What it already has is no fault; another key under its number is
	// wire.ErrAnotherKey.
	Take(use string, algorithm byte, generation uint16, key []byte) error
}

// Purposes and directions of an order. The sender is who brings the key.
const (
	pinKey           = 1
	macKey           = 2
	senderProtects   = 1
	receiverProtects = 2
)

// use is the key of an order that the switch sent.
func (o order) use() string {
	purpose, direction := "zpk", "out"
	if o.purpose == macKey {
		purpose = "zak"
	}
	if o.direction == receiverProtects {
		direction = "in"
	}
	return purpose + ":" + direction
}

// takeZone takes the key of codes or PINs that a message brings, and gives its check value.
func takeZone(kbpk keyblock.Protection, z Zone, o order, m *format.Message) (check string,
	err error) {
	h, key, err := keyblock.Open(kbpk, m.Get(96))
	if err != nil {
		return "", err
	}
	if !o.fits(h) {
		return "", errors.New("a key for something else")
	}
	if check, err = checkOf(h.Algorithm, key); err != nil {
		return "", err
	}
	return check, z.Take(o.use(), h.Algorithm, o.generation, key)
}

// fits tells whether the header of a block says what the order does.
func (o order) fits(h keyblock.Header) bool {
	switch {
	case h.Algorithm != 'A' && h.Algorithm != 'T':
		return false
	case o.purpose == pinKey:
		return h.Usage == "P0" && h.Mode == 'B'
	case h.Algorithm == 'T':
		return h.Usage == "M3" && h.Mode == 'C'
	}
	return h.Usage == "M6" && h.Mode == 'C'
}

func checkOf(algorithm byte, key []byte) (string, error) {
	if algorithm == 'T' {
		return keyblock.CheckTDES(key)
	}
	return keyblock.Check(key)
}
