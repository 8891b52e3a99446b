package security

import (
	"bytes"
	"context"

	"cardswitch/hsm"
	"cardswitch/spec"
	"cardswitch/spec/keying"
	"cardswitch/switch/txn"
)

// Finding is what an inspection found of a message that came.
type Finding struct {
	// Reason is why the message isn't taken for one of its center; None if it is.
	Reason txn.Reason
	Fault  spec.Fault     // of a message that is Malformed
	Err    error          // of the module or of the keys, for operators
	Coded  bool           // it has a code, which was looked at
	Keys   keying.Control // what element 53 says, or what stands for it
	// Order is what element 53 of a message that changes keys says behind that. The message is
	// then to be read as if it said only this (see Bare).
	Order []byte

	// Of a message with card data or a PIN that a terminal encrypted, also of one whose can't be
	// opened.
	Terminal Terminal
	Counter  uint32 // of its KSN
	Opened   bool   // the message now has its card data in clear
	PIN      bool   // there is a PIN under the terminal's key
}

// Inspect looks at element 53 and the code of a message that could be read. A key is chosen by the
// generation that the message names, and never by trial.
func (g *Guard) Inspect(ctx context.Context, p *Profile, m *spec.Message) Finding {
	f := Finding{Keys: keying.Control{Format: keying.NoPIN}}
	n := codeElement(m.Elements())
	if p.Generations {
		if f.Fault = f.readControl(p, m, n); !f.Fault.OK() {
			f.Reason = txn.Malformed
			return f
		}
	}
	switch {
	case p.MAC == nil:
	case n != 0:
		f.Coded = true
		f.Reason, f.Err = g.check(ctx, p, m, n, f.Keys.ZAK)
	case p.MAC.requires(m.MTI()):
		f.Reason = txn.MACMissing
	}
	return f
}

// readControl reads element 53. A message that names no key but has something under one is wrong.
func (f *Finding) readControl(p *Profile, m *spec.Message, code int) spec.Fault {
	pin := m.Has(52) && p.PIN != nil
	if !m.Has(53) {
		if p.MAC != nil && code != 0 || pin {
			return spec.Fault{Element: 53, Kind: spec.FaultMissing}
		}
		return spec.Fault{}
	}
	var value [48]byte
	text := m.Append(value[:0], 53)
	var err error
	if f.Keys, err = keying.Parse(text); err == nil {
		if p.PIN != nil && pin != (f.Keys.Format != keying.NoPIN) {
			return spec.Fault{Element: 53, Kind: spec.FaultValue}
		}
		return f.readTerminal(p, pin)
	}
	var order []byte
	if f.Keys, order, err = keying.ParseChange(text); err != nil || m.MTI().Class() != 8 {
		return spec.Fault{Element: 53, Kind: spec.FaultValue}
	}
	f.Order = bytes.Clone(order)
	return spec.Fault{}
}

// readTerminal reads whose key a PIN is under, where terminals have such.
func (f *Finding) readTerminal(p *Profile, pin bool) spec.Fault {
	if !pin || p.PIN.Terminals == nil {
		return spec.Fault{}
	}
	var err error
	if f.Terminal, f.Counter, err = p.PIN.Terminals.read(f.Keys.KSN()); err != nil {
		f.Err = err
		return spec.Fault{Element: 53, Kind: spec.FaultValue}
	}
	f.PIN = true
	return spec.Fault{}
}

// Bare appends a message that changes keys as it is without protection: its element 53 is the
// order alone, and it has no code.
func (f *Finding) Bare(dst []byte, m *spec.Message) ([]byte, spec.Fault) {
	var e spec.Edit
	e.Reset()
	e.Remove(firstMAC)
	e.Remove(secondMAC)
	e.Set(53, f.Order)
	return m.Dialect().Append(dst, m, &e)
}

// check verifies the code in element n, the message's last.
func (g *Guard) check(ctx context.Context, p *Profile, m *spec.Message, n int,
	generation uint16) (txn.Reason, error) {
	key, err := g.opener(p, generation)
	if err != nil {
		return txn.MACKeyUnknown, err
	}
	w := g.take()
	defer g.give(w)
	code := m.Append(w.code[:0], n)
	var rest byte
	for _, b := range code[p.MAC.Size:] {
		rest |= b
	}
	raw := m.Raw()
	parts := w.partsOf(p.MAC, m, raw[:len(raw)-len(m.Wire(n))])
	err = g.verify(ctx, key, p.MAC, code[:p.MAC.Size], parts)
	if err == nil && rest != 0 {
		err = hsm.ErrMAC
	}
	return reasonOf(err, txn.MACWrong), err
}

// opener is the key for the code of a message that names a generation, if that is agreed.
func (g *Guard) opener(p *Profile, generation uint16) (hsm.Key, error) {
	if p.Generations {
		return g.keysOf(p).Opener(p.zakIn, generation)
	}
	key, _, err := g.keysOf(p).Newest(p.zakIn)
	return key, err
}
