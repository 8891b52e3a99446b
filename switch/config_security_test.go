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
	})
}
