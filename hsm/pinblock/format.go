package pinblock

import "fmt"

// Format is one of the PIN block formats of ISO 9564-1. The zero value is none.
type Format uint8

// The formats, each named by its number.
const (
	Format0 Format = iota + 1 // bound to the card number, filled with F
	Format1                   // without a card number, random fill
	Format3                   // bound to the card number, random fill of A to F
	Format4                   // bound to the card number by two encipherments with AES, random
)

// ParseFormat takes the number of a format: 0, 1, 3 or 4. Format 2 is between a reader and a chip
// and never on a line.
func ParseFormat(number int) (Format, error) {
	for f := Format0; f <= Format4; f++ {
		if int(f.control()) == number {
			return f, nil
		}
	}
	return 0, fmt.Errorf("there is no PIN block format %d here: 0, 1, 3 and 4 there are", number)
}

// Number is the format's own, and 255 of none.
func (f Format) Number() uint8 { return f.control() }

// String is such as "ISO format 0".
func (f Format) String() string {
	if f.control() == noControl {
		return "no PIN block format"
	}
	return fmt.Sprintf("ISO format %d", f.control())
}

// noControl is no control nibble, so that a format that isn't one opens nothing.
const noControl = 0xFF

// control is the first nibble of a block.
func (f Format) control() byte {
	switch f {
	case Format0:
		return 0
	case Format1:
		return 1
	case Format3:
		return 3
	case Format4:
		return 4
	}
	return noControl
}

// Size is the bytes of a block: 8, of format 4 it's 16, of none it's 0.
func (f Format) Size() int {
	switch f {
	case Format0, Format1, Format3:
		return 8
	case Format4:
		return 16
	}
	return 0
}

// bound tells whether the card number is part of the block.
func (f Format) bound() bool { return f != Format1 }

// MayBecome tells whether a PIN may be carried from format f to another: ISO 9564-1 and PCI PIN
// v3.1, requirement 3-3.
//
//	from \ to   0    1    3    4
//	0          yes   no  yes  yes
//	1          yes   no  yes  yes
//	3          yes   no  yes  yes
//	4          yes   no  yes  yes
//
// Nothing goes to format 1: it isn't bound to a card number, and from there the PIN could be bound
// to any. The card number itself never changes, as Translate takes one for both sides.
func (f Format) MayBecome(to Format) bool {
	return f.control() != noControl && to.control() != noControl && to.bound()
}
