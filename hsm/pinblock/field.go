package pinblock

import (
	"crypto/rand"
	"crypto/subtle"
	"errors"

	"cardswitch/spec"
)

// ErrBlock is the one answer to every PIN block that can't be used: wrong length, control nibble,
// PIN length, fill or digit, or no card number where the format needs one. Don't tell them apart.
var ErrBlock = errors.New("the PIN block can't be used" +
	" (hint: both sides need the same key, format and card number)")

// Checks is what is asked of an opened block.
type Checks uint8

const (
	// Structure asks for the control nibble, a length of 4 to 12, and the fill.
	Structure Checks = iota
	// Digits asks besides that each PIN digit is 0 to 9. That is an oracle: one who may vary the
	// card number learns the PIN from which numbers are refused. Keep it out of production.
	Digits
)

// places is the nibbles of a PIN field behind its control nibble and length.
const places = 14

// Encode appends the clear block of a PIN to dst: of formats 0 and 3 the PIN field with the PAN
// field added, of format 1 the PIN field. Of format 4 it's the PIN field alone, as its PAN field
// comes in between the two encipherments (PANField). Wipe the result after use.
func Encode(dst []byte, f Format, pin PIN, pan spec.PAN) ([]byte, error) {
	defer pin.Wipe()
	var field [16]byte
	var random filling
	defer clear(field[:])
	random.draw(f)
	if !encode(field[:f.Size()], f, &pin, pan, &random) {
		return nil, ErrBlock
	}
	return append(dst, field[:f.Size()]...), nil
}

// Decode opens a clear block, the reverse of Encode.
func Decode(f Format, checks Checks, pan spec.PAN, block []byte) (pin PIN, err error) {
	var field [16]byte
	defer clear(field[:])
	if len(block) != f.Size() || !decode(&pin, f, checks, pan, field[:copy(field[:], block)]) {
		pin.Wipe()
		err = ErrBlock
	}
	return pin, err
}

// PANField appends the 16 bytes that format 4 adds to the block between its two encipherments.
func PANField(dst []byte, pan spec.PAN) ([]byte, error) {
	var field [16]byte
	if !panField4(field[:], pan) {
		return nil, ErrBlock
	}
	return append(dst, field[:]...), nil
}

// encode writes a clear block into field, which has the format's size.
func encode(field []byte, f Format, pin *PIN, pan spec.PAN, random *filling) bool {
	if f.Size() == 0 || pin.n < leastPIN || pin.n > mostPIN {
		return false
	}
	clear(field)
	n := int(pin.n)
	field[0] = f.control()<<4 | pin.n
	for i := range mostPIN {
		v := subtle.ConstantTimeSelect(subtle.ConstantTimeLessOrEq(i+1, n),
			int((pin.veiled[i]^veil)&0x0F), int(random.nibbles[i]))
		setNibble(field, 2+i, byte(v))
	}
	for i := mostPIN; i < places; i++ {
		setNibble(field, 2+i, random.nibbles[i])
	}
	if f == Format4 {
		copy(field[8:], random.tail[:])
		return true
	}
	return addPAN(field, f, pan)
}

// decode reads a clear block into pin. It takes the PAN field off in place. All tests are made, and
// each in the same time whatever it finds.
func decode(pin *PIN, f Format, checks Checks, pan spec.PAN, field []byte) bool {
	if len(field) == 0 || f.Size() != len(field) {
		return false
	}
	good := 1
	if f != Format4 && !addPAN(field, f, pan) {
		good = 0
	}
	n := int(field[0] & 0x0F)
	good &= subtle.ConstantTimeByteEq(field[0]>>4, f.control())
	good &= subtle.ConstantTimeLessOrEq(leastPIN, n) & subtle.ConstantTimeLessOrEq(n, mostPIN)
	digit := 1
	pin.blank(n)
	for i := range places {
		v := nibble(field, 2+i)
		inside := subtle.ConstantTimeLessOrEq(i+1, n)
		if checks == Digits {
			digit = subtle.ConstantTimeLessOrEq(int(v), 9)
		}
		good &= subtle.ConstantTimeSelect(inside, digit, f.fills(v))
		if i < mostPIN {
			pin.veiled[i] = byte(subtle.ConstantTimeSelect(inside, int(v), 0)) ^ veil
		}
	}
	return good == 1
}

// addPAN adds the PAN field of formats 0 and 3, which is also how it's taken off.
func addPAN(field []byte, f Format, pan spec.PAN) bool {
	if !f.bound() {
		return true
	}
	var add [8]byte
	defer clear(add[:])
	ok := panField12(add[:], pan)
	subtle.XORBytes(field, field, add[:])
	return ok
}

// fills tells, as 1 or 0, whether a nibble is fill of the format.
func (f Format) fills(v byte) int {
	switch f {
	case Format0:
		return subtle.ConstantTimeByteEq(v, 0xF)
	case Format3:
		return subtle.ConstantTimeLessOrEq(0xA, int(v))
	case Format4:
		return subtle.ConstantTimeByteEq(v, 0xA)
	case Format1:
		return 1
	}
	return 0
}

// filling is what stands behind the PIN digits.
type filling struct {
	nibbles [places]byte
	tail    [8]byte // format 4: the second half of its PIN field
	fresh   [2 * places]byte
}

// draw makes it up for a format: F, A, or fresh random nibbles.
func (r *filling) draw(f Format) {
	switch f {
	case Format0, Format4:
		for i := range r.nibbles {
			r.nibbles[i] = 0xF
			if f == Format4 {
				r.nibbles[i] = 0xA
			}
		}
		if f == Format4 {
			_, _ = rand.Read(r.tail[:]) // never fails: it ends the program first
		}
	case Format1:
		_, _ = rand.Read(r.nibbles[:])
		for i := range r.nibbles {
			r.nibbles[i] &= 0x0F
		}
	case Format3:
		r.drawLetters()
	}
}

// drawLetters draws nibbles from A to F.
func (r *filling) drawLetters() {
	for i := 0; i < places; {
		_, _ = rand.Read(r.fresh[:])
		for _, c := range r.fresh {
			if v, ok := letter(c); ok && i < places {
				r.nibbles[i] = v
				i++
			}
		}
	}
}

// letter makes a random byte a nibble from A to F. Of the 256 values it leaves four out, so that
// each letter comes from as many.
func letter(random byte) (byte, bool) { return 0xA + random%6, random < 252 }
