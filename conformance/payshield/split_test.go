package payshield

import (
	"math/rand/v2"
	"testing"

	"cardswitch/hsm"
	"cardswitch/hsm/keyblock"
	"cardswitch/hsm/moduletest"
	"cardswitch/hsm/soft"
	"cardswitch/hsm/split"
)

// plantedSplit is a unit with the soft module beside it, and takes known keys.
type plantedSplit struct {
	*split.Module
	unit *Simulator
}

// Plant puts a key where it belongs: under the unit's LMK, or formed beside it. A KBPK comes as in
// an installation, of a ceremony and the unit's console.
func (p plantedSplit) Plant(t *testing.T, s hsm.KeySpec, raw []byte) hsm.Wrapped {
	t.Helper()
	beside := s.Usage == keyblock.UsageB3 || s.Usage == keyblock.UsageK0
	if s.Usage != keyblock.UsageK1 && !beside {
		return plant(t, p.unit, s, raw)
	}
	one, other := make([]byte, len(raw)), make([]byte, len(raw))
	if err := p.Random(t.Context(), one); err != nil {
		t.Fatal(err)
	}
	for i := range raw {
		other[i] = raw[i] ^ one[i]
	}
	w, err := p.Form(t.Context(), s, [][]byte{one, other})
	if err == nil && !beside {
		w, err = p.Adopt(t.Context(), w, plant(t, p.unit, s, raw).Block)
	}
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// TestSplitModule holds a unit with another module beside it to what every module does.
func TestSplitModule(t *testing.T) {
	moduletest.Run(t, func(t *testing.T, profile hsm.Profile) hsm.Module {
		u := unit(t, func(o *Options) {
			o.LMK = make([]byte, 32)
			for i := range o.LMK {
				o.LMK[i] = byte(rand.Uint32())
			}
		})
		master, err := keyblock.RandomKey(keyblock.AES, 32, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer master.Wipe()
		m, err := soft.New(master, profile)
		if err != nil {
			t.Fatal(err)
		}
		return plantedSplit{split.New(driver(t, nil, u), m), u}
	})
}
