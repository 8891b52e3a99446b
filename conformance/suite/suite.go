// Package suite holds the scenarios that every host of the 1993 edition should pass.
//
// A target must give these values: pan (a card that its route sends to the issuer played here),
// unrouted (a card that no route takes), acquirer (element 32 that it knows), stranger (one that it
// doesn't), institution (the merchant's id, element 94) and switch (the host's own, element 93).
// Keys are changed where both doors have an envelope and a kbpk_file. What not every host does, a
// target says that it does: linked (a return that names its sale names it to the issuer as that
// knows it), partial (reversals of parts), days (the issuer names business days, cuts over and
// compares their totals), negative (file actions of the issuer), decides (it is an issuer's center,
// which answers by itself) and declines (the value declined is a card that it declines).
package suite

import (
	"embed"
	"io/fs"

	"cardswitch/conformance/scenario"
)

//go:embed *.scn
var files embed.FS

// Files are the scenario files, for whoever wants to read or copy them.
func Files() fs.FS { return files }

// Load reads all scenarios.
func Load() ([]*scenario.Scenario, error) { return scenario.Load(files, "*.scn") }
