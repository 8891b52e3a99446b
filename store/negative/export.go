package negative

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"

	"cardswitch/spec"
)

// ExportKeySize is the size of the key that a merchant center compares by.
const ExportKeySize = 32

// namedSize is how much of a card's HMAC a line has.
const namedSize = 16

// Named is what an exported list calls a card: the first 16 bytes of HMAC-SHA-256 over its digits.
func Named(key []byte, card spec.PAN) (name [namedSize]byte) {
	n := namer{mac: hmac.New(sha256.New, key)}
	return n.name(card)
}

type namer struct {
	mac hash.Hash
	sum [sha256.Size]byte
}

func (n *namer) name(card spec.PAN) (name [namedSize]byte) {
	var digits [19]byte
	n.mac.Reset()
	plain := card.AppendReveal(digits[:0])
	n.mac.Write(plain)
	clear(plain)
	copy(name[:], n.mac.Sum(n.sum[:0]))
	return name
}

// Export writes the list as a merchant center may have it: no card number, but what it calls each
// card under a key of its own, with the terms. What has ended isn't in it. The first line names the
// columns, the last one has the number of cards and the SHA-256 of all lines before:
//
//	name,action,reason,from,until
//	3f1c...,208,3000,,2027-12-31
//	T,1,5a...
//
// cardOf turns a hash back into its card.
func (l *List) Export(to io.Writer, key []byte, now int64,
	cardOf func(Hash) (spec.PAN, bool)) (cards uint64, err error) {
	if len(key) != ExportKeySize {
		return 0, fmt.Errorf("the key has %d bytes, not %d", len(key), ExportKeySize)
	}
	sum := sha256.New()
	file := bufio.NewWriterSize(to, 64<<10)
	w := &exporter{to: io.MultiWriter(file, sum), today: l.day(now), cardOf: cardOf,
		namer: namer{mac: hmac.New(sha256.New, key)}}
	if _, err := io.WriteString(w.to, "name,action,reason,from,until\n"); err != nil {
		return 0, err
	}
	regular, generation := l.Current(now)
	if regular == nil && generation != 0 {
		return 0, errors.New("the regular file can't be used")
	}
	if regular != nil {
		err = regular.Each(func(e Entry) error {
			if _, urgent := l.urgent.find(&e.Card); urgent {
				return nil // an entry of its own, or released
			}
			return w.entry(e)
		})
	}
	l.urgent.each(func(e urgentEntry) bool {
		if err == nil && e.generation == 0 {
			err = w.entry(e.Entry)
		}
		return err == nil
	})
	if err != nil {
		return w.cards, err
	}
	_, err = fmt.Fprintf(file, "T,%d,%x\n", w.cards, sum.Sum(nil))
	return w.cards, errors.Join(err, file.Flush())
}

type exporter struct {
	namer
	to     io.Writer
	today  Day
	cards  uint64
	line   []byte
	cardOf func(Hash) (spec.PAN, bool)
}

func (w *exporter) entry(e Entry) error {
	if e.Until != 0 && e.Until < w.today {
		return nil
	}
	card, ok := w.cardOf(e.Card)
	if !ok {
		return fmt.Errorf("%w: a hash is no card's", ErrDamaged)
	}
	name := w.name(card)
	w.line = hex.AppendEncode(w.line[:0], name[:])
	w.line = fmt.Appendf(w.line, ",%03d,%04d,%s,%s\n", e.Action, e.Reason, e.From, e.Until)
	w.cards++
	_, err := w.to.Write(w.line)
	return err
}
