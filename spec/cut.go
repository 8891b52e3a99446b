package spec

import (
	"encoding/binary"
	"errors"
)

// What is taken out of a kept image and may be put back are cuts: card numbers that stand where
// none belongs, in a remark, say. They are kept beside the image as a secret. A cut is how many
// bytes lie between it and the one before, how many it has (varints both), and the bytes as they
// were.

var errCut = errors.New("what was cut out of a message doesn't fit it")

// cutter notes cuts while an image is blanked.
type cutter struct {
	cuts []byte
	end  int // of the last one, in the image
	keep bool
}

// texts are those in which any card's number is looked for. Merchants' numbers (element 42) are
// digits, too, and one in ten would pass for a card; they are to be read in the journal. In a
// message of which nothing is known and that is never sent again no exception is made.
func (c *cutter) texts(d *Dialect) Bitmap {
	if c.keep {
		return d.texts.AndNot(acceptor)
	}
	return d.texts
}

// acceptor is the card acceptor's identification code.
var acceptor = Elements(42)

// compare notes what was changed in an element that begins at a place of the image: all from the
// first changed byte to the last.
func (c *cutter) compare(at int, was, is []byte) {
	if !c.keep {
		return
	}
	from, to := 0, len(was)
	for from < to && was[from] == is[from] {
		from++
	}
	for to > from && was[to-1] == is[to-1] {
		to--
	}
	if from == to {
		return
	}
	c.cuts = binary.AppendUvarint(c.cuts, uint64(at+from-c.end))
	c.cuts = binary.AppendUvarint(c.cuts, uint64(to-from))
	c.cuts = append(c.cuts, was[from:to]...)
	c.end = at + to
}

// PutBack puts cuts back where AppendKept or AppendDelta took them out.
func PutBack(image, cuts []byte) error {
	for at := image; len(cuts) > 0; {
		skip, n := binary.Uvarint(cuts)
		if n <= 0 || skip > uint64(len(at)) {
			return errCut
		}
		cuts, at = cuts[n:], at[skip:]
		size, n := binary.Uvarint(cuts)
		if n <= 0 || size > uint64(len(at)) || size > uint64(len(cuts)-n) {
			return errCut
		}
		copy(at, cuts[n:n+int(size)])
		cuts, at = cuts[n+int(size):], at[size:]
	}
	return nil
}

// hide blanks card numbers where none belongs and notes them: those of card, which may be nil, and
// in a text others too. The element begins at a place of the image.
func (l *layout) hide(wire []byte, n int, card *search, text bool, at int, c *cutter) {
	own := card != nil && (l.holds(wire, card) ||
		n == 37 && card.covers(wire[l.prefix:], l.zeroDigit()))
	if own || text && l.numbers(n, wire, false) {
		l.hideFound(wire, n, card, text, at, c)
	}
}

func (l *layout) hideFound(wire []byte, n int, card *search, text bool, at int, c *cutter) {
	var scratch [1024]byte
	was := append(scratch[:0], wire...)
	if card != nil {
		l.blank(wire, blankPAN, card)
		if zero := l.zeroDigit(); n == 37 && card.covers(wire[l.prefix:], zero) {
			overwrite(wire[l.prefix:], zero)
		}
	}
	if text {
		l.numbers(n, wire, true)
	}
	c.compare(at, was, wire)
}

// zeroDigit is how the digit 0 stands in a text.
func (l *layout) zeroDigit() byte {
	if l.form == formText {
		return l.text.zero
	}
	return '0'
}
