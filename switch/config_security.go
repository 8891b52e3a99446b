package cardswitch

import (
	"fmt"
	"slices"

	"cardswitch/hsm/mac"
	"cardswitch/hsm/pinblock"
	"cardswitch/spec"
	"cardswitch/switch/security"
)

// SecurityConfig is how a center's messages are protected, beside what its links do: the same in
// both directions, each under keys of its own in the key store (zak, zpk).
type SecurityConfig struct {
	MAC *MACConfig `yaml:"mac,omitempty"`
	PIN *PINConfig `yaml:"pin,omitempty"`
	// P2PE is how terminals encrypt card data, in what comes from a merchant.
	P2PE *P2PEConfig `yaml:"p2pe,omitempty"`
	// Generations says that element 53 names the keys (package keying). Without it the newest key
	// counts, and keys can't change without a gap.
	Generations bool `yaml:"generations"`
}

// MACConfig is how element 64 or 128 is made.
type MACConfig struct {
	Algorithm string `yaml:"algorithm"` // x9.19, iso9797-1, cmac
	Padding   int    `yaml:"padding,omitempty"`
	Size      int    `yaml:"size"`
	// Elements are what it is over, in this order; 0 is the MTI, 1 the bitmap. None is the whole
	// message up to the code, which is the only way that protects all of it.
	Elements []int `yaml:"elements,omitempty"`
	// Required are the requests that must have one, with their answers and repeats; none is all.
	Required []string `yaml:"required,omitempty"`
	// Errors is how many wrong ones in a row make the key be exchanged.
	Errors int `yaml:"errors"`
}

// PINConfig is how element 52 is filled.
type PINConfig struct {
	Format int `yaml:"format"` // of ISO 9564-1: 0, 1, 3, 4
	// Terminals says that a merchant's PINs come under keys of its terminals (DUKPT), not under one
	// of the center.
	Terminals *TerminalsConfig `yaml:"terminals,omitempty"`
}

// The ways to make a MAC. X9.19 and ISO 9797-1 are the same algorithm (3) with TDES; the first has
// padding method 1, the second any. CMAC goes with AES or TDES, as the key is.
const (
	MACX919    = "x9.19"
	MACISO9797 = "iso9797-1"
	MACCMAC    = "cmac"
)

func (s *SecurityConfig) complete() {
	if s.P2PE != nil {
		s.P2PE.complete()
	}
	if s.PIN != nil && s.PIN.Terminals != nil {
		s.PIN.Terminals.complete(s.P2PE)
	}
	m := s.MAC
	if m == nil {
		return
	}
	setDefault(&m.Algorithm, MACX919)
	setDefault(&m.Size, 8)
	setDefault(&m.Errors, 3)
	switch m.Algorithm {
	case MACX919:
		setDefault(&m.Padding, 1)
	case MACISO9797:
		setDefault(&m.Padding, 2)
	}
}

func (s *SecurityConfig) validate(f *faults, path, role string) {
	if s.MAC == nil && s.PIN == nil && s.P2PE == nil {
		f.add(path, "give it mac, pin or p2pe, or leave it out", "protects nothing")
	}
	if s.P2PE != nil {
		s.P2PE.validate(f, path+".p2pe", role)
	}
	if s.MAC != nil {
		s.MAC.validate(f, path+".mac")
	}
	if s.PIN == nil {
		return
	}
	if s.PIN.Terminals != nil {
		s.PIN.Terminals.validate(f, path+".pin.terminals", role, s)
	}
	format, err := pinblock.ParseFormat(s.PIN.Format)
	if err != nil {
		f.add(path+".pin.format", "use 0, 1, 3 or 4", "%d is unknown", s.PIN.Format)
	}
	// Nothing may become format 1: it isn't bound to a card (ISO 9564-1).
	if format == pinblock.Format1 && role == RoleIssuer {
		f.add(path+".pin.format", "use 0, 3 or 4", "a PIN may come in format 1, but not leave in it")
	}
}

func (m *MACConfig) validate(f *faults, path string) {
	f.oneOf(path+".algorithm", m.Algorithm, MACX919, MACISO9797, MACCMAC)
	switch {
	case m.Algorithm == MACX919 && m.Padding != 1:
		f.add(path+".padding", "use 1, or iso9797-1", "x9.19 has padding method 1")
	case m.Algorithm == MACISO9797:
		f.between(path+".padding", m.Padding, 1, 3)
	case m.Algorithm == MACCMAC && m.Padding != 0:
		f.add(path+".padding", "leave it out here", "CMAC has its own")
	}
	if m.Size != 4 && m.Size != 8 {
		f.add(path+".size", "use 4 or 8 bytes", "%d is not possible", m.Size)
	}
	f.between(path+".errors", m.Errors, 1, 1000)
	f.noTwice(path+".required", m.Required)
	for i, mti := range m.Required {
		f.requestMTI(fmt.Sprintf("%s.required[%d]", path, i), mti)
	}
	for i, n := range m.Elements {
		if n < 0 || n > 127 || n == 64 || n == 65 {
			f.add(fmt.Sprintf("%s.elements[%d]", path, i), "use 0 to 127, but not 64 and 65",
				"%d can't be under the code", n)
		}
		if slices.Contains(m.Elements[:i], n) {
			f.add(path+".elements", "name it once", "%d is there twice", n)
		}
	}
}

// profile says the same to package security.
func (s *SecurityConfig) profile(center string, d *spec.Dialect) (*security.Profile, error) {
	p := &security.Profile{Dialect: d, Generations: s.Generations}
	if c := s.MAC; c != nil {
		p.MAC = &security.MAC{CMAC: c.Algorithm == MACCMAC, Padding: mac.Padding(c.Padding),
			Size: c.Size, Elements: c.Elements, Errors: c.Errors}
		for _, text := range c.Required {
			mti, err := spec.ParseMTI(text)
			if err != nil {
				return nil, fmt.Errorf("required: %w", err)
			}
			p.MAC.Required = append(p.MAC.Required, mti)
		}
	}
	if s.PIN != nil {
		format, err := pinblock.ParseFormat(s.PIN.Format)
		if err != nil {
			return nil, err
		}
		p.PIN = &security.PIN{Format: format}
		if t := s.PIN.Terminals; t != nil {
			p.PIN.Terminals = t.profile()
		}
	}
	if s.P2PE != nil {
		p.P2PE = s.P2PE.profile()
	}
	return p, p.Compile(center)
}
