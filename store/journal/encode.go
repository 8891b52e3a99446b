package journal

import (
	"encoding/binary"
)

// The parts of a record beyond its kind, in the order in which they are written. A part that is
// zero costs one bit: an opened or closed request is about forty bytes beside its images.
const (
	hasTxn = 1 << iota
	hasCenter
	hasDest
	hasSTAN
	hasMTI
	hasAction
	hasReason
	hasFunction
	hasCurrency
	hasAmount
	hasKey
	hasPAN
	hasCard
	hasReference
	hasDeadline
	hasAdvice
	hasText
	hasAt // differs from the time of the chunk
	hasImages
	hasProcessing
	hasCuts // of the images, in the sealed block
	hasTotals
	knownParts = iota
)

// Parts is how many there are. One that is new is a new level of the journal, see store.Reads.
const Parts = knownParts

// flagBytes is the width of the flags on disk, little endian.
const flagBytes = 3

func flag(set bool, f uint32) uint32 {
	if set {
		return f
	}
	return 0
}

// flags says which parts a record needs, given its own number and the time of its chunk.
func (r *Record) flags(seq uint64, base int64) uint32 {
	return flag(r.Txn != 0 && r.Txn != seq, hasTxn) |
		flag(r.Center != 0, hasCenter) | flag(r.Dest != 0, hasDest) |
		flag(r.STAN != 0, hasSTAN) | flag(r.MTI != 0, hasMTI) |
		flag(r.Action != 0, hasAction) | flag(r.Reason != 0, hasReason) |
		flag(r.Function != 0, hasFunction) | flag(r.Currency != 0, hasCurrency) |
		flag(r.Amount != 0, hasAmount) | flag(!r.Key.IsZero(), hasKey) |
		flag(!r.PAN.IsZero(), hasPAN) | flag(r.Card != [16]byte{}, hasCard) |
		flag(r.Reference != [12]byte{}, hasReference) | flag(r.Deadline != 0, hasDeadline) |
		flag(r.Advice != 0, hasAdvice) | flag(r.Text != "", hasText) |
		flag(r.At != base, hasAt) | flag(r.ImageCount != 0, hasImages) |
		flag(r.Processing != 0, hasProcessing) | flag(r.hasCuts(), hasCuts) |
		flag(r.Moves != 0 || r.Slice != 0 || r.Day != 0 || r.MerchantDay != 0, hasTotals)
}

func (r *Record) hasCuts() bool {
	for i := range r.Images[:r.ImageCount] {
		if len(r.Images[i].Cut) != 0 {
			return true
		}
	}
	return false
}

// appendRecord writes a record without its secrets.
func appendRecord(b []byte, r *Record, seq uint64, base int64) []byte {
	f := r.flags(seq, base)
	b = append(b, byte(r.Kind), byte(f), byte(f>>8), byte(f>>16))
	if f&hasTxn != 0 { // a distance: it is short, as most transactions last seconds
		b = binary.AppendVarint(b, int64(seq-r.Txn))
	}
	b = appendPart(b, f&hasCenter, uint64(r.Center))
	b = appendPart(b, f&hasDest, uint64(r.Dest))
	b = appendPart(b, f&hasSTAN, uint64(r.STAN))
	if f&hasMTI != 0 {
		b = binary.BigEndian.AppendUint16(b, uint16(r.MTI))
	}
	b = appendPart(b, f&hasAction, uint64(r.Action))
	b = appendPart(b, f&hasReason, uint64(r.Reason))
	b = appendPart(b, f&hasFunction, uint64(r.Function))
	b = appendPart(b, f&hasCurrency, uint64(r.Currency))
	b = appendPart(b, f&hasAmount, r.Amount)
	if f&hasKey != 0 {
		b = appendKey(b, &r.Key)
	}
	if f&hasCard != 0 {
		b = append(b, r.Card[:]...)
	}
	if f&hasReference != 0 {
		b = append(b, r.Reference[:]...)
	}
	if f&hasDeadline != 0 {
		b = binary.AppendVarint(b, r.Deadline-base)
	}
	if f&hasAdvice != 0 {
		b = binary.AppendVarint(b, int64(seq-r.Advice))
	}
	if f&hasText != 0 {
		b = binary.AppendUvarint(b, uint64(len(r.Text)))
		b = append(b, r.Text...)
	}
	if f&hasAt != 0 {
		b = binary.AppendVarint(b, r.At-base)
	}
	if f&hasImages != 0 {
		b = appendImages(b, r.Images[:r.ImageCount])
	}
	b = appendPart(b, f&hasProcessing, uint64(r.Processing))
	if f&hasTotals == 0 {
		return b
	}
	b = append(b, r.Moves)
	b = binary.AppendUvarint(b, uint64(r.Slice))
	b = binary.AppendUvarint(b, uint64(r.Day))
	return binary.AppendUvarint(b, uint64(r.MerchantDay))
}

func appendPart(b []byte, present uint32, v uint64) []byte {
	if present == 0 {
		return b
	}
	return binary.AppendUvarint(b, v)
}

// appendKey writes a key in about 17 of its 24 bytes.
func appendKey(b []byte, k *Key) []byte {
	b = binary.AppendUvarint(b, uint64(k.Center()))
	b = binary.AppendUvarint(b, k.LocalTime())
	b = binary.BigEndian.AppendUint16(b, uint16(k.MTI()))
	b = binary.AppendUvarint(b, uint64(k.STAN()))
	b = append(b, k.AcquirerLen())
	return binary.AppendUvarint(b, k.Acquirer())
}

// appendImages writes the count, then each image: both roles in one byte, its link, dialect and
// data.
func appendImages(b []byte, images []Image) []byte {
	b = append(b, byte(len(images)))
	for i := range images {
		m := &images[i]
		b = append(b, byte(m.Role)<<4|byte(m.Base)&15)
		b = binary.AppendUvarint(b, uint64(m.Link))
		b = binary.AppendUvarint(b, uint64(m.Dialect))
		b = binary.AppendUvarint(b, uint64(len(m.Data)))
		b = append(b, m.Data...)
	}
	return b
}

// appendSecrets writes what of a record is kept sealed: its card number and its images' cuts.
func appendSecrets(b []byte, r *Record) []byte {
	if !r.PAN.IsZero() {
		var digits [20]byte
		b = appendPAN(b, r.PAN.AppendReveal(digits[:0]))
	}
	if !r.hasCuts() {
		return b
	}
	for i := range r.Images[:r.ImageCount] {
		b = binary.AppendUvarint(b, uint64(len(r.Images[i].Cut)))
		b = append(b, r.Images[i].Cut...)
	}
	return b
}

// appendPAN writes a card number as its length and its digits, two a byte.
func appendPAN(b []byte, digits []byte) []byte {
	b = append(b, byte(len(digits)))
	for len(digits) >= 2 {
		b = append(b, digits[0]<<4|digits[1]&15)
		digits = digits[2:]
	}
	if len(digits) == 1 {
		b = append(b, digits[0]<<4)
	}
	return b
}
