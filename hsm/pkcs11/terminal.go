//go:build pkcs11 && cgo

package pkcs11

import (
	"bytes"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"

	cryptoki "github.com/miekg/pkcs11"

	"cardswitch/hsm"
	"cardswitch/hsm/dukpt"
	"cardswitch/hsm/keyblock"
	"cardswitch/hsm/pinblock"
	"cardswitch/spec"
)

// steps gives the derivations from a base key to a working key of a terminal.
func steps(base hsm.KeySpec, ksn []byte, u dukpt.Usage, t dukpt.KeyType) ([]dukpt.Step, error) {
	number, err := dukpt.ParseAESKSN(ksn)
	if err != nil {
		return nil, err
	}
	from := dukpt.AES128
	if base.Size == dukpt.AES256.Size() {
		from = dukpt.AES256
	}
	first, err := dukpt.InitialStep(from, number.ID())
	if err != nil {
		return nil, err
	}
	rest, err := dukpt.Steps(from, number, u, t)
	if err != nil {
		return nil, err
	}
	return slices.AppendSeq([]dukpt.Step{first}, rest), nil
}

// working makes the working key, which may decrypt. Each key on the way is destroyed when the next
// is made. The caller destroys the last.
func (c call) working(base handle, way []dukpt.Step) (handle, error) {
	from := base
	for i, step := range way {
		k, err := kindOfType(step.KeyType())
		may := uint(cryptoki.CKA_DERIVE)
		if i == len(way)-1 {
			may = cryptoki.CKA_DECRYPT
		}
		var next handle
		if err == nil {
			next, err = c.derive(from, cryptoki.CKM_AES_ECB_ENCRYPT_DATA, step.AppendData(nil),
				k.template(true, may))
		}
		if from != base {
			c.destroy(from)
		}
		if err != nil {
			return 0, err
		}
		from = next
	}
	return from, nil
}

// side is one end of a translation.
type side struct {
	c      call
	object handle
	ecb    uint
	format pinblock.Format
}

// fits says whether a format goes with an algorithm.
func fits(f pinblock.Format, k kind) error {
	if f.Size() != k.block {
		return fmt.Errorf("blocks of %v aren't for such a key", f)
	}
	return nil
}

// TranslatePIN decrypts a PIN block and encrypts the PIN again. Between the two the PIN is in this
// process, so a production profile forbids it.
func (m *Module) TranslatePIN(ctx context.Context, t hsm.PINTranslation) ([]byte, error) {
	operation, use := hsm.TranslateZonePIN, hsm.ToOpenPIN
	if t.From != nil && t.From.Spec().Usage == keyblock.UsageB0 {
		operation, use = hsm.TranslateTerminalPIN, hsm.ToDerive
	}
	if err := m.start(ctx, operation); err != nil {
		return nil, err
	}
	to, err := m.mine(t.To, hsm.ToSealPIN)
	if err != nil {
		return nil, err
	}
	from, err := m.mine(t.From, use)
	if err != nil {
		return nil, err
	}
	opening, way := kindOfSpec(from.w.Spec), []dukpt.Step(nil)
	if operation == hsm.TranslateTerminalPIN {
		if way, err = steps(from.w.Spec, t.KSN, dukpt.PIN, t.KeyType); err == nil {
			opening, err = kindOfType(t.KeyType)
		}
	}
	if err == nil && !t.FromFormat.MayBecome(t.ToFormat) {
		err = fmt.Errorf("a PIN may not go from %v to %v", t.FromFormat, t.ToFormat)
	}
	sealing := kindOfSpec(to.w.Spec)
	if err := errors.Join(err, fits(t.FromFormat, opening), fits(t.ToFormat, sealing)); err != nil {
		return nil, err
	}
	t.Block = bytes.Clone(t.Block)
	return do(ctx, m, func(c call) ([]byte, error) {
		target, err := to.enter(c)
		if err != nil {
			return nil, err
		}
		defer to.leave(c)
		source, err := from.enter(c)
		if err != nil {
			return nil, err
		}
		defer from.leave(c)
		if way != nil {
			if source, err = c.working(source, way); err != nil {
				return nil, err
			}
			defer c.destroy(source)
		}
		return translate(side{c, source, opening.ecb, t.FromFormat},
			side{c, target, sealing.ecb, t.ToFormat}, t.PAN, t.Block)
	})
}

