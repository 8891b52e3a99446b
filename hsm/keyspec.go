package hsm

import (
	"fmt"
	"slices"
	"strings"

	"cardswitch/hsm/keyblock"
)

// KeySpec is what a key is for, and so what may be done with it.
type KeySpec struct {
	Usage     keyblock.Usage
	Algorithm keyblock.Algorithm
	Size      int // bytes
	Mode      keyblock.Mode
	Export    keyblock.Export
}

// String shows the spec to people.
func (s KeySpec) String() string {
	return fmt.Sprintf("%s, %s of %d bits, mode %s, export %s", s.Usage.Text(),
		s.Algorithm.Text(), 8*s.Size, s.Mode, s.Export)
}

// SpecOf is the spec of a key of size bytes that came with a header.
func SpecOf(h keyblock.Header, size int) KeySpec {
	return KeySpec{h.Usage, h.Algorithm, size, h.Mode, h.Export}
}

// Header is the header of a block with the key.
func (s KeySpec) Header(v keyblock.Version, c keyblock.Context) keyblock.Header {
	return keyblock.Header{Version: v, Usage: s.Usage, Algorithm: s.Algorithm, Mode: s.Mode,
		Export: s.Export, Context: c}
}

// CheckMethod is how the check value of such a key is made, and its bytes: what partners' papers
// show, the longest that X9.24-1 allows. It is the same in all modules, so that values compare.
func (s KeySpec) CheckMethod() (method keyblock.CheckMethod, size int) {
	if s.Algorithm == keyblock.TDES {
		return keyblock.TDESECB, 3
	}
	return keyblock.CMAC, 5
}

// Validate says why the switch has no such keys: it has those that an operation of a Module uses,
// with the algorithms and lengths that the operation takes. The error wraps ErrKey.
func (s KeySpec) Validate() error {
	f := s.form()
	sizes := f.aes
	if s.Algorithm == keyblock.TDES {
		sizes = f.tdes
	}
	switch {
	case f.modes == "":
		return fmt.Errorf("%w: nothing here uses keys of usage %q", ErrKey, string(s.Usage))
	case s.Algorithm != keyblock.AES && s.Algorithm != keyblock.TDES, len(sizes) == 0:
		return fmt.Errorf("%w: a %s isn't used with %s", ErrKey, s.Usage.Text(), s.Algorithm.Text())
	case !slices.Contains(sizes, s.Size):
		return fmt.Errorf("%w: a %s of %s doesn't have %d bytes", ErrKey, s.Usage.Text(),
			s.Algorithm.Text(), s.Size)
	case !s.modeIn(f.modes):
		return fmt.Errorf("%w: a %s doesn't have mode %q (hint: one of %s)", ErrKey, s.Usage.Text(),
			string(s.Mode), f.modes)
	case s.Export != keyblock.ExportE && s.Export != keyblock.ExportN && s.Export != keyblock.ExportS:
		return fmt.Errorf("%w: the exportability is E, N or S, not %q", ErrKey, string(s.Export))
	}
	return nil
}

// form is what keys of one usage are like.
type form struct {
	modes     string
	aes, tdes []int // lengths in bytes
}

// form gives it. A BDK of AES-192 is left out, as the standard's vectors leave it out, and so is a
// TDES one of three parts, which TDES DUKPT doesn't have. A key encryption key is as strong as the
// data keys under it.
func (s KeySpec) form() form {
	aes, tdes := []int{16, 24, 32}, []int{16, 24}
	const derives, encrypts, codes = "XN", "BDEN", "CGVN"
	switch s.Usage {
	case keyblock.UsageB0:
		return form{derives, []int{16, 32}, []int{16}}
	case keyblock.UsageB3:
		return form{derives, aes, nil}
	case keyblock.UsageK0:
		return form{encrypts, []int{32}, nil}
	case keyblock.UsageK1, keyblock.UsageP0:
		return form{encrypts, aes, tdes}
	case keyblock.UsageM0, keyblock.UsageM1, keyblock.UsageM3:
		return form{codes, nil, tdes}
	case keyblock.UsageM6:
		return form{codes, aes, tdes}
	}
	return form{}
}

// modeIn tells whether the key's mode is one of these.
func (s KeySpec) modeIn(modes string) bool {
	return len(s.Mode) == 1 && strings.Contains(modes, string(s.Mode))
}
