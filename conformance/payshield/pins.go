package payshield

import (
	"bytes"
	"fmt"
	"strings"

	"cardswitch/hsm/dukpt"
	"cardswitch/hsm/pinblock"
	"cardswitch/spec"
)

// format is the PIN block format of a unit's number.
func format(code string) (pinblock.Format, string) {
	switch code {
	case "01":
		return pinblock.Format0, ""
	case "05":
		return pinblock.Format1, ""
	case "47":
		return pinblock.Format3, ""
	}
	return 0, "23"
}

// pins is what CC and G0 have in common: block, formats, account number.
type pins struct {
	block    []byte
	from, to pinblock.Format
	toCode   string
	account  spec.PAN
	code     string
}

func (f *fields) pins(id string) (p pins) {
	p.block = f.hex(8)
	from, to := f.take(2), f.take(2)
	account := f.digits(12)
	if p.code = f.last(id); p.code != "" {
		return p
	}
	var badFrom, badTo string
	p.from, badFrom = format(from)
	p.to, badTo = format(to)
	p.toCode = to
	if p.code = first(badFrom, badTo); p.code == "" && !p.from.MayBecome(p.to) {
		p.code = "23"
	}
	// The account number comes without its check digit, and package pinblock leaves that out.
	pan, err := spec.ParsePAN(account + "0")
	if err != nil {
		p.code = first(p.code, "22")
	}
	p.account = pan
	return p
}

// carry opens the block with one key and seals the PIN with another.
func (p *pins) carry(from *pinblock.Key, to key) (rest, code string) {
	if code := to.may("P0 72", "BE"); code != "" {
		return "", code
	}
	sealing, err := pinblock.NewTDESKey(to.raw)
	if err != nil || to.Algorithm != "T" {
		return "", "11"
	}
	pin, err := from.Decrypt(p.from, pinblock.Structure, p.account, p.block)
	if err != nil {
		return "", refusals(p.block)
	}
	defer pin.Wipe()
	block, err := sealing.Encrypt(nil, p.to, pin, p.account)
	if err != nil {
		return "", "22"
	}
	return fmt.Sprintf("%02d%s%s", pin.Len(), upper(block), p.toCode), ""
}

// refusals is one of the codes for a block that can't be used: which, no caller may depend on.
func refusals(block []byte) string {
	if len(block) > 0 && block[0]&1 == 1 {
		return "24"
	}
	return "20"
}

func (s *Simulator) zonePIN(f *fields) (rest, code string) {
	from, bad := s.lmk.open(f.block("S"))
	to, badTo := s.lmk.open(f.block("S"))
	f.is("12")
	p := f.pins(s.lmk.id)
	if code := first(p.code, bad, badTo, from.may("P0 72", "BD")); code != "" {
		return "", code
	}
	opening, err := pinblock.NewTDESKey(from.raw)
	if err != nil || from.Algorithm != "T" {
		return "", "10"
	}
	return p.carry(opening, to)
}

// ksn takes a KSN's descriptor, which says how many digits name the BDK, the sub-key and the
// device, and the KSN, which has five more, the counter.
func (f *fields) ksn() (dukpt.TDESKSN, string) {
	n := 5
	for _, d := range f.take(3) {
		n += strings.IndexRune("0123456789ABCDEF", d)
	}
	if n < 12 || n > 20 || n%2 != 0 {
		f.bad = true
		return dukpt.TDESKSN{}, ""
	}
	short := f.hex(n / 2)
	if f.bad {
		return dukpt.TDESKSN{}, ""
	}
	k, err := dukpt.ParseTDESKSN(append(bytes.Repeat([]byte{0xFF}, 10-len(short)), short...))
	if err != nil {
		return k, "15"
	}
	return k, ""
}

// terminal derives a terminal's key from its base key.
func (k *key) terminal(n dukpt.TDESKSN, use dukpt.Usage) (*dukpt.Key, string) {
	if code := k.may("B0", "X"); code != "" {
		return nil, code
	}
	bdk, err := dukpt.NewTDESBDK(k.raw)
	if err != nil || k.Algorithm != "T" {
		return nil, "27"
	}
	defer bdk.Wipe()
	derived, err := bdk.Key(n, use)
	if err != nil {
		return nil, "15"
	}
	return derived, ""
}

func (s *Simulator) terminalPIN(f *fields) (rest, code string) {
	base, bad := s.lmk.open(f.block("S"))
	to, badTo := s.lmk.open(f.block("S"))
	number, badKSN := f.ksn()
	p := f.pins(s.lmk.id)
	if code := first(p.code, bad, badTo, badKSN); code != "" {
		return "", code
	}
	derived, code := base.terminal(number, dukpt.PIN)
	if code != "" {
		return "", code
	}
	defer derived.Wipe()
	opening, err := derived.PINKey()
	if err != nil {
		return "", "10"
	}
	return p.carry(opening, to)
}
