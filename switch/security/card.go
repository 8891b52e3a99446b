package security

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"cardswitch/hsm"
	"cardswitch/hsm/dukpt"
	"cardswitch/hsm/keyring"
	"cardswitch/spec"
	"cardswitch/spec/p2pe"
	"cardswitch/switch/txn"
)

// Terminal names the initial key of a terminal: its KSN without the counter. It is no secret. The
// zero value is none.
type Terminal struct {
	id   [10]byte
	size uint8
}

// TerminalNamed is the terminal of a name: 8 bytes of AES DUKPT, 10 of TDES DUKPT.
func TerminalNamed(name []byte) (t Terminal) {
	t.size = uint8(copy(t.id[:], name))
	return t
}

// String is the name in hexadecimal.
func (t Terminal) String() string { return fmt.Sprintf("%X", t.id[:t.size]) }

// AppendTo appends the name: 8 bytes of AES DUKPT, 10 of TDES DUKPT.
func (t Terminal) AppendTo(dst []byte) []byte { return append(dst, t.id[:t.size]...) }

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
	key, err := g.base(p.P2PE, sealed.KSN)
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
	if p.AES {
		ksn, err := dukpt.ParseAESKSN(sealed.KSN)
		if err != nil || len(sealed.Data)%16 != 0 {
			return sealed, errors.Join(p2pe.ErrElement, err)
		}
		f.Counter, f.Terminal = ksn.Counter(), TerminalNamed(ksn.ID().AppendTo(nil))
		return sealed, nil
	}
	ksn, err := dukpt.ParseTDESKSN(sealed.KSN)
	if err != nil {
		return sealed, errors.Join(p2pe.ErrElement, err)
	}
	f.Counter, f.Terminal = ksn.Counter(), TerminalNamed(ksn.ID().AppendTo(nil))
	return sealed, nil
}

var (
	errTwoKSNs = errors.New("element 53 names another KSN than the encrypted card data")
	errKeySet  = errors.New("the KSN is of no key set of this center (hint: see " +
		"security.p2pe.key_sets)")
)

// base is the base key of the terminal's key set.
func (g *Guard) base(p *P2PE, ksn []byte) (hsm.Key, error) {
	slot := keyring.Slot{Purpose: keyring.BDK, Center: p.center}
	if len(p.Sets) > 0 {
		text := fmt.Sprintf("%X", ksn)
		for _, set := range p.Sets {
			if strings.HasPrefix(text, set) {
				slot.Set = set
			}
		}
		if slot.Set == "" {
			return nil, errKeySet
		}
	}
	key, _, err := g.keys.Newest(slot)
	return key, err
}

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
