package link

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// shared finds what makes it impossible to tell apart centers that connect to the same address.
func (c *Config) shared() (faults []error) {
	type end struct {
		center *CenterConfig
		link   *LinkConfig
	}
	var ends []end
	for i := range c.Centers {
		for j := range c.Centers[i].Links {
			if e := (end{&c.Centers[i], &c.Centers[i].Links[j]}); e.link.Listen != "" {
				ends = append(ends, e)
			}
		}
	}
	for i, a := range ends {
		for _, b := range ends[i+1:] {
			if a.link.Listen != b.link.Listen || strings.HasSuffix(a.link.Listen, ":0") {
				continue
			}
			if why := clash(a.center, b.center, a.link, b.link); why != "" {
				faults = append(faults, fmt.Errorf("%s/%s and %s/%s listen on %s: %s", a.center.Name,
					a.link.Name, b.center.Name, b.link.Name, a.link.Listen, why))
			}
		}
	}
	return faults
}

func clash(a, b *CenterConfig, la, lb *LinkConfig) string {
	if (la.TLS == nil) != (lb.TLS == nil) {
		return "one with TLS, one without; an address has one kind"
	}
	if la.TLS != nil && (la.TLS.Cert != lb.TLS.Cert || la.TLS.Key != lb.TLS.Key ||
		la.TLS.CA != lb.TLS.CA) {
		return "with different certificates; use the same cert, key and ca"
	}
	if (la.Envelope == nil) != (lb.Envelope == nil) {
		return "one with envelope, one without; an address has one kind"
	}
	if !overlap(la.From, lb.From) {
		return ""
	}
	if la.Envelope != nil && la.Envelope.ID != lb.Envelope.ID && la.Framing == lb.Framing {
		return "" // the hello says which, and proves it
	}
	if la.TLS != nil && !slices.ContainsFunc(la.TLS.Names, func(name string) bool {
		return slices.Contains(lb.TLS.Names, name)
	}) {
		return ""
	}
	switch {
	case la.Framing != lb.Framing || la.MaxFrame != lb.MaxFrame || la.KeepAlive != lb.KeepAlive:
		return "the same sources, different framing; use the same, or separate addresses"
	case a.Dialect == nil || b.Dialect == nil || !a.Dialect.Same(b.Dialect):
		return "the same sources, different dialects; use the same, or separate addresses"
	case a.SignOn == SignOnUs || b.SignOn == SignOnUs:
		return "the same sources, and we sign on; the first message tells them apart, " +
			"so the center must send it"
	case a == b:
		return "the same sources; nothing tells two links of one center apart"
	case len(a.Identities) == 0 || len(b.Identities) == 0:
		return "the same sources; give both centers the identities they send"
	}
	for _, id := range a.Identities {
		if slices.Contains(b.Identities, id) {
			return "the same sources, and both have the identity " + id
		}
	}
	return ""
}

func overlap(a, b []netip.Prefix) bool {
	return slices.ContainsFunc(a, func(p netip.Prefix) bool {
		return slices.ContainsFunc(b, p.Overlaps)
	})
}
