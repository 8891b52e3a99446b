package payshield

import (
	"fmt"

	"cardswitch/hsm"
	"cardswitch/hsm/keyblock"
)

const (
	checkSize    = 3  // bytes of a check value
	lmkCheckSize = 16 // digits of an LMK's
)

// made is a key that a unit gave.
type made struct {
	block string
	check string // six digits: of TDES a block of zeros encrypted, of AES its CMAC [V] ut-codec, aws
}

// lmk is how a command names the LMK: '%' and two digits, before '#' and last otherwise [V]
// ut-codec, smoke. Without it the unit takes that of the port.
func lmk(dst []byte, id string) []byte {
	if id == "" {
		return dst
	}
	return append(append(dst, '%'), id...)
}

// algorithmCode is how A0 names algorithm and length [V] ut-codec, aws.
func algorithmCode(s hsm.KeySpec) string {
	switch {
	case s.Algorithm == keyblock.TDES && s.Size == 16:
		return "T2"
	case s.Algorithm == keyblock.TDES && s.Size == 24:
		return "T3"
	case s.Algorithm == keyblock.AES && s.Size == 16:
		return "A1"
	case s.Algorithm == keyblock.AES && s.Size == 24:
		return "A2"
	case s.Algorithm == keyblock.AES && s.Size == 32:
		return "A3"
	}
	return ""
}

// askMakeKey is A0: mode '0' makes a key under the LMK, key type FFF, scheme S; then '#', usage,
// algorithm with length, mode of use, key version, exportability, and no optional blocks. [V]
// ut-codec, aws and smoke agree, with and without LMK identifier.
func askMakeKey(s hsm.KeySpec, lmkID string) ([]byte, error) {
	code := algorithmCode(s)
	if code == "" {
		return nil, fmt.Errorf("payshield: %w: no unit makes a %v", hsm.ErrKey, s)
	}
	b := lmk([]byte("0"+keyType+keyScheme), lmkID)
	return fmt.Appendf(b, "#%s%s%s00%s00", s.Usage, code, s.Mode, s.Export), nil
}

// askJoinKey is A4: how many components, key type, scheme, the components as key blocks under the
// LMK, '#', key version, no optional blocks. [V] ut-codec, which has two components. What the key
// is for stands in the components' headers.
func askJoinKey(components []string, lmkID string) []byte {
	b := fmt.Appendf(nil, "%d%s%s", len(components), keyType, keyScheme)
	for _, c := range components {
		b = append(b, c...)
	}
	return append(lmk(b, lmkID), "#0000"...)
}

// askImportKey is A6: key type, the key that both have, the block under it with its scheme, scheme
// of the result. [V] ut-codec for scheme S, aws for the use of X9.143; that scheme R stands before
// a block of X9.143 is [V] for A8 (aws) and [M] here. What else A6 may have is left out.
func askImportKey(under, block, lmkID string) []byte {
	b := append([]byte(keyType), under...)
	b = append(append(b, underZMK), block...)
	return lmk(append(b, keyScheme...), lmkID)
}

// askExportKey is A8: key type, the key that both have, the key, scheme R; then '&' and the
// exportability that the partner gets, '!' and the version of the block. [V] aws has the LMK
// identifier and '!', ut-codec has '&' before '!'.
func askExportKey(under, block string, e keyblock.Export, v keyblock.Version, lmkID string) []byte {
	b := append([]byte(keyType), under...)
	b = append(append(b, block...), underZMK)
	return fmt.Appendf(lmk(b, lmkID), "&%s!%s", e, v)
}

// askCheckKey is BU: key type FF, length flag F, the key, ';' and key type, ';' and '00', and '1'
// for a check value of six digits. [V] ut-codec.
func askCheckKey(block, lmkID string) []byte {
	b := append([]byte("FFF"), block...)
	return lmk(append(b, ";"+keyType+";001"...), lmkID)
}

// readKey reads the answer to A0, A4 and A6: the key under the LMK and its check value. [V]
// ut-codec, smoke.
func readKey(rest []byte) (made, error) {
	s := scanner{rest: rest}
	m := made{block: s.keyBlock(underLMK, "key block"), check: s.checkValue()}
	return m, s.end()
}

// readExport reads the answer to A8: the block with its scheme, and the check value of the key. [V]
// aws.
func readExport(rest []byte) (block, check string, err error) {
	s := scanner{rest: rest}
	block, check = s.keyBlock(underZMK, "key block"), s.checkValue()
	if err := s.end(); err != nil {
		return "", "", err
	}
	return block[1:], check, nil
}

// readCheck reads the answer to BU. [V] ut-codec.
func readCheck(rest []byte) (string, error) {
	s := scanner{rest: rest}
	v := s.checkValue()
	return v, s.end()
}

// askRandom is N0: three digits for how many bytes. The answer is these bytes. [V] pressure.
func askRandom(n int) []byte { return fmt.Appendf(nil, "%03d", n) }

// identity is what a unit says of itself: its LMK's check value and its firmware.
type identity struct{ lmkCheck, firmware string }

// readIdentity reads the answer to NC. [V] pressure, smoke: 16 digits, then the firmware's number,
// "1500-0023".
func readIdentity(rest []byte) (identity, error) {
	s := scanner{rest: rest}
	id := identity{lmkCheck: s.text(lmkCheckSize, "check value"), firmware: string(s.rest)}
	if !hexadecimal(id.lmkCheck) || !printable(id.firmware) || len(id.firmware) > 32 {
		s.fail("check value of the LMK and firmware")
	}
	s.rest = nil
	return id, s.end()
}
