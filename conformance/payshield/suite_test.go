package payshield

import (
	"encoding/hex"
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	"cardswitch/hsm"
	"cardswitch/hsm/keyblock"
	"cardswitch/hsm/moduletest"
	"cardswitch/hsm/payshield"
)

// unit starts a simulator that ends with the test.
func unit(t testing.TB, change func(o *Options)) *Simulator {
	t.Helper()
	o := Options{Seed: rand.Uint64()}
	if change != nil {
		change(&o)
	}
	s, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// driver opens the driver on simulators and waits until one is up.
func driver(t testing.TB, change func(c *payshield.Config), units ...*Simulator) *payshield.Module {
	t.Helper()
	c := payshield.Config{Logger: slog.New(slog.DiscardHandler),
		Limits: payshield.Limits{RedialFirst: 10 * time.Millisecond, RedialMost: 50 * time.Millisecond}}
	for _, u := range units {
		c.Units = append(c.Units, payshield.Unit{Address: u.Address()})
	}
	if change != nil {
		change(&c)
	}
	m, err := payshield.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	if err := m.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	return m
}

// planted is a module whose unit takes known keys.
type planted struct {
	*payshield.Module
	unit *Simulator
}

// Plant puts a key under the unit's LMK.
func (p planted) Plant(t *testing.T, s hsm.KeySpec, raw []byte) hsm.Wrapped {
	return plant(t, p.unit, s, raw)
}

func plant(t testing.TB, u *Simulator, s hsm.KeySpec, raw []byte) hsm.Wrapped {
	t.Helper()
	block, check, err := u.Seal(Header{Usage: string(s.Usage), Algorithm: string(s.Algorithm),
		Mode: string(s.Mode), Version: "00", Export: string(s.Export)}, raw)
	if err != nil {
		t.Fatal(err)
	}
	method, _ := s.CheckMethod()
	return hsm.Wrapped{Spec: s, Block: block, Check: keyblock.CheckValue{Method: method, Hex: check}}
}

// TestModule holds the driver to what every module does.
func TestModule(t *testing.T) {
	moduletest.Run(t, func(t *testing.T, _ hsm.Profile) hsm.Module {
		u := unit(t, func(o *Options) {
			o.LMK = make([]byte, 32)
			for i := range o.LMK {
				o.LMK[i] = byte(rand.Uint32())
			}
		})
		return planted{driver(t, nil, u), u}
	})
}

func unhex(t testing.TB, digits string) []byte {
	t.Helper()
	b, err := hex.DecodeString(digits)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
