package security

import (
	"fmt"
	"slices"

	"cardswitch/hsm"
	"cardswitch/hsm/keyblock"
	"cardswitch/hsm/keyring"
	"cardswitch/hsm/mac"
	"cardswitch/hsm/pinblock"
	"cardswitch/spec"
	"cardswitch/spec/keying"
)

// Profile is what is agreed with one center. It never changes.
type Profile struct {
	Dialect     *spec.Dialect
	MAC         *MAC  // nil: messages have no code
	PIN         *PIN  // nil: no PINs come from it or go to it
	P2PE        *P2PE // nil: no card data are encrypted by terminals
	Generations bool  // element 53 names the keys
	Lent        bool  // its keys are another's (Guard.Borrow)

	zakIn, zakOut, zpkIn, zpkOut keyring.Slot
}

// MAC is how messages are authenticated, in both directions.
type MAC struct {
	CMAC     bool        // else the retail MAC: ISO 9797-1 algorithm 3, ANSI X9.19
	Padding  mac.Padding // of the retail MAC
	Size     int         // bytes of the code, 4 or 8
	Elements []int       // what it is over; none: the whole message
	// Required are the requests that must have a code, as their answers and repeats must. Others
	// are let pass without, and get one where there is a key. None: all must.
	Required []spec.MTI
	Errors   int // so many wrong ones in a row ask for a new key
}

// PIN is the form of the PIN blocks of a center, in both directions.
type PIN struct {
	Format pinblock.Format
	// Terminals says that what comes is under keys of the center's terminals, whose KSN is in
	// element 53 (package keying). Nil: it is under the center's own key.
	Terminals *Terminals
}

// P2PE is how terminals encrypt card data, in what comes from a center (package p2pe).
type P2PE struct {
	Terminals
	Element int
	// Required says that card data come in no other way: a message with a card number, a track or
	// a security code in clear is refused, wherever in it they are.
	Required bool
}

// places are the elements with the code.
const (
	firstMAC  = 64
	secondMAC = 128
	codeSize  = 8
)

// Compile makes the profile of a center ready, or says why a message of its dialect can't be
// protected so.
func (p *Profile) Compile(center string) error {
	slot := func(purpose keyring.Purpose, d keyring.Direction) keyring.Slot {
		return keyring.Slot{Purpose: purpose, Center: center, Direction: d}
	}
	p.zakIn, p.zakOut = slot(keyring.ZAK, keyring.In), slot(keyring.ZAK, keyring.Out)
	p.zpkIn, p.zpkOut = slot(keyring.ZPK, keyring.In), slot(keyring.ZPK, keyring.Out)
	known := p.Dialect.Known()
	if p.P2PE != nil {
		p.P2PE.center = center
		if !known.Has(p.P2PE.Element) {
			return fmt.Errorf("dialect %s has no element %d for encrypted card data", p.Dialect.Name(),
				p.P2PE.Element)
		}
	}
	if p.MAC != nil {
		for _, n := range []int{firstMAC, secondMAC} {
			if length, _ := p.Dialect.Fixed(n); length != codeSize {
				return fmt.Errorf("element %d of dialect %s is no MAC of %d bytes", n, p.Dialect.Name(),
					codeSize)
			}
		}
	}
	if p.PIN != nil {
		if p.PIN.Terminals != nil {
			p.PIN.Terminals.center = center
		}
		if length, _ := p.Dialect.Fixed(52); length != p.PIN.Format.Size() {
			return fmt.Errorf("element 52 of dialect %s has %d bytes, a PIN block of %v has %d (hint: "+
				"define the element so in a dialect of its own)", p.Dialect.Name(), length, p.PIN.Format,
				p.PIN.Format.Size())
		}
	}
	if p.Generations && !known.Has(53) {
		return fmt.Errorf("dialect %s has no element 53", p.Dialect.Name())
	}
	return nil
}

// Room is how many bytes Protect may add to a message.
func (p *Profile) Room() int {
	room := 0
	if p.MAC != nil {
		_, size := p.Dialect.Fixed(secondMAC)
		room += size + 16 // and a second bitmap, at most in hex
	}
	if p.Generations {
		room += 3 + 2*keying.Size
	}
	return room
}

// requires tells whether a message must have a code.
func (m *MAC) requires(mti spec.MTI) bool {
	if len(m.Required) == 0 {
		return true
	}
	if mti.IsResponse() {
		mti -= 0x10
	}
	return slices.Contains(m.Required, mti.Original())
}

// way is how a key makes the codes.
func (m *MAC) way(key hsm.Key) mac.Spec {
	how := mac.Spec{Algorithm: mac.Retail, Padding: m.Padding, Size: m.Size}
	if m.CMAC {
		how.Algorithm, how.Padding = mac.AESCMAC, mac.NoPadding
		if key.Spec().Algorithm == keyblock.TDES {
			how.Algorithm = mac.TDESCMAC
		}
	}
	return how
}

// codeElement is the element with the code of a message, 0 if it has none.
func codeElement(have spec.Bitmap) int {
	switch {
	case have.Has(secondMAC):
		return secondMAC
	case have.Has(firstMAC) && have.Next(firstMAC) == 0:
		return firstMAC
	}
	return 0
}

// placeOfCode is the element that the code of a message with these elements goes into.
func placeOfCode(have spec.Bitmap) int {
	if have.Next(firstMAC) != 0 {
		return secondMAC
	}
	return firstMAC
}
