package cardswitch

import (
	"testing"

	"cardswitch/spec/dialect"
	"cardswitch/switch/link"
)

// Connections kept ready are for issuers that are dialled, by a node that others may replace, and
// only where the center waits for us to speak.
func TestValidateWarm(t *testing.T) {
	warm := func(change func(*Config)) func(*Config) {
		return func(c *Config) {
			c.Cluster = three()
			c.Centers[1].Links[0].Warm = true
			change(c)
			c.Complete()
		}
	}
	testSpoiled(t, map[string]spoiled{
		"as it should be": {warm(func(*Config) {}), nil},
		"alone": {warm(func(c *Config) { c.Cluster = nil }),
			[]string{issuer + ".links[0](primary).warm"}},
		"a merchant": {warm(func(c *Config) { c.Centers[0].Links[0].Warm = true }),
			[]string{merchant + ".links[0](a).warm"}},
		"it listens": {warm(func(c *Config) {
			l := &c.Centers[1].Links[0]
			l.Dial, l.Listen, l.From = "", "127.0.0.1:7300", []string{"127.0.0.0/8"}
		}), []string{issuer + ".links[0](primary).warm"}},
		"it signs on by itself": {warm(func(c *Config) { c.Centers[1].SignOn = SignOnPeer }),
			[]string{issuer + ".links[0](primary).warm"}},
		"it signs on in an envelope, which begins with us": {warm(func(c *Config) {
			c.Centers[1].SignOn = SignOnPeer
			c.Centers[1].Links[0].Envelope = &EnvelopeConfig{}
		}), nil},
		"early": {warm(func(c *Config) { c.Centers[1].Links[0].SignOnEarly = true }), nil},
		"early, but not kept ready": {warm(func(c *Config) {
			c.Centers[1].Links[0].Warm, c.Centers[1].Links[0].SignOnEarly = false, true
		}), []string{issuer + ".links[0](primary).sign_on_early"}},
		"early, and nobody signs on": {warm(func(c *Config) {
			c.Centers[1].SignOn, c.Centers[1].Links[0].SignOnEarly = SignOnNone, true
		}), []string{issuer + ".links[0](primary).sign_on_early"}},
		"early, with codes": {warm(func(c *Config) {
			c.Centers[1].Links[0].SignOnEarly = true
			c.Centers[1].Security = &SecurityConfig{MAC: &MACConfig{Algorithm: "cmac", Size: 8}}
		}), nil},
		"nobody signs on": {warm(func(c *Config) { c.Centers[1].SignOn = SignOnNone }), nil},
	})
}

func TestWarmLinks(t *testing.T) {
	c := sample()
	if list, err := c.WarmLinks(dialect.Builtin, nil, 1, nil); len(list) != 0 || err != nil {
		t.Errorf("%d without being asked for, %v", len(list), err)
	}
	c.Centers[1].Links[1].Warm = true
	list, err := c.WarmLinks(dialect.Builtin, nil, 1, nil)
	if err != nil || len(list) != 1 || list[0].Name() != "issuer-sakura/standby" ||
		list[0].Address() != "127.0.0.1:7202" {
		t.Errorf("%d, %v", len(list), err)
	}
	other := sample()
	other.Centers[1].Links[1].Warm = true
	other.Centers[1].Links[1].Dial = "127.0.0.1:7203"
	moved, err := other.WarmLinks(dialect.Builtin, nil, 1, nil)
	if err != nil || moved[0].Same(list[0]) ||
		!moved[0].Same(moved[0]) {
		t.Errorf("another address is the same: %v", err)
	}
	coded := func(size int) *link.Dialer {
		c := sample()
		c.Centers[1].Links[1].Warm, c.Centers[1].Links[1].SignOnEarly = true, true
		c.Centers[1].Security = &SecurityConfig{MAC: &MACConfig{Algorithm: "cmac", Size: size}}
		list, err := c.WarmLinks(dialect.Builtin, nil, 1, nil)
		if err != nil {
			t.Fatal(err)
		}
		return list[0]
	}
	if coded(8).Same(coded(4)) || !coded(8).Same(coded(8)) {
		t.Error("other codes are the same, or the same ones others")
	}
	c.Centers[1].Links[1].TLS = &TLSConfig{Cert: "nowhere.pem", Key: "nowhere.key", CA: "ca.pem"}
	if _, err := c.WarmLinks(dialect.Builtin, nil, 1, nil); err == nil {
		t.Error("files that aren't there are no fault")
	}
}
