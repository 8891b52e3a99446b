package cardswitch

import (
	"maps"
	"slices"
	"time"

	"cardswitch/hsm/keyring"
)

// PeriodConfig is how long keys of one purpose serve. What is left out is the default of the
// purpose (keyring.DefaultPolicy).
type PeriodConfig struct {
	Rotate time.Duration `yaml:"rotate,omitempty"` // a new one is made after so long
	Uses   uint64        `yaml:"uses,omitempty"`   // or has been used so often; 0: never by count
	Period time.Duration `yaml:"period,omitempty"` // the crypto-period: protects nothing afterwards
	Window time.Duration `yaml:"window,omitempty"` // an old generation is accepted so long
}

// Policy is what the configuration says of a purpose, with the defaults.
func (k *KeysConfig) Policy(p keyring.Purpose) keyring.Policy {
	policy := keyring.DefaultPolicy(p)
	c := k.Periods[string(p)]
	if c.Rotate > 0 {
		policy.Rotate = c.Rotate
	}
	if c.Period > 0 {
		policy.Period = c.Period
	}
	if c.Window > 0 {
		policy.Window = c.Window
	}
	if c.Uses > 0 {
		policy.Uses = c.Uses
	}
	return policy
}

func (k *KeysConfig) validatePeriods(f *faults, path string) {
	for _, name := range slices.Sorted(maps.Keys(k.Periods)) {
		at := path + "." + name
		p := keyring.Purpose(name)
		if !slices.Contains(keyring.Purposes(), p) {
			f.add(at, "use zek, zpk, zak, data, kbpk, bdk or kek", "no key is for %q", name)
			continue
		}
		policy := k.Policy(p)
		f.duration(at+".rotate", policy.Rotate, time.Second, 10*365*24*time.Hour)
		f.duration(at+".window", policy.Window, time.Second, 2*365*24*time.Hour)
		// Who retires at its end must have been replaced before.
		if policy.Period <= policy.Rotate {
			f.add(at+".period", "make it longer than rotate, so that a new one is there in time",
				"%s is not longer than %s", policy.Period, policy.Rotate)
		}
	}
}
