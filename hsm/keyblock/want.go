package keyblock

import (
	"slices"
	"strings"
)

// Want says which keys are taken, beyond that their block is authentic. What a list doesn't have is
// refused, so the zero Want takes nothing.
type Want struct {
	Versions   []Version
	Usages     []Usage
	Algorithms []Algorithm
	Modes      []Mode
	Exports    []Export
	// KeyVersions may be empty: then any version is taken, but no component of a key.
	KeyVersions []string
	// Context is taken beside ContextAny: a store wants its own, a partner's exchange the other.
	Context Context
	// LeastStrength and MostStrength are bits of security (Key.Strength). 0 means at least 80,
	// which two-key TDES has, and no upper bound.
	LeastStrength, MostStrength int
}

const leastStrength = 80 // bits of security, if Want doesn't say

// checkVersion says whether a block is of a wanted version. It is asked before the KBPK is used at
// all: what protects blocks of version B shall not open forged ones of the weaker version C.
func (w *Want) checkVersion(v Version) error {
	if !slices.Contains(w.Versions, v) {
		return unwanted("it is in a block of version %s, %s", v, list(w.Versions))
	}
	return nil
}

// check says why a key isn't wanted.
func (w *Want) check(h *Header, key Key) error {
	bits, least := key.Strength(), w.LeastStrength
	if least == 0 {
		least = leastStrength
	}
	switch {
	case !slices.Contains(w.Usages, h.Usage):
		return unwanted("its usage is %s (%s), %s", h.Usage, h.Usage.Text(), list(w.Usages))
	case !slices.Contains(w.Algorithms, h.Algorithm):
		return unwanted("its algorithm is %s (%s), %s", h.Algorithm, h.Algorithm.Text(),
			list(w.Algorithms))
	case !slices.Contains(w.Modes, h.Mode):
		return unwanted("its mode of use is %s, %s", h.Mode, list(w.Modes))
	case !slices.Contains(w.Exports, h.Export):
		return unwanted("its exportability is %s, %s", h.Export, list(w.Exports))
	case len(w.KeyVersions) == 0 && h.IsComponent():
		return unwanted("it is a component, not a whole key")
	case len(w.KeyVersions) > 0 && !slices.Contains(w.KeyVersions, h.KeyVersion):
		return unwanted("its version is %s, %s", h.KeyVersion, list(w.KeyVersions))
	case h.Context != ContextAny && h.Context != w.Context:
		return unwanted("its block is for another context than this")
	case bits < least:
		return unwanted("it has %d bits of security, less than %d", bits, least)
	case w.MostStrength > 0 && bits > w.MostStrength:
		return unwanted("it has %d bits of security, more than %d", bits, w.MostStrength)
	}
	return nil
}

// list says what is wanted instead, for the reason of a refusal.
func list[T ~string](wanted []T) string {
	if len(wanted) == 0 {
		return "and none is wanted"
	}
	names := make([]string, len(wanted))
	for i, w := range wanted {
		names[i] = string(w)
	}
	return "not " + strings.Join(names, " or ")
}
