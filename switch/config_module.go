package cardswitch

import (
	"slices"
	"strings"
	"time"
)

// PKCS11Config is the token of the module pkcs11.
type PKCS11Config struct {
	Library string `yaml:"library"`  // file of the token's PKCS#11 library
	Token   string `yaml:"token"`    // label of the token
	PINFile string `yaml:"pin_file"` // file with the PIN of its user, mode 0600
	Label   string `yaml:"label"`    // what the labels of our keys in it begin with
	// Sessions is how many calls at once; 0 is the driver's.
	Sessions     int  `yaml:"sessions"`
	MACInProcess bool `yaml:"mac_in_process"` // MAC keys that may leave are used in this process
}

func (p *PKCS11Config) validate(f *faults, path string, used bool) {
	if !used {
		if *p != (PKCS11Config{}) {
			f.add(path, "leave it out, or name the module", "no token is used")
		}
		return
	}
	f.required(path+".library", p.Library, "name the file of the token's PKCS#11 library")
	f.required(path+".token", p.Token, "write the token's label")
	f.required(path+".pin_file", p.PINFile, "name the file, of mode 0600, with the PIN of its user")
	f.between(path+".sessions", p.Sessions, 0, 1024)
}

// PayShieldConfig is the payment HSMs of the module payshield. Zero values are the driver's
// defaults.
type PayShieldConfig struct {
	Units []string `yaml:"units"` // host:port of the primary and the standby
	// Beside is the module of the keys that units have no commands for: those of links and of the
	// vault, and the key store's seal (package hsm/split).
	Beside        string        `yaml:"beside"`
	Header        int           `yaml:"header"`    // characters of the message header
	LMK           string        `yaml:"lmk"`       // identifier of the LMK; "" is that of the port
	LMKCheck      string        `yaml:"lmk_check"` // its check value, 16 hexadecimal digits
	KSNDescriptor string        `yaml:"ksn_descriptor"`
	TLS           TLSConfig     `yaml:"tls"` // names: of the units, in their order
	Connections   int           `yaml:"connections"`
	Timeout       time.Duration `yaml:"timeout"`     // for an answer in a transaction
	KeyTimeout    time.Duration `yaml:"key_timeout"` // where a key is made or moved
	Connect       time.Duration `yaml:"connect"`     // for a connection to stand
}

func (p *PayShieldConfig) complete() { setDefault(&p.Beside, ModuleSoft) }

// Secure tells whether the units are reached by TLS.
func (p *PayShieldConfig) Secure() bool { return p.TLS.Cert+p.TLS.Key+p.TLS.CA != "" }

// Same tells whether two configurations of the keys say the same.
func (k *KeysConfig) Same(other *KeysConfig) bool {
	a, b := &k.PayShield, &other.PayShield
	return k.Module == other.Module && k.Store == other.Store && k.Master == other.Master &&
		k.PassphraseFile == other.PassphraseFile && k.PKCS11 == other.PKCS11 &&
		slices.Equal(a.Units, b.Units) && sameTLS(&a.TLS, &b.TLS) &&
		slices.Equal(a.TLS.Names, b.TLS.Names) && a.plain() == b.plain()
}

// plain is what is of single values.
func (p *PayShieldConfig) plain() [9]any {
	return [...]any{p.Beside, p.Header, p.LMK, p.LMKCheck, p.KSNDescriptor, p.Connections, p.Timeout,
		p.KeyTimeout, p.Connect}
}

func (p *PayShieldConfig) given() bool {
	return len(p.Units) > 0 || p.Secure() || p.Beside+p.LMK+p.LMKCheck+p.KSNDescriptor != "" ||
		p.Header|p.Connections != 0 || p.Timeout|p.KeyTimeout|p.Connect != 0
}

func (p *PayShieldConfig) validate(f *faults, path string, used, production bool) {
	if !used {
		if p.given() {
			f.add(path, "leave it out, or name the module", "no payment HSM is used")
		}
		return
	}
	if n := len(p.Units); n < 1 || n > 2 {
		f.add(path+".units", `write them as ["10.0.0.5:1500"], a primary and maybe a standby`,
			"there are %d", n)
	}
	for _, unit := range p.Units {
		f.address(path+".units", unit)
	}
	f.noTwice(path+".units", p.Units)
	f.oneOf(path+".beside", p.Beside, ModuleSoft, ModulePKCS11)
	if p.Header != 0 {
		f.between(path+".header", p.Header, 2, 32)
	}
	if p.LMK != "" && (len(p.LMK) != 2 || strings.Trim(p.LMK, "0123456789") != "") {
		f.add(path+".lmk", `write two digits in quotes, as "00"`, "%q is no identifier of an LMK", p.LMK)
	}
	p.validateCheck(f, path, production)
	if d := p.KSNDescriptor; d != "" && (len(d) != 3 || strings.Trim(d, capitalHex) != "") {
		f.add(path+".ksn_descriptor", `write three digits in quotes, as "A05"`,
			"%q doesn't divide a KSN", d)
	}
	f.between(path+".connections", p.Connections, 0, 64)
	f.duration(path+".timeout", p.Timeout, 0, time.Minute)
	f.duration(path+".key_timeout", p.KeyTimeout, 0, time.Minute)
	f.duration(path+".connect", p.Connect, 0, time.Minute)
	switch {
	case p.Secure():
		f.required(path+".tls.cert", p.TLS.Cert, "name the file of our certificate")
		f.required(path+".tls.key", p.TLS.Key, "name the file of its private key")
		f.required(path+".tls.ca", p.TLS.CA, "name the file of the units' authority")
	case production:
		// What a unit opens for us, as card data, comes back in clear.
		f.add(path+".tls", "give cert, key and ca", "is missing, and production has no unit without")
	}
}

const capitalHex = "0123456789ABCDEF"

func (p *PayShieldConfig) validateCheck(f *faults, path string, production bool) {
	const hint = "write its 16 digits in quotes: command NC, or VR at the console, shows it"
	switch {
	case p.LMKCheck == "" && production:
		f.add(path+".lmk_check", hint, "is missing: a unit with another LMK wouldn't be found out")
	case p.LMKCheck != "" && (len(p.LMKCheck) != 16 || strings.Trim(p.LMKCheck, capitalHex) != ""):
		f.add(path+".lmk_check", hint, "isn't the check value of an LMK")
	}
}
