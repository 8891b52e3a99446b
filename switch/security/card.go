package security

import (
	"bytes"
	"context"
	"errors"
	"time"

	"cardswitch/hsm"
	"cardswitch/spec"
	"cardswitch/spec/p2pe"
	"cardswitch/switch/txn"
)

// OpenCard opens the card data of a message whose code is right, if it has such, and gives the
// message with them in clear in elements 2, 14, 35 and 45, in new memory that the caller wipes. Nil
// is a message that stays as it is, or isn't taken: then f says why. Who may send no card in clear
// and does so is refused before anything is opened.
//
// That the data are of the terminal's key, and weren't altered, shows in what they say (package
// p2pe). Whether the counter was used before, the caller must ask.
func (g *Guard) OpenCard(ctx context.Context, p *Profile, m *spec.Message, f *Finding) []byte {
	w := g.take()
	defer g.give(w)
	n := p.P2PE.Element
	if p.P2PE.Required || m.Has(n) {
		if bare := w.inClear(m, n, p.P2PE.Required); bare != 0 {
			f.Reason = txn.CardInClear
			f.Fault = spec.Fault{Element: uint8(bare), Kind: spec.FaultInClear}
			return nil
		}
	}
	if !m.Has(n) {
		return nil
	}
	defer clear(w.sealed[:])
	sealed, err := g.readSealed(p.P2PE, m, w, f)
	if err != nil {
		f.Reason, f.Fault = txn.Malformed, spec.Fault{Element: uint8(n), Kind: spec.FaultValue}
		f.Err = err
		return nil
	}
	slot, err := p.P2PE.slot(sealed.KSN)
	var key hsm.Key
	if err == nil {
		key, _, err = g.keysOf(p).Newest(slot)
	}
	if err != nil {
		f.Reason, f.Err = txn.CardKeyUnknown, err
		return nil
	}
	began := time.Now()
	w.card, err = g.module.OpenP2PE(ctx, hsm.P2PE{Base: key, KSN: sealed.KSN, KeyType: p.P2PE.Key,
		Direction: hsm.FromTerminal, Data: sealed.Data}, w.card[:0])
	g.took(hsm.OpenCard, time.Since(began))
	defer func() { clear(w.card[:cap(w.card)]) }()
	if err != nil {
		f.Reason, f.Err = reasonOf(err, txn.CardUnreadable), err
		return nil
	}
	card, err := p2pe.Open(w.card)
	if err != nil {
		f.Reason, f.Err = txn.CardUnreadable, err
		return nil
	}
	return w.inTheClear(p, m, card, f)
}

// readSealed reads the element, and the KSN that goes with it.
func (g *Guard) readSealed(p *P2PE, m *spec.Message, w *work, f *Finding) (p2pe.Sealed, error) {
	var text [1024]byte
	sealed, err := p2pe.Parse(m.Append(text[:0], p.Element), w.sealed[:])
	if err != nil {
		return sealed, err
	}
	named := f.Keys.KSN()
	switch {
	case len(sealed.KSN) == 0:
		sealed.KSN = named
	case len(named) != 0 && !bytes.Equal(named, sealed.KSN):
		return sealed, errTwoKSNs
	}
	if f.Terminal, f.Counter, err = p.read(sealed.KSN); err != nil ||
		p.AES && len(sealed.Data)%16 != 0 {
		return sealed, errors.Join(p2pe.ErrElement, err)
	}
	return sealed, nil
}

var errTwoKSNs = errors.New("element 53 names another KSN than the encrypted card data")

// inTheClear gives the message with its card data.
func (w *work) inTheClear(p *Profile, m *spec.Message, card p2pe.Card, f *Finding) []byte {
	w.edit.Reset()
	defer w.edit.Wipe()
	w.edit.Remove(p.P2PE.Element)
	var number [19]byte
	w.edit.Set(2, card.PAN.AppendReveal(number[:0]))
	clear(number[:])
	for n, value := range map[int][]byte{14: card.Expiry, 35: card.Track2, 45: card.Track1} {
		if value != nil {
			w.edit.Set(n, value)
		}
	}
	frame, fault := p.Dialect.Append(nil, m, &w.edit)
	if !fault.OK() {
		f.Reason, f.Fault = txn.Malformed, fault
		return nil
	}
	f.Opened = true
	return frame
}

// inClear gives the first element with card data in clear, 0 if there is none. everywhere: also in
// texts, items and tags, by what the journal would have to blank there; a merchant's own number
// (element 42) and a PIN block aren't card data.
func (w *work) inClear(m *spec.Message, sealed int, everywhere bool) int {
	have := m.Elements()
	for _, n := range [...]int{2, 34, 35, 36, 45} {
		if have.Has(n) {
			return n
		}
	}
	if !everywhere {
		return 0
	}
	w.kept, w.cuts = m.AppendKept(w.kept[:0], w.cuts[:0])
	clear(w.cuts)
	if fault := m.Dialect().Index(&w.message, w.kept); !fault.OK() {
		return int(fault.Element)
	}
	for n := have.Next(0); n != 0; n = have.Next(n) {
		if n != sealed && n != 52 && !bytes.Equal(m.Wire(n), w.message.Wire(n)) {
			return n
		}
	}
	return 0
}
