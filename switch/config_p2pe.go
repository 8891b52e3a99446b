package cardswitch

import (
	"fmt"
	"strings"

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

// The schemes.
const (
	P2PETDES = "tdes-dukpt"
	P2PEAES  = "aes-dukpt"
)

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

func keyTypes() map[string]dukpt.KeyType {
	return map[string]dukpt.KeyType{"aes-128": dukpt.AES128, "aes-192": dukpt.AES192,
		"aes-256": dukpt.AES256}
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
	f.between(path+".window", p.Window, 1, dukpt.MostWidth)
	f.between(path+".alarm", p.Alarm, 1, 100_000)
	f.noTwice(path+".key_sets", p.KeySets)
	for i, set := range p.KeySets {
		if len(set) < 4 || len(set) > 16 || strings.Trim(set, "0123456789ABCDEF") != "" {
			f.add(fmt.Sprintf("%s.key_sets[%d]", path, i), "use what a KSN begins with",
				"%q isn't 4 to 16 hexadecimal digits in capitals", set)
		}
	}
}

// profile says the same to package security.
func (p *P2PEConfig) profile() *security.P2PE {
	out := &security.P2PE{AES: p.Scheme == P2PEAES, Key: dukpt.TDEA2, Element: p.Element,
		Required: p.Required, Sets: p.KeySets}
	if out.AES {
		out.Key = keyTypes()[p.Key]
	}
	return out
}
