package soft

import (
	"context"
	"errors"
	"fmt"

	"cardswitch/hsm"
	"cardswitch/hsm/dukpt"
	"cardswitch/hsm/keyblock"
	"cardswitch/hsm/pinblock"
)

// derive gives a working key of a terminal. The caller wipes it.
func (k *key) derive(ksn []byte, u dukpt.Usage, t dukpt.KeyType) (*dukpt.Key, error) {
	terms := k.terms.Load()
	if terms == nil {
		return nil, errUnloaded
	}
	if terms.aes != nil {
		number, err := dukpt.ParseAESKSN(ksn)
		if err != nil {
			return nil, err
		}
		return terms.aes.Key(number, u, t)
	}
	number, err := dukpt.ParseTDESKSN(ksn)
	if err != nil {
		return nil, err
	}
	if t != dukpt.TDEA2 {
		return nil, fmt.Errorf("TDES DUKPT has no keys of %v", t)
	}
	return terms.tdes.Key(number, u)
}

// TranslatePIN decrypts a PIN block and encrypts the PIN again. Whatever is wrong with the block
// itself is an ErrPIN; a serial number or formats that don't go with the keys are said.
func (m *Module) TranslatePIN(ctx context.Context, t hsm.PINTranslation) ([]byte, error) {
	operation := hsm.TranslateZonePIN
	if t.From != nil && t.From.Spec().Usage == keyblock.UsageB0 {
		operation = hsm.TranslateTerminalPIN
	}
	if err := m.start(ctx, operation); err != nil {
		return nil, err
	}
	to, err := m.mine(t.To, hsm.ToSealPIN)
	if err != nil {
		return nil, err
	}
	sealing := to.pins.Load()
	if sealing == nil {
		return nil, errUnloaded
	}
	if operation == hsm.TranslateTerminalPIN {
		return m.fromTerminal(t, sealing)
	}
	from, err := m.mine(t.From, hsm.ToOpenPIN)
	if err != nil {
		return nil, err
	}
	opening := from.pins.Load()
	if opening == nil {
		return nil, errUnloaded
	}
	return translate(t, opening, sealing)
}

// fromTerminal is TranslatePIN with the key that a terminal derived.
func (m *Module) fromTerminal(t hsm.PINTranslation, sealing *pinblock.Key) (
	block []byte, err error) {
	from, err := m.mine(t.From, hsm.ToDerive)
	if err != nil {
		return nil, err
	}
	err = from.hold(func([]byte) error {
		k, err := from.derive(t.KSN, dukpt.PIN, t.KeyType)
		if err != nil {
			return err
		}
		defer k.Wipe()
		opening, err := k.PINKey()
		if err != nil {
			return err
		}
		block, err = translate(t, opening, sealing)
		return err
	})
	return block, err
}

func translate(t hsm.PINTranslation, from, to *pinblock.Key) ([]byte, error) {
	way, err := pinblock.NewTranslator(pinblock.Side{Key: from, Format: t.FromFormat},
		pinblock.Side{Key: to, Format: t.ToFormat}, pinblock.Structure)
	if err != nil {
		return nil, err
	}
	var block []byte
	hidden(func() { block, err = way.Translate(make([]byte, 0, t.ToFormat.Size()), t.PAN, t.Block) })
	if err != nil {
		return nil, hsm.ErrPIN
	}
	return block, nil
}

// OpenP2PE appends the card data that a terminal encrypted to dst. Nothing tells whether it was
// altered: what it says must be looked at.
func (m *Module) OpenP2PE(ctx context.Context, p hsm.P2PE, dst []byte) (data []byte, err error) {
	if err := m.start(ctx, hsm.OpenCard); err != nil {
		return nil, err
	}
	from, err := m.mine(p.Base, hsm.ToDerive)
	if err != nil {
		return nil, err
	}
	if len(p.Data) == 0 {
		return nil, errors.New("there is no card data to open")
	}
	err = from.hold(func([]byte) error {
		k, err := from.derive(p.KSN, p.Direction.Usage(), p.KeyType)
		if err != nil {
			return err
		}
		defer k.Wipe()
		data, err = k.DecryptData(dst, p.IV, p.Data)
		return err
	})
	return data, err
}
