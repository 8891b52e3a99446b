package payshield

import (
	"fmt"
	"slices"

	"cardswitch/hsm"
	"cardswitch/hsm/keyblock"
)

const (
	underLMK   = 'S' // scheme of a key block under the LMK
	underZMK   = 'R' // scheme of one of X9.143, under a key that partners share
	keyScheme  = "S"
	keyType    = "FFF" // with key block LMK, all that a key is stands in its block
	headerSize = 16    // characters after the scheme
)

// header is what a key block under the LMK says of its key, in clear text. Layout [V], ut-codec and
// smoke: version '0' for a TDES LMK and '1' for an AES one, four digits of length, usage,
// algorithm, mode, key version, exportability, two digits for how many optional blocks, LMK
// identifier; then the encrypted key and a code of 4 bytes under TDES, 8 under AES. Only the length
// says how long the key may be. Whether the code is right, only a unit can tell.
type header struct {
	usage      keyblock.Usage
	algorithm  keyblock.Algorithm
	mode       keyblock.Mode
	keyVersion string
	export     keyblock.Export
	sizes      []int // the lengths that the key may have, in bytes; nil: optional blocks hide it
}

// readHeader reads a key block with its scheme. Its error wraps ErrKey.
func readHeader(block string) (h header, err error) {
	bad := func(what string) (header, error) {
		return header{}, fmt.Errorf("payshield: %w: it is in no key block under an LMK: %s", hsm.ErrKey,
			what)
	}
	if len(block) < 1+headerSize || block[0] != underLMK {
		return bad("it doesn't begin with S and a header")
	}
	text := block[1:]
	switch {
	case text[0] != '0' && text[0] != '1':
		return bad("its version isn't 0 or 1")
	case number(text[1:5]) != len(text):
		return bad("its length field isn't its length")
	case !alphanumeric(text[:headerSize]) || !printable(text):
		return bad("it has characters that a block has not")
	case !decimal(text[12:14]):
		return bad("its count of optional blocks isn't a number")
	}
	h = header{usage: keyblock.Usage(text[5:7]), algorithm: keyblock.Algorithm(text[7:8]),
		mode: keyblock.Mode(text[8:9]), keyVersion: text[9:11], export: keyblock.Export(text[11:12])}
	if text[12:14] == "00" {
		h.sizes = sizes(text[0], h.algorithm, len(text)-headerSize)
	}
	return h, nil
}

// sizes are the lengths of key that fit: two bytes of length and the key, padded to blocks, take
// the characters that remain when those of the code are off.
func sizes(version byte, a keyblock.Algorithm, characters int) (fit []int) {
	code, block := 4, 8
	if version == '1' {
		code, block = 8, 16
	}
	for _, size := range lengths(a) {
		if whole := (2 + size + block - 1) / block * block; characters == 2*(whole+code) {
			fit = append(fit, size)
		}
	}
	return fit
}

// lengths are those that keys of an algorithm have here, in bytes.
func lengths(a keyblock.Algorithm) []int {
	switch a {
	case keyblock.TDES:
		return []int{16, 24}
	case keyblock.AES:
		return []int{16, 24, 32}
	}
	return nil
}

// component tells that the key is only a part of one.
func (h *header) component() bool { return h.keyVersion[0] == 'c' }

// describes says why a block isn't of a key of that kind.
func (h *header) describes(s hsm.KeySpec) error {
	switch {
	case h.usage != s.Usage || h.algorithm != s.Algorithm || h.mode != s.Mode || h.export != s.Export:
		return fmt.Errorf("payshield: %w: its block says %s of %s, mode %s, export %s, and not %v",
			hsm.ErrKey, h.usage.Text(), h.algorithm.Text(), h.mode, h.export, s)
	case h.sizes != nil && !slices.Contains(h.sizes, s.Size):
		return fmt.Errorf("payshield: %w: a block of that length has no key of %d bits", hsm.ErrKey,
			8*s.Size)
	}
	return nil
}

// strength is how many bits of security a key of that length has at most, as keyblock.Key.Strength
// counts them.
func strength(a keyblock.Algorithm, size int) int {
	switch {
	case a == keyblock.AES:
		return 8 * size
	case a == keyblock.TDES && size == 16:
		return 80
	case a == keyblock.TDES:
		return 112
	}
	return 0
}
