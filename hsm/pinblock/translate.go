package pinblock

import (
	"errors"
	"fmt"

	"cardswitch/spec"
)

// Side is one end of a translation.
type Side struct {
	Key    *Key
	Format Format
}

// Translator carries PINs from one key and format to another. Prepare it once for a pair of keys;
// it is safe for concurrent use and doesn't allocate.
type Translator struct {
	from, to Side
	checks   Checks
}

// NewTranslator refuses what policy doesn't allow (MayBecome), and a key whose algorithm isn't the
// format's. Checks are made of what comes in.
func NewTranslator(from, to Side, checks Checks) (*Translator, error) {
	switch {
	case !from.Format.MayBecome(to.Format):
		return nil, fmt.Errorf("a PIN may not go from %v to %v", from.Format, to.Format)
	case !from.Key.Takes(from.Format):
		return nil, fmt.Errorf("the key that PINs come in under isn't for %v", from.Format)
	case !to.Key.Takes(to.Format):
		return nil, fmt.Errorf("the key that PINs go out under isn't for %v", to.Format)
	case checks > Digits:
		return nil, errors.New("there are no such checks of a PIN block")
	}
	return &Translator{from, to, checks}, nil
}

// Translate appends to dst the PIN of block, made anew under the key and format that it goes to.
// The card number is the same for both, by construction. The one error is ErrBlock, and then
// nothing is given back.
func (t *Translator) Translate(dst []byte, pan spec.PAN, block []byte) ([]byte, error) {
	var pin PIN
	defer pin.Wipe()
	w := t.from.Key.take()
	defer t.from.Key.give(w)
	w.random.draw(t.to.Format)
	if !t.from.Key.open(w, &pin, t.from.Format, t.checks, pan, block) ||
		!t.to.Key.seal(w, t.to.Format, &pin, pan) {
		return nil, ErrBlock
	}
	return append(dst, w.field[:t.to.Format.Size()]...), nil
}
