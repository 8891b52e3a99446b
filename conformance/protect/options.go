package protect

import (
	"errors"
	"fmt"

	"cardswitch/conformance/format"
	"cardswitch/hsm/mac"
	"cardswitch/spec/p2pe"
)

// Options are what the two ends agreed on.
type Options struct {
	// Keys is a file, mode 0600, a key a line: its name as in the switch's key list, and hex digits.
	//
	//	zak:hq-aoyama:in@1  0123456789ABCDEFFEDCBA9876543210
	//
	// in is what comes to the switch. zak are codes, zpk PINs, bdk terminals.
	Keys string `yaml:"keys"`
	MAC  *MAC   `yaml:"mac"` // nil: messages have no code
	PIN  *PIN   `yaml:"pin"` // nil: no PINs
	P2PE *P2PE  `yaml:"p2pe"`
	// Generations says that element 53 names the keys (package keying).
	Generations bool `yaml:"generations"`

	keys *keys
}

// MAC is how a message gets its code, which is over all that stands before it.
type MAC struct {
	Algorithm string `yaml:"algorithm"` // x9.19 (default), iso9797-1, cmac
	Padding   int    `yaml:"padding"`   // of iso9797-1
	Size      int    `yaml:"size"`      // default 8
}

// PIN is how element 52 is filled.
type PIN struct {
	Format    int     `yaml:"format"`    // of ISO 9564-1: 0 or 3
	Terminals string  `yaml:"terminals"` // tdes-dukpt: under terminals' keys, not under the zpk
	Wrong     float64 `yaml:"wrong"`     // a merchant's share of wrong PINs, 0 to 1
}

// P2PE is how a merchant's terminals encrypt card data (package p2pe).
type P2PE struct {
	Scheme  string `yaml:"scheme"`  // tdes-dukpt
	Element int    `yaml:"element"` // default 127
}

// scheme is the one that is played. AES DUKPT is tested elsewhere (package securitytest).
const scheme = "tdes-dukpt"

// Complete fills in what was left out, reads the keys, and says what doesn't fit. Nil is nothing to
// do.
func (o *Options) Complete() error {
	if o == nil {
		return nil
	}
	if o.MAC != nil {
		setDefault(&o.MAC.Algorithm, "x9.19")
		setDefault(&o.MAC.Size, 8)
	}
	if o.P2PE != nil {
		setDefault(&o.P2PE.Scheme, scheme)
		setDefault(&o.P2PE.Element, p2pe.Element)
	}
	if err := o.check(); err != nil {
		return fmt.Errorf("protect: %w", err)
	}
	var err error
	if o.keys, err = readKeys(o.Keys); err != nil {
		return fmt.Errorf("protect: keys: %w", err)
	}
	return nil
}

func (o *Options) check() error {
	switch {
	case o.MAC == nil && o.PIN == nil && o.P2PE == nil:
		return errors.New("give it mac, pin or p2pe")
	case o.Keys == "":
		return errors.New("name the file of the keys")
	case o.PIN != nil && o.PIN.Format != 0 && o.PIN.Format != 3:
		return fmt.Errorf("no PIN blocks of format %d are played, but 0 and 3", o.PIN.Format)
	case o.PIN != nil && o.PIN.Terminals != "" && o.PIN.Terminals != scheme,
		o.P2PE != nil && o.P2PE.Scheme != scheme:
		return fmt.Errorf("terminals play %s only", scheme)
	case o.PIN != nil && o.PIN.Terminals != "" && !o.Generations:
		return errors.New("a terminal's KSN is in element 53: set generations")
	case o.PIN != nil && (o.PIN.Wrong < 0 || o.PIN.Wrong > 1):
		return errors.New("the share of wrong PINs is 0 to 1")
	}
	if o.MAC == nil {
		return nil
	}
	if err := o.MAC.way().Validate(); err != nil {
		return fmt.Errorf("%s, padding %d: %w", o.MAC.Algorithm, o.MAC.Padding, err)
	}
	return nil
}

// Sealed is the element with encrypted card data; 0: there is none.
func (o *Options) Sealed() int {
	if o == nil || o.P2PE == nil {
		return 0
	}
	return o.P2PE.Element
}

// way is how a key makes the code.
func (m *MAC) way() mac.Spec {
	s := mac.Spec{Algorithm: mac.Retail, Padding: mac.Padding(m.Padding), Size: m.Size}
	switch {
	case m.Algorithm == "x9.19" && m.Padding == 0:
		s.Padding = mac.Padding1
	case m.Algorithm == "cmac":
		s.Algorithm = mac.AESCMAC
	case m.Algorithm != "iso9797-1":
		s.Algorithm = 0
	}
	return s
}

// Side is whose end it is.
type Side uint8

// The sides.
const (
	Merchant Side = iota
	Issuer
)

// New makes it ready for the messages of a format; nil of nil.
func New(o *Options, side Side, f *format.Format) (*Guard, error) {
	if o == nil {
		return nil, nil
	}
	for _, name := range o.needs(side) {
		if _, _, err := o.keys.newest(name); err != nil {
			return nil, fmt.Errorf("protect: %w", err)
		}
	}
	return &Guard{options: o, format: f, terminals: make(map[string]*terminal)}, nil
}

// needs are the keys without which nothing goes.
func (o *Options) needs(side Side) []string {
	var list []string
	if o.MAC != nil {
		list = append(list, "zak:in", "zak:out")
	}
	switch {
	case side == Issuer && o.PIN != nil:
		return append(list, "zpk:out")
	case o.PIN != nil && o.PIN.Terminals == "":
		list = append(list, "zpk:in")
	case o.PIN != nil:
		list = append(list, "bdk")
	}
	if side == Merchant && o.P2PE != nil {
		list = append(list, "bdk")
	}
	return list
}

func setDefault[T comparable](v *T, to T) {
	var zero T
	if *v == zero {
		*v = to
	}
}
