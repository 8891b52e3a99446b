package security

import (
	"context"
	"errors"
	"time"

	"cardswitch/hsm"
	"cardswitch/spec"
	"cardswitch/spec/keying"
	"cardswitch/switch/txn"
)

// Protect appends a message as it goes to a center: its PIN block translated, element 53 naming
// the keys, its code last. The frame is a message of the center's dialect, without a PIN block if
// b is nil and PINs are agreed on; whatever element 53, 64 or 128 it has are of another zone and
// left out, save for the order in element 53 of a message that changes keys. If it can't be
// protected, the reason says what that means for it, the error tells operators more, and dst is
// as it was.
func (g *Guard) Protect(ctx context.Context, dst []byte, p *Profile, frame []byte, b *Block) (
	[]byte, txn.Reason, error) {
	w := g.take()
	defer g.give(w)
	m := &w.message
	if fault := p.Dialect.Index(m, frame); !fault.OK() {
		return dst, txn.ModuleFailed, fault.Err()
	}
	w.edit.Reset()
	w.edit.Remove(firstMAC)
	w.edit.Remove(secondMAC)
	names := keying.Control{Format: keying.NoPIN}
	switch {
	case b == nil && p.PIN != nil:
		w.edit.Remove(52)
	case b != nil && p.PIN == nil: // agreed no longer
		return dst, txn.PINNotTaken, nil
	case b != nil:
		block, generation, why, err := g.translate(ctx, p, m.PAN(), b)
		if why != txn.None {
			return dst, why, err
		}
		w.edit.Set(52, block)
		clear(block)
		names.ZPK, names.Format = generation, p.PIN.Format.Number()
	}
	var key hsm.Key
	if p.MAC != nil {
		var err error
		key, names.ZAK, err = g.keysOf(p).Sender(p.zakOut)
		if err != nil && p.MAC.requires(m.MTI()) {
			return dst, txn.NoKey, err
		}
	}
	w.name(p, m, names)
	return g.seal(ctx, dst, p, w, key)
}

// name sets element 53.
func (w *work) name(p *Profile, m *spec.Message, names keying.Control) {
	if m.MTI().Class() == 8 && m.Has(53) {
		if !p.Generations {
			return
		}
		var order [48]byte
		value, err := names.AppendChange(w.control[:0], m.Append(order[:0], 53))
		if err == nil {
			w.edit.Set(53, value)
		}
		return
	}
	if !p.Generations || names.ZPK == 0 && names.ZAK == 0 {
		w.edit.Remove(53)
		return
	}
	if value, err := names.Append(w.control[:0]); err == nil {
		w.edit.Set(53, value)
	}
}

var errCode = errors.New("the security module made a code of another length")

// seal appends the message as it was edited, with its code if there is a key.
func (g *Guard) seal(ctx context.Context, dst []byte, p *Profile, w *work, key hsm.Key) (
	[]byte, txn.Reason, error) {
	start, n := len(dst), 0
	if key != nil {
		n = placeOfCode(w.message.Elements().AndNot(spec.Elements(firstMAC, secondMAC)))
		clear(w.code[:])
		w.edit.Set(n, w.code[:codeSize])
	}
	out, fault := p.Dialect.Append(dst, &w.message, &w.edit)
	if !fault.OK() {
		return dst, txn.ModuleFailed, fault.Err()
	}
	if key == nil {
		return out, txn.None, nil
	}
	_, size := p.Dialect.Fixed(n)
	end := len(out) - size
	if len(p.MAC.Elements) != 0 { // they are found in the message as it will be
		if fault := p.Dialect.Index(&w.message, out[start:]); !fault.OK() {
			return dst, txn.ModuleFailed, fault.Err()
		}
	}
	parts := w.partsOf(p.MAC, &w.message, out[start:end])
	began := time.Now()
	code, err := g.module.MAC(ctx, key, p.MAC.way(key), w.code[:0], parts...)
	g.took(hsm.MakeMAC, time.Since(began))
	if err == nil && len(code) != p.MAC.Size {
		err = errCode
	}
	if err != nil {
		return dst, reasonOf(err, txn.ModuleFailed), err
	}
	copy(w.code[:], code)
	clear(w.code[p.MAC.Size:])
	out, fault = p.Dialect.AppendElement(out[:end], n, w.code[:codeSize])
	if !fault.OK() {
		return dst, txn.ModuleFailed, fault.Err()
	}
	return out, txn.None, nil
}
