package payshield

import (
	"fmt"

	"cardswitch/hsm"
	"cardswitch/hsm/pinblock"
	"cardswitch/spec"
)

const (
	pinBlockSize = 8  // bytes
	pinDigits    = 12 // most digits of a PIN, and those of a card number that its block has
)

// formatCode is how the units number the formats of PIN blocks: 01 and 47 [V] racal and ut-codec,
// 05 [M]. Format 4 is 48 [M], but what stands for its card number is shown nowhere.
func formatCode(f pinblock.Format) (string, error) {
	switch f {
	case pinblock.Format0:
		return "01", nil
	case pinblock.Format1:
		return "05", nil
	case pinblock.Format3:
		return "47", nil
	}
	return "", fmt.Errorf("payshield: %w: PIN blocks of %v", hsm.ErrAbsent, f)
}

// appendAccount appends the account number of a PIN command: the twelve rightmost digits of the
// card number without its check digit, filled with zeros on the left. [V] racal.
func appendAccount(dst []byte, pan spec.PAN) []byte {
	var all [19]byte
	digits := pan.AppendReveal(all[:0])
	defer clear(all[:])
	digits = digits[:max(len(digits)-1, 0)]
	digits = digits[max(len(digits)-pinDigits, 0):]
	for range pinDigits - len(digits) {
		dst = append(dst, '0')
	}
	return append(dst, digits...)
}

// pins is a translation with its fields in the units' form.
type pins struct {
	from, to             string // key blocks
	fromFormat, toFormat string
	pan                  spec.PAN
	block                []byte
}

// appendBlocks appends what CC and G0 have in common: the block, both formats, the account number.
func (p *pins) appendBlocks(dst []byte, lmkID string) []byte {
	dst = appendHex(dst, p.block)
	dst = append(append(dst, p.fromFormat...), p.toFormat...)
	return lmk(appendAccount(dst, p.pan), lmkID)
}

// askZonePIN is CC: both zone keys, the most digits of a PIN, the block, both formats, the account
// number. [V] racal, and ut-codec with key blocks of usage P0.
func askZonePIN(p pins, lmkID string) []byte {
	b := append([]byte(p.from), p.to...)
	return p.appendBlocks(fmt.Appendf(b, "%d", pinDigits), lmkID)
}

// askTerminalPIN is G0: the BDK, the zone key, the KSN's descriptor, the KSN of 20 digits, the
// block, both formats, the account number. [V] racal, and ut-codec with key blocks of usage B0 and
// P0. The flag before a BDK of another kind is left out.
func askTerminalPIN(p pins, descriptor string, ksn []byte, lmkID string) []byte {
	b := append([]byte(p.from), p.to...)
	b = appendHex(append(b, descriptor...), ksn)
	return p.appendBlocks(b, lmkID)
}

// readPIN reads the answer to CC and G0: the length of the PIN, which nobody needs to know, the
// block, its format. [V] ut-codec.
func readPIN(rest []byte, format string) ([]byte, error) {
	s := scanner{rest: rest}
	length := number(s.text(2, "PIN length"))
	if length < 4 || length > pinDigits {
		s.fail("PIN length")
	}
	block := s.hex(pinBlockSize, "PIN block")
	if s.text(2, "format") != format {
		s.fail("format")
	}
	return block, s.end()
}
