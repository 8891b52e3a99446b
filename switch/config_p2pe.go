package cardswitch

import (
	"cardswitch/hsm/dukpt"
	"cardswitch/spec/p2pe"
	"cardswitch/switch/security"
)

// P2PEConfig is how the terminals of a merchant encrypt card data (package p2pe says how the
// element looks), under keys of a base key in the key store (bdk).
type P2PEConfig struct {
	Scheme  string `yaml:"scheme"`            // tdes-dukpt, aes-dukpt
	Key     string `yaml:"key,omitempty"`     // of aes-dukpt: aes-128, aes-192, aes-256
	Element int    `yaml:"element,omitempty"` // where the encrypted data are
	Window  int    `yaml:"window,omitempty"`  // how many counters back a KSN may come late
	// Required says that card data come in no other way. A message with a card number, a track or a
	// security code in clear, in whatever element, is refused; answers carry none.
	Required bool `yaml:"required"`
	// KeySets are what a KSN may begin with, each with a base key of its own (bdk:center:SET).
	KeySets []string `yaml:"key_sets,omitempty"`
	// Alarm is after how many failures of a terminal in a row, and each time so many more.
	Alarm int `yaml:"alarm,omitempty"`
}

// p2pe is what is agreed about encrypted card data; nil: nothing is.
func (c *CenterConfig) p2pe() *P2PEConfig {
	if c.Security == nil {
		return nil
	}
	return c.Security.P2PE
}

func (p *P2PEConfig) complete() {
	setDefault(&p.Element, p2pe.Element)
	setDefault(&p.Window, dukpt.DefaultWidth)
	setDefault(&p.Alarm, 5)
	if p.Scheme == P2PEAES {
		setDefault(&p.Key, "aes-128")
	}
}

func (p *P2PEConfig) validate(f *faults, path, role string) {
	if role != RoleMerchant {
		f.add(path, "leave it out here", "is only for merchants")
	}
	f.oneOf(path+".scheme", p.Scheme, P2PETDES, P2PEAES)
	switch {
	case p.Scheme == P2PEAES:
		f.oneOf(path+".key", p.Key, "aes-128", "aes-192", "aes-256")
	case p.Key != "":
		f.add(path+".key", "leave it out here", "tdes-dukpt has one kind of key")
	}
	if !privateElement(p.Element) {
		f.add(path+".element", "use a private one, such as 127", "%d can't hold encrypted card data",
			p.Element)
	}
	p.terminals().bounds(f, path)
}

// terminals is what it says of their keys.
func (p *P2PEConfig) terminals() *TerminalsConfig {
	return &TerminalsConfig{Scheme: p.Scheme, Key: p.Key, Window: p.Window, KeySets: p.KeySets,
		Alarm: p.Alarm}
}

// profile says the same to package security.
func (p *P2PEConfig) profile() *security.P2PE {
	return &security.P2PE{Terminals: *p.terminals().profile(), Element: p.Element,
		Required: p.Required}
}
