package main

import (
	"log/slog"

	"cardswitch/hsm"
	cardswitch "cardswitch/switch"
)

// tellCaps says at the start where clear keys and data are in each operation of the security
// module, and what production forbids of it.
func tellCaps(log *slog.Logger, m hsm.Module, production bool) {
	profile, caps := hsm.Test, m.Caps()
	if production {
		profile = hsm.Production
	}
	for _, o := range hsm.Operations() {
		fields := []any{"module", m.Name(), "operation", o.String(), "clear", caps[o].String()}
		switch {
		case caps[o] == hsm.Absent:
			log.Info("the security module can't do this", fields...)
		case profile.Allows(o, caps):
			log.Info("security module", fields...)
		default:
			log.Warn("production forbids this of the security module", append(fields,
				"hint", "it takes a payment HSM: keys.module: payshield")...)
		}
	}
}

// tellLegacy names the links that may fall back to TDES, so that nobody forgets them.
func tellLegacy(log *slog.Logger, c *cardswitch.Config) {
	for i := range c.Centers {
		for _, l := range c.Centers[i].Links {
			if l.Envelope != nil && l.Envelope.Legacy {
				log.Warn("a link may use TDES", "center", c.Centers[i].Name, "link", l.Name,
					"hint", "take envelope.legacy away once the center has AES")
			}
		}
	}
}
