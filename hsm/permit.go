package hsm

import (
	"fmt"

	"cardswitch/hsm/keyblock"
	"cardswitch/hsm/mac"
)

// Use is one thing that a loaded key does.
type Use uint8

// The uses.
const (
	ToImport    Use = iota // open a partner's key block
	ToExport               // make one
	ToOpenPIN              // decrypt PIN blocks of a zone
	ToSealPIN              // encrypt them
	ToDerive               // give the keys of terminals, DUKPT
	ToMakeMAC              // see PermitMAC
	ToVerifyMAC            // see PermitMAC
	ToPRF                  // give secrets
	ToWrap                 // encrypt data keys
	ToUnwrap               // decrypt them
	usesOfKeys
)

// Uses lists them all, in order.
func Uses() []Use {
	all := make([]Use, usesOfKeys)
	for i := range all {
		all[i] = Use(i)
	}
	return all
}

// String is the use as operators read it.
func (u Use) String() string {
	switch u {
	case ToImport:
		return "importing keys"
	case ToExport:
		return "exporting keys"
	case ToOpenPIN:
		return "decrypting PINs"
	case ToSealPIN:
		return "encrypting PINs"
	case ToDerive:
		return "deriving terminals' keys"
	case ToMakeMAC:
		return "making MACs"
	case ToVerifyMAC:
		return "verifying MACs"
	case ToPRF:
		return "deriving secrets"
	case ToWrap:
		return "wrapping data keys"
	case ToUnwrap:
		return "unwrapping data keys"
	}
	return "anything"
}

// Permit says whether a key may be used so. A key has a single purpose (PCI PIN requirement 19,
// ANSI X9.24-1): one usage, and its mode may narrow that further; mode N doesn't. The error wraps
// ErrKey.
func (s KeySpec) Permit(u Use) error {
	if s.permits(u) {
		return nil
	}
	return fmt.Errorf("%w: a %s with mode %s isn't for %v", ErrKey, s.Usage.Text(), s.Mode, u)
}

func (s KeySpec) permits(u Use) bool {
	switch u {
	case ToImport:
		return s.Usage == keyblock.UsageK1 && s.modeIn("BDN")
	case ToExport:
		return s.Usage == keyblock.UsageK1 && s.modeIn("BEN")
	case ToOpenPIN:
		return s.Usage == keyblock.UsageP0 && s.modeIn("BDN")
	case ToSealPIN:
		return s.Usage == keyblock.UsageP0 && s.modeIn("BEN")
	case ToDerive:
		return s.Usage == keyblock.UsageB0 && s.modeIn("XN")
	case ToMakeMAC:
		return s.forMAC() && s.modeIn("CGN")
	case ToVerifyMAC:
		return s.forMAC() && s.modeIn("CVN")
	case ToPRF:
		return s.Usage == keyblock.UsageB3 && s.Algorithm == keyblock.AES && s.modeIn("XN")
	case ToWrap:
		return s.Usage == keyblock.UsageK0 && s.Algorithm == keyblock.AES && s.modeIn("BEN")
	case ToUnwrap:
		return s.Usage == keyblock.UsageK0 && s.Algorithm == keyblock.AES && s.modeIn("BDN")
	}
	return false
}

func (s KeySpec) forMAC() bool {
	switch s.Usage {
	case keyblock.UsageM0, keyblock.UsageM1, keyblock.UsageM3, keyblock.UsageM6:
		return true
	}
	return false
}

// PermitMAC is Permit for ToMakeMAC and ToVerifyMAC: the key must also be one of the algorithm.
func (s KeySpec) PermitMAC(u Use, how mac.Spec) error {
	if err := s.Permit(u); err != nil {
		return err
	}
	if !s.takes(how.Algorithm) {
		return fmt.Errorf("%w: a %s of %s isn't for %v", ErrKey, s.Usage.Text(), s.Algorithm.Text(),
			how.Algorithm)
	}
	return how.Validate()
}

// takes holds the usages of X9.143 table 2 against the algorithms.
func (s KeySpec) takes(a mac.Algorithm) bool {
	switch a {
	case mac.CBC:
		return s.Algorithm == keyblock.TDES &&
			(s.Usage == keyblock.UsageM0 || s.Usage == keyblock.UsageM1)
	case mac.Retail:
		return s.Algorithm == keyblock.TDES && s.Usage == keyblock.UsageM3
	case mac.TDESCMAC:
		return s.Algorithm == keyblock.TDES && s.Usage == keyblock.UsageM6
	case mac.AESCMAC:
		return s.Algorithm == keyblock.AES && s.Usage == keyblock.UsageM6
	}
	return false
}

// PermitExport says why a key may not leave with this header. What is bound to the key stays bound:
// its usage and its algorithm; and a partner may not be more free with it than this module. The
// error wraps ErrKey.
func (s KeySpec) PermitExport(h keyblock.Header) error {
	what := s.Usage.Text()
	switch {
	case s.Export != keyblock.ExportE && s.Export != keyblock.ExportS:
		return fmt.Errorf("%w: a %s with export %s stays here", ErrKey, what, s.Export)
	case h.Usage != s.Usage || h.Algorithm != s.Algorithm:
		return fmt.Errorf("%w: a %s of %s can't leave as a %s of %s", ErrKey, what,
			s.Algorithm.Text(), h.Usage.Text(), h.Algorithm.Text())
	case h.Export == keyblock.ExportS && s.Export != keyblock.ExportS:
		return fmt.Errorf("%w: a %s with export E can't leave with export S", ErrKey, what)
	case h.IsComponent():
		return fmt.Errorf("%w: a whole key can't leave as a component", ErrKey)
	case h.Context == keyblock.ContextStorage:
		return fmt.Errorf("%w: a block for storage isn't for a partner", ErrKey)
	}
	return nil
}
