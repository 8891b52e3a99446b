package security

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"time"

	"cardswitch/hsm"
	"cardswitch/hsm/pinblock"
	"cardswitch/spec"
	"cardswitch/switch/txn"
)

// Block is a PIN block between the door where it came in and the release where it is translated.
// It is in memory only and prints as nothing.
type Block struct {
	from       *Profile
	generation uint16
	terminal   Terminal // whose key it is under; none: it is under the center's
	ksn        []byte
	format     pinblock.Format
	size       int
	bytes      [16]byte
}

// String shows nothing.
func (b *Block) String() string { return "(PIN block)" }

// GoString shows nothing.
func (b *Block) GoString() string { return b.String() }

// Format shows nothing, whatever the verb.
func (b *Block) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, b.String()) }

// Terminal is whose key the block is under; none: the center's own.
func (b *Block) Terminal() Terminal { return b.terminal }

// Wipe forgets it.
func (b *Block) Wipe() { clear(b.bytes[:]) }

// Accept takes the PIN block of a message that goes from one center to another. Nil and no reason
// is a message without one, or between two centers that agreed on nothing: then it is theirs
// alone, and is passed on as it is. The generation must be one that may be used now; whether the
// block is right only the module can tell, at the release.
func (g *Guard) Accept(from, to *Profile, m *spec.Message, f *Finding) (*Block, txn.Reason) {
	gives, takes := from != nil && from.PIN != nil, to != nil && to.PIN != nil
	switch {
	case !m.Has(52), !gives && !takes:
		return nil, txn.None
	case !gives, !takes:
		return nil, txn.PINNotTaken
	}
	keys := &f.Keys
	b := &Block{from: from, generation: keys.ZPK, format: from.PIN.Format}
	if from.PIN.Terminals != nil {
		b.terminal, b.ksn = f.Terminal, bytes.Clone(keys.KSN())
	}
	if from.Generations {
		named, err := pinblock.ParseFormat(int(keys.Format))
		if err != nil || named != b.format {
			return nil, txn.PINUnreadable
		}
	}
	if _, err := g.opensPIN(b); err != nil {
		return nil, txn.PINKeyUnknown
	}
	b.size = len(m.Append(b.bytes[:0], 52))
	return b, txn.None
}

// opensPIN is the key that a block is under, or the base key of that.
func (g *Guard) opensPIN(b *Block) (hsm.Key, error) {
	keys := g.keysOf(b.from)
	if t := b.from.PIN.Terminals; t != nil {
		slot, err := t.slot(b.ksn)
		if err != nil {
			return nil, err
		}
		return keys.Opener(slot, b.generation)
	}
	if b.from.Generations {
		return keys.Opener(b.from.zpkIn, b.generation)
	}
	key, _, err := keys.Newest(b.from.zpkIn)
	return key, err
}

// translate carries a PIN into the zone of a center, and says which of its keys it is under now.
func (g *Guard) translate(ctx context.Context, p *Profile, pan spec.PAN, b *Block) (block []byte,
	generation uint16, why txn.Reason, err error) {
	from, err := g.opensPIN(b)
	if err != nil {
		return nil, 0, txn.PINKeyUnknown, err
	}
	to, generation, err := g.keysOf(p).Sender(p.zpkOut)
	if err != nil {
		return nil, 0, txn.NoKey, err
	}
	ask, what := hsm.PINTranslation{From: from, FromFormat: b.format, To: to, ToFormat: p.PIN.Format,
		PAN: pan, Block: b.bytes[:b.size]}, hsm.TranslateZonePIN
	if t := b.from.PIN.Terminals; t != nil {
		ask.KSN, ask.KeyType, what = b.ksn, t.Key, hsm.TranslateTerminalPIN
	}
	began := time.Now()
	block, err = g.module.TranslatePIN(ctx, ask)
	g.took(what, time.Since(began))
	return block, generation, reasonOf(err, txn.PINUnreadable), err
}
