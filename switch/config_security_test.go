package cardswitch

import "testing"

func TestValidateSecurity(t *testing.T) {
	with := func(change func(s *SecurityConfig)) func(c *Config) {
		return func(c *Config) {
			for i := range c.Centers {
				c.Centers[i].Security = &SecurityConfig{MAC: &MACConfig{}, PIN: &PINConfig{},
					Generations: true}
			}
			change(c.Centers[1].Security)
			c.Complete()
		}
	}
	const mac, pin = issuer + ".security.mac", issuer + ".security.pin"
	testSpoiled(t, map[string]spoiled{
		"defaults": {with(func(*SecurityConfig) {}), nil},
		"all of it": {with(func(s *SecurityConfig) {
			*s.MAC = MACConfig{Algorithm: MACISO9797, Padding: 3, Size: 4, Errors: 1,
				Elements: []int{0, 1, 2, 4, 11}, Required: []string{"1200", "1804"}}
			s.PIN.Format = 4
		}), nil},
		"nothing": {with(func(s *SecurityConfig) { s.MAC, s.PIN = nil, nil }),
			[]string{issuer + ".security"}},
		"algorithm": {with(func(s *SecurityConfig) { s.MAC.Algorithm = "des" }),
			[]string{mac + ".algorithm"}},
		"padding of X9.19": {with(func(s *SecurityConfig) { s.MAC.Padding = 2 }),
			[]string{mac + ".padding"}},
		"padding of CMAC": {with(func(s *SecurityConfig) {
			s.MAC.Algorithm, s.MAC.Padding = MACCMAC, 1
		}), []string{mac + ".padding"}},
		"padding 4": {with(func(s *SecurityConfig) {
			s.MAC.Algorithm, s.MAC.Padding = MACISO9797, 4
		}), []string{mac + ".padding"}},
		"size":   {with(func(s *SecurityConfig) { s.MAC.Size = 5 }), []string{mac + ".size"}},
		"errors": {with(func(s *SecurityConfig) { s.MAC.Errors = -1 }), []string{mac + ".errors"}},
		"required": {with(func(s *SecurityConfig) { s.MAC.Required = []string{"1210", "1200", "1200"} }),
			[]string{mac + ".required", mac + ".required[0]"}},
		"elements": {with(func(s *SecurityConfig) { s.MAC.Elements = []int{64, 3, 3, 128} }),
			[]string{mac + ".elements[0]", mac + ".elements", mac + ".elements[3]"}},
		"PIN format": {with(func(s *SecurityConfig) { s.PIN.Format = 2 }),
			[]string{pin + ".format"}},
		"PINs out in format 1": {with(func(s *SecurityConfig) { s.PIN.Format = 1 }),
			[]string{pin + ".format"}},
		"PINs in in format 1": {func(c *Config) {
			c.Centers[0].Security = &SecurityConfig{PIN: &PINConfig{Format: 1}}
		}, nil},
		"terminals of an issuer": {with(func(s *SecurityConfig) {
			s.PIN.Terminals = &TerminalsConfig{Scheme: P2PETDES}
		}), []string{pin + ".terminals"}},
	})
}

func TestValidateTerminals(t *testing.T) {
	ofTerminals := func(change func(s *SecurityConfig)) func(c *Config) {
		return func(c *Config) {
			s := &SecurityConfig{PIN: &PINConfig{Terminals: &TerminalsConfig{Scheme: P2PETDES}},
				Generations: true}
			c.Centers[0].Security = s
			change(s)
			c.Complete()
		}
	}
	const shopsPIN = merchant + ".security.pin.terminals"
	testSpoiled(t, map[string]spoiled{
		"terminals' PINs": {ofTerminals(func(*SecurityConfig) {}), nil},
		"terminals without element 53": {ofTerminals(func(s *SecurityConfig) {
			s.Generations = false
		}), []string{shopsPIN}},
		"terminals' scheme": {ofTerminals(func(s *SecurityConfig) { s.PIN.Terminals.Scheme = "rsa" }),
			[]string{shopsPIN + ".scheme"}},
		"a key of tdes-dukpt": {ofTerminals(func(s *SecurityConfig) {
			s.PIN.Terminals.Key = "tdea-2"
		}), []string{shopsPIN + ".key"}},
		"format 4 of tdes-dukpt": {ofTerminals(func(s *SecurityConfig) { s.PIN.Format = 4 }),
			[]string{shopsPIN + ".scheme"}},
		"aes-dukpt and format 0": {ofTerminals(func(s *SecurityConfig) {
			s.PIN.Terminals.Scheme = P2PEAES
		}), []string{shopsPIN + ".key"}},
		"aes-dukpt with TDEA keys": {ofTerminals(func(s *SecurityConfig) {
			s.PIN.Terminals.Scheme, s.PIN.Terminals.Key = P2PEAES, "tdea-3"
		}), nil},
		"key sets": {ofTerminals(func(s *SecurityConfig) {
			s.PIN.Terminals.KeySets = []string{"FFFF", "xyz"}
		}), []string{shopsPIN + ".key_sets[1]"}},
		"as p2pe": {ofTerminals(func(s *SecurityConfig) {
			s.PIN.Terminals.Scheme = ""
			s.P2PE = &P2PEConfig{Scheme: P2PETDES, KeySets: []string{"FFFF98"}, Window: 9}
		}), nil},
		"another than p2pe": {ofTerminals(func(s *SecurityConfig) {
			s.P2PE = &P2PEConfig{Scheme: P2PETDES}
			s.PIN.Terminals.Window = 9
		}), []string{shopsPIN}},
	})
}
