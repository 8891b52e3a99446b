package link

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestConfigurationsThatCannotBeToldApart(t *testing.T) {
	two := func(change func(a, b *CenterConfig)) Config {
		a := merchant("a", func(c *CenterConfig) { c.Identities = []string{"1"} })
		b := merchant("b", func(c *CenterConfig) { c.Identities = []string{"2"} })
		change(&a, &b)
		return Config{Centers: []CenterConfig{a, b}}
	}
	a := newAuthority(t)
	a.issue(t, "x", "x")
	a.issue(t, "y", "y")
	for _, c := range []struct {
		name   string
		config Config
		want   string // "" is fine
	}{
		{"identities", two(func(a, b *CenterConfig) {}), ""},
		{"same identity", two(func(a, b *CenterConfig) { b.Identities = []string{"2", "1"} }),
			"both have the identity 1"},
		{"no identity", two(func(a, b *CenterConfig) { b.Identities = nil }), "give both centers"},
		{"sources", two(func(a, b *CenterConfig) {
			b.Identities, b.Links[0].Framing.Inclusive = nil, true
			a.Links[0].From, b.Links[0].From = prefixes("10.0.0.0/9"), prefixes("10.128.0.0/9")
		}), ""},
		{"framing", two(func(a, b *CenterConfig) { b.Links[0].Framing.Inclusive = true }),
			"different framing"},
		{"frame size", two(func(a, b *CenterConfig) { b.Links[0].MaxFrame = 100 }),
			"different framing"},
		{"we sign on", two(func(a, b *CenterConfig) { b.SignOn = SignOnUs }), "we sign on"},
		{"two links of one center", two(func(a, b *CenterConfig) {
			a.Links = append(a.Links, a.Links[0])
			a.Links[1].Name = "second"
		}), "nothing tells two links of one center apart"},
		{"another port", two(func(a, b *CenterConfig) {
			b.Identities, b.Links[0].Listen = nil, "10.0.0.1:9"
		}), ""},
		{"port 0 twice", two(func(a, b *CenterConfig) {
			b.Identities, a.Links[0].Listen, b.Links[0].Listen = nil, "10.0.0.1:0", "10.0.0.1:0"
		}), ""},
		{"half TLS", two(func(x, y *CenterConfig) { y.Links[0].TLS = a.tls("x", "y") }),
			"one with TLS, one without"},
		{"two certificates", two(func(x, y *CenterConfig) {
			x.Links[0].TLS, y.Links[0].TLS = a.tls("x", "n"), a.tls("y", "m")
		}), "different certificates"},
		{"names", two(func(x, y *CenterConfig) {
			y.Identities = nil
			x.Links[0].TLS, y.Links[0].TLS = a.tls("x", "n"), a.tls("x", "m")
		}), ""},
		{"same names", two(func(x, y *CenterConfig) {
			y.Identities = nil
			x.Links[0].TLS, y.Links[0].TLS = a.tls("x", "n"), a.tls("x", "m", "n")
		}), "give both centers"},
	} {
		_, err := New(c.config, &tape{})
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

func TestConfigurationFaultsAreAllNamed(t *testing.T) {
	bad := merchant("m", func(m *CenterConfig) {
		m.Dialect, m.Window, m.Echo = nil, -1, Echo{After: 5 * time.Minute}
		m.Links[0].From, m.Links[0].QueueBytes = nil, 10
		m.Links[0].Framing.Length = "decimal"
		m.Links = append(m.Links, LinkConfig{Name: "a", WriteTimeout: -1,
			Redial: Redial{First: time.Hour}})
	})
	_, err := New(Config{Centers: []CenterConfig{bad, bad}}, &tape{})
	for _, want := range []string{"twice", "no dialect", "window of -1", "longer read timeout",
		"0.0.0.0/0 is everybody", "queue of 10", "binary2, binary4 or ascii4", "link a is there twice",
		"listen on or one to dial", "time-out isn't positive", "redial from 1h"} {
		if !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("no word of %q in: %v", want, err)
		}
	}
}
