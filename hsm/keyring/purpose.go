package keyring

import (
	"fmt"
	"slices"
	"strings"

	"cardswitch/hsm"
	"cardswitch/hsm/keyblock"
)

// Purpose is the one thing that a key is for. It fixes the usage and mode in the key block, so that
// a PIN key can't make codes, whatever a file says (PCI PIN requirement 19).
type Purpose string

// The purposes.
const (
	KBPK Purpose = "kbpk" // other keys travel to and from a partner under it (ZMK)
	ZPK  Purpose = "zpk"  // PIN blocks between us and a partner
	ZAK  Purpose = "zak"  // message authentication codes
	ZEK  Purpose = "zek"  // a link's sessions are derived from it
	BDK  Purpose = "bdk"  // terminals' DUKPT keys are derived from it
	KEK  Purpose = "kek"  // data keys of the vault are under it
	Data Purpose = "data" // fields that a partner encrypts
)

// Purposes lists them all, in order.
func Purposes() []Purpose { return []Purpose{KBPK, ZPK, ZAK, ZEK, BDK, KEK, Data} }

// Text says for people what such a key is for.
func (p Purpose) Text() string {
	switch p {
	case KBPK:
		return "key block protection key"
	case ZPK:
		return "PIN key"
	case ZAK:
		return "MAC key"
	case ZEK:
		return "link key"
	case BDK:
		return "base derivation key"
	case KEK:
		return "vault's key encryption key"
	case Data:
		return "data key"
	}
	return "unknown purpose"
}

// algorithms gives what keys of the purpose may be used with, the preferred first.
func (p Purpose) algorithms() []keyblock.Algorithm {
	switch p {
	case KBPK, ZPK, ZAK, BDK, Data:
		return []keyblock.Algorithm{keyblock.AES, keyblock.TDES}
	case ZEK, KEK:
		return []keyblock.Algorithm{keyblock.AES}
	}
	return nil
}

// use gives usage and mode of a key of the purpose with an algorithm.
func (p Purpose) use(a keyblock.Algorithm) (keyblock.Usage, keyblock.Mode) {
	switch p {
	case KBPK:
		return keyblock.UsageK1, keyblock.ModeB
	case ZPK:
		return keyblock.UsageP0, keyblock.ModeB
	case ZAK:
		if a == keyblock.TDES {
			return keyblock.UsageM3, keyblock.ModeC
		}
		return keyblock.UsageM6, keyblock.ModeC
	case ZEK:
		return keyblock.UsageB3, keyblock.ModeX
	case BDK:
		return keyblock.UsageB0, keyblock.ModeX
	case KEK:
		return keyblock.UsageK0, keyblock.ModeB
	case Data:
		return keyblock.UsageD0, keyblock.ModeB
	}
	return "", ""
}

// Spec is the spec of a key for the purpose. Algorithm "" and size 0 are the strongest that there
// is: AES of 256 bits. Traffic keys may leave to a partner in key blocks; others never leave.
func (p Purpose) Spec(a keyblock.Algorithm, size int) (hsm.KeySpec, error) {
	allowed := p.algorithms()
	if allowed == nil {
		return hsm.KeySpec{}, fmt.Errorf("there is no purpose %q (hint: %s)", string(p), purposeList())
	}
	if a == "" {
		a = allowed[0]
	}
	if !slices.Contains(allowed, a) {
		return hsm.KeySpec{}, fmt.Errorf("a %s is not of %s", p.Text(), a.Text())
	}
	sizes := []int{32, 24, 16}
	switch {
	case a == keyblock.TDES:
		sizes = []int{24, 16}
	case p == ZEK:
		sizes = []int{32, 16} // 24 is the key store's seal key, which no partner may know
	}
	if size == 0 {
		size = sizes[0]
	}
	if !slices.Contains(sizes, size) {
		return hsm.KeySpec{}, fmt.Errorf("a key of %s doesn't have %d bits", a.Text(), 8*size)
	}
	usage, mode := p.use(a)
	export := keyblock.ExportE
	if p == KBPK || p == BDK || p == KEK {
		export = keyblock.ExportN
	}
	return hsm.KeySpec{Usage: usage, Algorithm: a, Size: size, Mode: mode, Export: export}, nil
}

// Want is what a partner's key block must hold to become a key of the purpose: everything else is
// refused, though its code be right.
func (p Purpose) Want() keyblock.Want {
	w := keyblock.Want{
		Versions:   []keyblock.Version{keyblock.VersionD, keyblock.VersionE, keyblock.VersionB},
		Algorithms: p.algorithms(),
		Exports:    []keyblock.Export{keyblock.ExportE, keyblock.ExportN, keyblock.ExportS},
		Context:    keyblock.ContextExchange,
	}
	for _, a := range w.Algorithms {
		usage, mode := p.use(a)
		if !slices.Contains(w.Usages, usage) {
			w.Usages = append(w.Usages, usage)
		}
		if !slices.Contains(w.Modes, mode) {
			w.Modes = append(w.Modes, mode)
		}
	}
	return w
}

// takes says why a key of this spec can't be one of the purpose.
func (p Purpose) takes(s hsm.KeySpec) error {
	want, err := p.Spec(s.Algorithm, s.Size)
	if err != nil {
		return err
	}
	// A MAC key may be for either algorithm where its cipher has both; a link's profile says which.
	usage := s.Usage == want.Usage || p == ZAK && s.Usage == keyblock.UsageM6
	if !usage || s.Mode != want.Mode {
		return fmt.Errorf("a %s has usage %s and mode %s, not %s and %s", p.Text(), want.Usage,
			want.Mode, s.Usage, s.Mode)
	}
	return nil
}

func purposeList() string {
	var names []string
	for _, p := range Purposes() {
		names = append(names, string(p))
	}
	return strings.Join(names, ", ")
}
