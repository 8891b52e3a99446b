package payshield

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"

	"cardswitch/hsm"
	"cardswitch/hsm/dukpt"
	"cardswitch/hsm/keyblock"
	"cardswitch/hsm/mac"
)

// mostRandom is how many bytes N0 is asked for at once.
const mostRandom = 128

// Random fills b by N0. Half of b may be filled when it fails.
func (m *Module) Random(ctx context.Context, b []byte) error {
	if err := hsm.Ended(ctx); err != nil {
		return err
	}
	for len(b) > 0 {
		n := min(len(b), mostRandom)
		rest, err := m.ask(ctx, random, askRandom(n))
		if err != nil {
			return err
		}
		if len(rest) != n {
			return unreadable(random, errFormat)
		}
		copy(b, rest)
		clear(rest)
		b = b[n:]
	}
	return nil
}

// TranslatePIN is CC, or G0 for a terminal's PIN. It is asked again at the other unit if the first
// doesn't answer: the same block translated twice is two good blocks.
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
	p := pins{from: from.block, to: to.block, pan: t.PAN, block: t.Block}
	if err := p.formats(t); err != nil {
		return nil, err
	}
	command, fields := zonePIN, []byte(nil)
	if use == hsm.ToDerive {
		if err := tdesDUKPT(t.KSN, t.KeyType); err != nil {
			return nil, err
		}
		command = terminalPIN
		fields = askTerminalPIN(p, m.config.KSNDescriptor, t.KSN, m.config.LMK)
	} else {
		fields = askZonePIN(p, m.config.LMK)
	}
	rest, err := m.ask(ctx, command, fields)
	if err != nil {
		return nil, err
	}
	block, err := readPIN(rest, p.toFormat)
	clear(rest)
	if err != nil {
		return nil, unreadable(command, err)
	}
	return block, nil
}

// leastPAN is the fewest digits of a card number, ISO/IEC 7812, as package pinblock takes it.
const leastPAN = 8

// formats fills in the formats. Here, too, all that is wrong with the block or its card number is
// one error.
func (p *pins) formats(t hsm.PINTranslation) (err error) {
	if !t.FromFormat.MayBecome(t.ToFormat) {
		return fmt.Errorf("payshield: a PIN may not go from %v to %v (ISO 9564-1)", t.FromFormat,
			t.ToFormat)
	}
	if p.fromFormat, err = formatCode(t.FromFormat); err != nil {
		return err
	}
	if p.toFormat, err = formatCode(t.ToFormat); err != nil {
		return err
	}
	if len(t.Block) != pinBlockSize || t.PAN.Len() < leastPAN {
		return refusal(zonePIN, "20")
	}
	return nil
}

// tdesDUKPT says why a serial number isn't one of a terminal with TDES DUKPT.
func tdesDUKPT(ksn []byte, t dukpt.KeyType) error {
	if t != dukpt.TDEA2 {
		return fmt.Errorf("payshield: TDES DUKPT has no keys of %v", t)
	}
	_, err := dukpt.ParseTDESKSN(ksn)
	return err
}

// OpenP2PE is M2. TDES DUKPT has the same key for both ways.
func (m *Module) OpenP2PE(ctx context.Context, p hsm.P2PE, dst []byte) ([]byte, error) {
	if err := m.start(ctx, hsm.OpenCard); err != nil {
		return nil, err
	}
	bdk, err := m.mine(p.Base, hsm.ToDerive)
	if err != nil {
		return nil, err
	}
	if err := tdesDUKPT(p.KSN, p.KeyType); err != nil {
		return nil, err
	}
	iv := p.IV
	if len(iv) == 0 {
		iv = make([]byte, tdesBlock)
	}
	switch {
	case p.Direction.Usage() == 0:
		return nil, errors.New("payshield: there is no such direction")
	case len(iv) != tdesBlock:
		return nil, fmt.Errorf("payshield: the initial value has %d bytes, not %d", len(iv), tdesBlock)
	case len(p.Data) == 0 || len(p.Data)%tdesBlock != 0 || len(p.Data) > mostData:
		return nil, fmt.Errorf("payshield: %d bytes of card data aren't 1 to %d whole blocks",
			len(p.Data), mostData/tdesBlock)
	}
	rest, err := m.ask(ctx, decrypt, askDecrypt(bdk.block, m.config.KSNDescriptor, p.KSN, iv, p.Data,
		m.config.LMK))
	if err != nil {
		return nil, err
	}
	defer clear(rest)
	data, err := readDecrypt(rest, len(p.Data))
	if err != nil {
		return nil, unreadable(decrypt, err)
	}
	return append(dst, data...), nil
}

