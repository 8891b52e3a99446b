package protect

import (
	"fmt"

	"cardswitch/conformance/format"
	"cardswitch/hsm/dukpt"
	"cardswitch/hsm/pinblock"
	"cardswitch/spec"
	"cardswitch/spec/keying"
)

// TestPIN is the PIN of a test card: the four digits before its check digit.
func TestPIN(pan string) string { return pan[len(pan)-5 : len(pan)-1] }

// Dress gives a merchant's message what its terminal encrypts: a request that buys something gets a
// PIN block, and card data go into their element. Both are under one KSN. A repeat is the same
// message, so it isn't dressed again.
func (g *Guard) Dress(m *format.Message) error {
	if !m.Has(2) || m.MTI[1] != '1' && m.MTI[1] != '2' {
		return nil
	}
	var ksn dukpt.TDESKSN
	var err error
	if g.options.P2PE != nil || g.options.PIN != nil && g.options.PIN.Terminals != "" {
		if ksn, err = g.terminal(m.Get(41)).next(); err != nil {
			return err
		}
	}
	if g.options.PIN != nil && m.MTI[2] == '0' {
		if err := g.addPIN(m, ksn); err != nil {
			return err
		}
	}
	if g.options.P2PE != nil {
		return g.hideCard(m, ksn)
	}
	return nil
}

// addPIN sets element 52, and what element 53 says of it.
func (g *Guard) addPIN(m *format.Message, ksn dukpt.TDESKSN) error {
	digits := []byte(TestPIN(m.Get(2)))
	if chance(g.options.PIN.Wrong) {
		digits[0] = '0' + (digits[0]-'0'+1)%10
	}
	pin, err := pinblock.ParsePIN(digits)
	if err != nil {
		return err
	}
	pan, err := spec.ParsePAN(m.Get(2))
	if err != nil {
		return err
	}
	names := keying.Control{Format: uint8(g.options.PIN.Format)}
	key, err := g.sealsPIN(ksn, &names)
	if err != nil {
		return err
	}
	block, err := key.Encrypt(nil, g.blocks(), pin, pan)
	if err != nil {
		return err
	}
	m.Set(52, string(block))
	value, err := names.Append(nil)
	if err == nil && g.options.Generations {
		m.Set(53, string(value))
	}
	return err
}

// sealsPIN is the key of a merchant's PIN block.
func (g *Guard) sealsPIN(ksn dukpt.TDESKSN, names *keying.Control) (*pinblock.Key, error) {
	if g.options.PIN.Terminals == "" {
		key, generation, err := g.options.keys.newest("zpk:in")
		if err != nil {
			return nil, err
		}
		names.ZPK = generation
		return pinblock.NewTDESKey(key)
	}
	_, generation, err := g.options.keys.newest("bdk")
	if err != nil {
		return nil, err
	}
	names.ZPK = generation
	if err := names.SetKSN(ksn.AppendTo(nil)); err != nil {
		return nil, err
	}
	key, err := g.derive(ksn, dukpt.PIN)
	if err != nil {
		return nil, err
	}
	return key.PINKey()
}

func (g *Guard) blocks() pinblock.Format {
	if g.options.PIN.Format == 3 {
		return pinblock.Format3
	}
	return pinblock.Format0
}

// PIN tells whether the PIN of a message to an issuer is the card's. An error is a block that can't
// be opened.
func (g *Guard) PIN(m *format.Message) (right bool, err error) {
	key, generation, err := g.options.keys.newest("zpk:out")
	if err != nil {
		return false, err
	}
	if g.options.Generations {
		names, err := keying.Parse([]byte(m.Get(53)))
		if err != nil {
			return false, err
		}
		if key = g.options.keys.get("zpk:out", names.ZPK); key == nil {
			return false, fmt.Errorf("there is no zpk:out of generation %d, newest %d", names.ZPK,
				generation)
		}
	}
	opening, err := pinblock.NewTDESKey(key)
	if err != nil {
		return false, err
	}
	pan, err := spec.ParsePAN(m.Get(2))
	if err != nil {
		return false, err
	}
	pin, err := opening.Decrypt(g.blocks(), pinblock.Structure, pan, []byte(m.Get(52)))
	if err != nil {
		return false, err
	}
	want, err := pinblock.ParsePIN([]byte(TestPIN(m.Get(2))))
	return err == nil && pin.Equal(want), err
}

// HasPIN tells whether PINs are agreed on, and a message has one.
func (g *Guard) HasPIN(m *format.Message) bool {
	return g != nil && g.options.PIN != nil && m.Has(52)
}