func translate(from, to side, pan spec.PAN, block []byte) ([]byte, error) {
	pin, err := from.open(pan, block)
	defer pin.Wipe()
	if err == nil {
		block, err = to.seal(pin, pan)
	}
	if errors.Is(err, pinblock.ErrBlock) {
		err = hsm.ErrPIN
	}
	if err != nil {
		return nil, err
	}
	return block, nil
}

// open decrypts a block. Format 4 is decrypted twice, with the card number added in between.
func (s side) open(pan spec.PAN, block []byte) (pinblock.PIN, error) {
	if len(block) != s.format.Size() {
		return pinblock.PIN{}, pinblock.ErrBlock
	}
	field, err := s.c.decrypt(s.object, s.ecb, nil, block)
	if err == nil && s.format == pinblock.Format4 {
		if err = addPAN(field, pan); err == nil {
			field, err = s.c.decrypt(s.object, s.ecb, nil, field)
		}
	}
	defer clear(field)
	if err != nil {
		return pinblock.PIN{}, err
	}
	return pinblock.Decode(s.format, pinblock.Structure, pan, field)
}

// seal is the reverse of open.
func (s side) seal(pin pinblock.PIN, pan spec.PAN) ([]byte, error) {
	field, err := pinblock.Encode(nil, s.format, pin, pan)
	defer clear(field)
	if err != nil {
		return nil, err
	}
	block, err := s.c.encrypt(s.object, s.ecb, nil, field)
	if err == nil && s.format == pinblock.Format4 {
		if err = addPAN(block, pan); err == nil {
			block, err = s.c.encrypt(s.object, s.ecb, nil, block)
		}
	}
	return block, err
}

// addPAN adds the PAN field of format 4.
func addPAN(field []byte, pan spec.PAN) error {
	var room [16]byte
	defer clear(room[:])
	add, err := pinblock.PANField(room[:0], pan)
	if err != nil {
		return err
	}
	if subtle.XORBytes(field, field, add) != len(room) {
		return fmt.Errorf("%w: it gave a PIN block of another length", hsm.ErrUnavailable)
	}
	return nil
}

// OpenP2PE appends the card data that a terminal encrypted to dst. All keys stay in the token.
func (m *Module) OpenP2PE(ctx context.Context, p hsm.P2PE, dst []byte) ([]byte, error) {
	if err := m.start(ctx, hsm.OpenCard); err != nil {
		return nil, err
	}
	base, err := m.mine(p.Base, hsm.ToDerive)
	if err != nil {
		return nil, err
	}
	way, err := steps(base.w.Spec, p.KSN, p.Direction.Usage(), p.KeyType)
	if err != nil {
		return nil, err
	}
	k, err := kindOfType(p.KeyType)
	if err != nil {
		return nil, err
	}
	iv, data := bytes.Clone(p.IV), bytes.Clone(p.Data)
	if iv == nil {
		iv = make([]byte, k.block)
	}
	if len(iv) != k.block || len(data) == 0 || len(data)%k.block != 0 {
		return nil, fmt.Errorf("%v takes an initial value and blocks of %d bytes: these have %d and %d",
			p.KeyType, k.block, len(iv), len(data))
	}
	clear, err := do(ctx, m, func(c call) ([]byte, error) {
		object, err := base.enter(c)
		if err != nil {
			return nil, err
		}
		defer base.leave(c)
		working, err := c.working(object, way)
		if err != nil {
			return nil, err
		}
		defer c.destroy(working)
		return c.decrypt(working, k.cbc, iv, data)
	})
	if err != nil {
		return nil, err
	}
	return append(dst, clear...), nil
}
