package cardswitch

import (
	"testing"
	"time"
)

// withUnits has the keys in payment HSMs, with the soft module beside.
func withUnits(c *Config) {
	c.Keys = KeysConfig{Module: ModulePayShield,
		PayShield: PayShieldConfig{Units: []string{"10.0.0.5:1500", "10.0.1.5:1500"}}}
	c.Keys.complete(c.Data.Dir)
}

func withToken(c *Config) {
	c.Keys = KeysConfig{Module: ModulePKCS11,
		PKCS11: PKCS11Config{Library: "p11.so", Token: "cardswitch", PINFile: "pin"}}
	c.Keys.complete(c.Data.Dir)
}

// at are paths of the keys.
func at(names ...string) (paths []string) {
	for _, n := range names {
		paths = append(paths, "keys."+n)
	}
	return paths
}

func TestValidateUnits(t *testing.T) {
	units := func(change func(p *PayShieldConfig)) func(*Config) {
		return func(c *Config) { withUnits(c); change(&c.Keys.PayShield) }
	}
	secure := TLSConfig{Cert: "c", Key: "k", CA: "a"}
	testSpoiled(t, map[string]spoiled{
		"units": {withUnits, nil},
		"units and a token": {func(c *Config) {
			withToken(c)
			c.Keys.Module = ModulePayShield
			c.Keys.PayShield = PayShieldConfig{Units: []string{"a:1"}, Beside: ModulePKCS11}
		}, nil},
		"a token beside that isn't described": {func(c *Config) {
			withUnits(c)
			c.Keys.PayShield.Beside, c.Keys.Master = ModulePKCS11, ""
		}, at("pkcs11.library", "pkcs11.token", "pkcs11.pin_file")},
		"units beside units": {func(c *Config) {
			withUnits(c)
			c.Keys.PayShield.Beside, c.Keys.Master = ModulePayShield, ""
		}, at("payshield.beside")},
		"no unit": {units(func(p *PayShieldConfig) { p.Units = nil }),
			at("payshield.units")},
		"three units": {units(func(p *PayShieldConfig) { p.Units = []string{"a:1", "b:1", "c:1"} }),
			at("payshield.units")},
		"twice": {units(func(p *PayShieldConfig) { p.Units[1] = p.Units[0] }),
			at("payshield.units")},
		"no port": {units(func(p *PayShieldConfig) { p.Units[1] = "a" }),
			at("payshield.units")},
		"header": {units(func(p *PayShieldConfig) { p.Header = 1 }),
			at("payshield.header")},
		"LMK": {units(func(p *PayShieldConfig) { p.LMK = "0" }), at("payshield.lmk")},
		"LMK's check": {units(func(p *PayShieldConfig) { p.LMKCheck = "0123456789abcdef" }),
			at("payshield.lmk_check")},
		"KSN": {units(func(p *PayShieldConfig) { p.KSNDescriptor = "A5" }),
			at("payshield.ksn_descriptor")},
		"connections": {units(func(p *PayShieldConfig) { p.Connections = 65 }),
			at("payshield.connections")},
		"timeout": {units(func(p *PayShieldConfig) { p.Timeout = -time.Second }),
			at("payshield.timeout")},
		"half of TLS": {units(func(p *PayShieldConfig) { p.TLS.CA = "a" }),
			at("payshield.tls.cert", "payshield.tls.key")},
		"TLS": {units(func(p *PayShieldConfig) { p.TLS = secure }), nil},
		"units in plain in production": {func(c *Config) {
			inEnvelopes(c)
			withUnits(c)
			c.Production = true
		}, at("payshield.lmk_check", "payshield.tls")},
		"units in production": {func(c *Config) {
			inEnvelopes(c)
			withUnits(c)
			c.Production = true
			c.Keys.PayShield.TLS, c.Keys.PayShield.LMKCheck = secure, "0123456789ABCDEF"
		}, nil},
		"units that nobody asked for": {func(c *Config) { c.Keys.PayShield.Units = []string{"a:1"} },
			at("payshield")},
	})
}

func TestValidateToken(t *testing.T) {
	token := func(change func(p *PKCS11Config)) func(*Config) {
		return func(c *Config) { withToken(c); change(&c.Keys.PKCS11) }
	}
	testSpoiled(t, map[string]spoiled{
		"token":   {withToken, nil},
		"library": {token(func(p *PKCS11Config) { p.Library = "" }), at("pkcs11.library")},
		"label":   {token(func(p *PKCS11Config) { p.Token = "" }), at("pkcs11.token")},
		"PIN":     {token(func(p *PKCS11Config) { p.PINFile = "" }), at("pkcs11.pin_file")},
		"sessions": {token(func(p *PKCS11Config) { p.Sessions = 1025 }),
			at("pkcs11.sessions")},
		"a token that nobody asked for": {func(c *Config) { c.Keys.PKCS11.Token = "a" },
			at("pkcs11")},
	})
}

// Whatever changes in the keys is seen, as they change at a restart only.
func TestKeysAreTheSame(t *testing.T) {
	var a Config
	withUnits(&a)
	for name, change := range map[string]func(k *KeysConfig){
		"module":  func(k *KeysConfig) { k.Module = ModuleSoft },
		"store":   func(k *KeysConfig) { k.Store = "x" },
		"master":  func(k *KeysConfig) { k.Master = "x" },
		"words":   func(k *KeysConfig) { k.PassphraseFile = "x" },
		"token":   func(k *KeysConfig) { k.PKCS11.Sessions = 1 },
		"units":   func(k *KeysConfig) { k.PayShield.Units = []string{"a:1"} },
		"beside":  func(k *KeysConfig) { k.PayShield.Beside = "x" },
		"header":  func(k *KeysConfig) { k.PayShield.Header = 1 },
		"lmk":     func(k *KeysConfig) { k.PayShield.LMK = "x" },
		"check":   func(k *KeysConfig) { k.PayShield.LMKCheck = "x" },
		"ksn":     func(k *KeysConfig) { k.PayShield.KSNDescriptor = "x" },
		"tls":     func(k *KeysConfig) { k.PayShield.TLS.CA = "x" },
		"names":   func(k *KeysConfig) { k.PayShield.TLS.Names = []string{"x"} },
		"lines":   func(k *KeysConfig) { k.PayShield.Connections = 1 },
		"timeout": func(k *KeysConfig) { k.PayShield.Timeout = 1 },
		"keys":    func(k *KeysConfig) { k.PayShield.KeyTimeout = 1 },
		"connect": func(k *KeysConfig) { k.PayShield.Connect = 1 },
	} {
		b := a.Keys
		if !b.Same(&a.Keys) {
			t.Fatal("a copy is another")
		}
		if change(&b); b.Same(&a.Keys) {
			t.Errorf("%s changed, and wasn't seen", name)
		}
	}
}