// coder says which key and which code a MAC is asked of a unit with.
func (m *Module) coder(ctx context.Context, loaded hsm.Key, use hsm.Use, how mac.Spec) (
	*key, code, error) {
	if err := m.start(ctx, hsm.MakeMAC); err != nil {
		return nil, code{}, err
	}
	k, err := m.own(loaded)
	if err != nil {
		return nil, code{}, err
	}
	if err := k.spec.PermitMAC(use, how); err != nil {
		return nil, code{}, err
	}
	c, ok := codeOf(how)
	if !ok {
		return nil, code{}, fmt.Errorf("payshield: %w: %v of %d bytes", hsm.ErrAbsent, how.Algorithm,
			how.Size)
	}
	return k, c, nil
}

// message is the parts with the padding of the method.
func message(how mac.Spec, parts [][]byte) ([]byte, error) {
	b := appendPadded(nil, how.Padding, parts...)
	if len(b) > mostData {
		return nil, fmt.Errorf("payshield: a message of %d bytes is too long for a MAC here, %d are "+
			"the most", len(b), mostData)
	}
	return b, nil
}

// MAC is M6. Of a code of 5 to 7 bytes the unit makes 8.
func (m *Module) MAC(ctx context.Context, key hsm.Key, how mac.Spec, dst []byte,
	parts ...[]byte) ([]byte, error) {
	k, c, err := m.coder(ctx, key, hsm.ToMakeMAC, how)
	if err != nil {
		return nil, err
	}
	whole, err := m.code(ctx, k, c, how, parts)
	if err != nil {
		return nil, err
	}
	return append(dst, whole[:how.Size]...), nil
}

func (m *Module) code(ctx context.Context, k *key, c code, how mac.Spec, parts [][]byte) (
	[]byte, error) {
	b, err := message(how, parts)
	if err != nil {
		return nil, err
	}
	defer clear(b)
	rest, err := m.ask(ctx, makeMAC, askMakeMAC(c, k.block, b, m.config.LMK))
	if err != nil {
		return nil, err
	}
	code, err := readMAC(rest, c.bytes)
	if err != nil {
		return nil, unreadable(makeMAC, err)
	}
	return code, nil
}

// VerifyMAC is M8. Codes of 5 to 7 bytes, which M8 doesn't take, are made and compared here; a key
// that only verifies can't do that.
func (m *Module) VerifyMAC(ctx context.Context, key hsm.Key, how mac.Spec, want []byte,
	parts ...[]byte) error {
	k, c, err := m.coder(ctx, key, hsm.ToVerifyMAC, how)
	if err != nil {
		return err
	}
	if len(want) != how.Size {
		return hsm.ErrMAC
	}
	if c.bytes != how.Size {
		whole, err := m.code(ctx, k, c, how, parts)
		if err == nil && subtle.ConstantTimeCompare(whole[:how.Size], want) != 1 {
			return hsm.ErrMAC
		}
		return err
	}
	b, err := message(how, parts)
	if err != nil {
		return err
	}
	defer clear(b)
	rest, err := m.ask(ctx, verifyMAC, askVerifyMAC(c, k.block, b, want, m.config.LMK))
	switch {
	case errors.Is(err, hsm.ErrMAC):
		return hsm.ErrMAC
	case err != nil:
		return err
	case len(rest) > 0:
		return unreadable(verifyMAC, errFormat)
	}
	return nil
}

// PRF is absent; see the package comment.
func (m *Module) PRF(ctx context.Context, _ hsm.Key, _ []byte) (out [16]byte, err error) {
	return out, m.start(ctx, hsm.DeriveSecret)
}

// WrapData is absent; see the package comment.
func (m *Module) WrapData(ctx context.Context, _ hsm.Key, _ []byte) ([]byte, error) {
	return nil, m.start(ctx, hsm.WrapDataKey)
}

// UnwrapData is absent; see the package comment.
func (m *Module) UnwrapData(ctx context.Context, _ hsm.Key, _ []byte) ([]byte, error) {
	return nil, m.start(ctx, hsm.WrapDataKey)
}
