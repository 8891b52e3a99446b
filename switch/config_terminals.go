package cardswitch

import (
	"fmt"
	"slices"
	"strings"

	"cardswitch/hsm/dukpt"
	"cardswitch/switch/security"
)

// TerminalsConfig is how the PIN keys of a merchant's terminals come of a base key in the key store
// (bdk), which element 53 names with the terminal's KSN (package keying). Beside p2pe a message has
// one KSN for both, so that what is left out here is as there.
type TerminalsConfig struct {
	Scheme  string   `yaml:"scheme,omitempty"` // tdes-dukpt, aes-dukpt
	Key     string   `yaml:"key,omitempty"`    // of aes-dukpt: aes-128 and so on, tdea-2, tdea-3
	Window  int      `yaml:"window,omitempty"` // how many counters back a KSN may come late
	KeySets []string `yaml:"key_sets,omitempty"`
	Alarm   int      `yaml:"alarm,omitempty"` // after how many failures of a terminal in a row
}

// The schemes.
const (
	P2PETDES = "tdes-dukpt"
	P2PEAES  = "aes-dukpt"
)

func (t *TerminalsConfig) complete(beside *P2PEConfig) {
	if beside != nil {
		setDefault(&t.Scheme, beside.Scheme)
		setDefault(&t.Window, beside.Window)
		setDefault(&t.Alarm, beside.Alarm)
		if t.KeySets == nil {
			t.KeySets = beside.KeySets
		}
	}
	setDefault(&t.Window, dukpt.DefaultWidth)
	setDefault(&t.Alarm, 5)
	if t.Scheme == P2PEAES {
		setDefault(&t.Key, "aes-128")
	}
}

func (t *TerminalsConfig) validate(f *faults, path, role string, s *SecurityConfig) {
	if role != RoleMerchant {
		f.add(path, "leave it out here", "is only for merchants")
	}
	if !s.Generations {
		f.add(path, "set security.generations", "element 53 must name the terminal's KSN")
	}
	f.oneOf(path+".scheme", t.Scheme, P2PETDES, P2PEAES)
	switch {
	case t.Scheme == P2PEAES:
		f.oneOf(path+".key", t.Key, "aes-128", "aes-192", "aes-256", "tdea-2", "tdea-3")
		if aes := strings.HasPrefix(t.Key, "aes"); aes != (s.PIN.Format == 4) {
			f.add(path+".key", "use format 4 with aes-..., others with tdea-...",
				"a key of %s makes no blocks of format %d", t.Key, s.PIN.Format)
		}
	case t.Key != "":
		f.add(path+".key", "leave it out here", "tdes-dukpt has one kind of key")
	case s.PIN.Format == 4:
		f.add(path+".scheme", "use aes-dukpt", "tdes-dukpt makes no blocks of format 4")
	}
	t.bounds(f, path)
	if p := s.P2PE; p != nil && (p.Scheme != t.Scheme || p.Window != t.Window ||
		p.Alarm != t.Alarm || !slices.Equal(p.KeySets, t.KeySets)) {
		f.add(path, "leave out what is said in p2pe", "is another than p2pe, and a message has one KSN")
	}
}

// bounds holds what is alike for PINs and card data.
func (t *TerminalsConfig) bounds(f *faults, path string) {
	f.between(path+".window", t.Window, 1, dukpt.MostWidth)
	f.between(path+".alarm", t.Alarm, 1, 100_000)
	f.noTwice(path+".key_sets", t.KeySets)
	for i, set := range t.KeySets {
		if len(set) < 4 || len(set) > 16 || strings.Trim(set, "0123456789ABCDEF") != "" {
			f.add(fmt.Sprintf("%s.key_sets[%d]", path, i), "use what a KSN begins with",
				"%q isn't 4 to 16 hexadecimal digits in capitals", set)
		}
	}
}

// profile says the same to package security.
func (t *TerminalsConfig) profile() *security.Terminals {
	out := &security.Terminals{AES: t.Scheme == P2PEAES, Key: dukpt.TDEA2, Sets: t.KeySets}
	if out.AES {
		out.Key = map[string]dukpt.KeyType{"aes-128": dukpt.AES128, "aes-192": dukpt.AES192,
			"aes-256": dukpt.AES256, "tdea-2": dukpt.TDEA2, "tdea-3": dukpt.TDEA3}[t.Key]
	}
	return out
}

// terminals is what is agreed about the keys of the center's terminals; nil: they have none.
func (c *CenterConfig) terminals() *TerminalsConfig {
	switch {
	case c.Security == nil:
		return nil
	case c.Security.P2PE != nil:
		return c.Security.P2PE.terminals()
	case c.Security.PIN != nil:
		return c.Security.PIN.Terminals
	}
	return nil
}
