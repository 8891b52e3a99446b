package cardswitch

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

func (c *CenterConfig) validateLinks(f *faults, path string, production bool) {
	if len(c.Links) == 0 {
		f.add(path+".links", "add a link with listen or dial", "there are none")
	}
	for i := range c.Links {
		l := &c.Links[i]
		at := fmt.Sprintf("%s.links[%d]", path, i)
		if l.Name != "" {
			at += "(" + l.Name + ")"
		}
		l.validate(f, at)
		if production && l.TLS == nil && l.Envelope == nil {
			f.add(at, "give it envelope, tls or both, or take production away",
				"a plain link is refused in production")
		}
		// Longer than the echo's silence, or a quiet link closes before it's asked.
		if quiet := c.Echo.After + c.Echo.Wait; l.ReadTimeout <= quiet {
			f.add(at+".read_timeout", "make it longer than echo.after and echo.wait together",
				"%s is not longer than %s", l.ReadTimeout, quiet)
		}
		c.validateAgainst(f, at, l, c.Links[:i])
	}
}

// validateAgainst compares a link with the links of its center before it.
func (c *CenterConfig) validateAgainst(f *faults, path string, l *LinkConfig, before []LinkConfig) {
	for i := range before {
		o := &before[i]
		if o.Name == l.Name && l.Name != "" {
			f.add(path+".name", "give each link of a center its own name",
				"is also the name of links[%d]", i)
		}
		if c.Role == RoleIssuer && o.Order == l.Order {
			f.add(path+".order", "0 is the primary, 1 the standby, 2 DR",
				"%d is also the order of %s", l.Order, o.Name)
		}
		if l.Dial != "" && o.Dial == l.Dial {
			f.add(path+".dial", "two links need two addresses", "is also dialed by %s", o.Name)
		}
	}
}

func (l *LinkConfig) validate(f *faults, path string) {
	f.name(path+".name", l.Name)
	f.between(path+".order", l.Order, 0, 9)
	switch {
	case l.Listen == "" && l.Dial == "":
		f.add(path, "give it listen, or dial", "has no address")
	case l.Listen != "" && l.Dial != "":
		f.add(path, "keep listen or dial", "has two addresses")
	case l.Listen != "":
		l.validateListen(f, path)
	default:
		l.validateDial(f, path)
	}
	l.Framing.validate(f, path+".framing", l.MaxFrame)
	f.duration(path+".read_timeout", l.ReadTimeout, 10*time.Millisecond, 24*time.Hour)
	f.duration(path+".write_timeout", l.WriteTimeout, 10*time.Millisecond, 5*time.Minute)
	f.between(path+".max_frame", l.MaxFrame, 64, 65535)
	f.between(path+".queue_mb", l.QueueMB, 1, 1024)
	if l.Envelope != nil {
		l.Envelope.validate(f, path, l)
	}
	if l.TLS != nil {
		f.required(path+".tls.cert", l.TLS.Cert, "name the file of our certificate")
		f.required(path+".tls.key", l.TLS.Key, "name the file of its private key")
		f.required(path+".tls.ca", l.TLS.CA, "name the file of the peer's authority")
	}
}

// envelopeRoom is what an envelope may add to a frame.
const envelopeRoom = 112

func (e *EnvelopeConfig) validate(f *faults, path string, l *LinkConfig) {
	if e.ID == "" || len(e.ID) > 64 || strings.ContainsFunc(e.ID, func(r rune) bool {
		return r <= ' ' || r > '~'
	}) {
		f.add(path+".envelope.id", "agree on one with the center, as sakura/primary",
			"%q isn't 1 to 64 printable characters", e.ID)
	}
	f.oneOf(path+".envelope.share", e.Share, ShareNever, ShareOffered, ShareRequired)
	f.duration(path+".envelope.epoch", e.Epoch, time.Second, 24*time.Hour)
	limit := 65535
	if l.Framing.Length == "ascii4" {
		limit = 9999
	}
	if l.MaxFrame > limit-envelopeRoom-4 {
		f.add(path+".max_frame", "leave room for the envelope",
			"%d is more than %d", l.MaxFrame, limit-envelopeRoom-4)
	}
}

func (l *LinkConfig) validateListen(f *faults, path string) {
	f.address(path+".listen", l.Listen)
	f.between(path+".max_connections", l.MaxConnections, 1, 10_000)
	for i, prefix := range l.From {
		if _, err := netip.ParsePrefix(prefix); err != nil {
			f.add(fmt.Sprintf("%s.from[%d]", path, i), `write "192.0.2.0/24" or "192.0.2.7/32"`,
				"%q is no address range", prefix)
		}
	}
	// Whoever may connect must be known by address or certificate.
	if l.TLS == nil && len(l.From) == 0 {
		f.add(path+".from", "list the center's addresses, or give the link tls",
			"anyone could connect")
	}
	if l.TLS != nil && len(l.TLS.Names) == 0 {
		f.add(path+".tls.names", "list the names in the center's certificate",
			"anyone with a certificate could connect")
	}
}

func (l *LinkConfig) validateDial(f *faults, path string) {
	f.address(path+".dial", l.Dial)
	if len(l.From) > 0 {
		f.add(path+".from", "leave it out here", "is only for links that listen")
	}
	if l.MaxConnections != 0 {
		f.add(path+".max_connections", "leave it out here", "is only for links that listen")
	}
}

func (r *FramingConfig) validate(f *faults, path string, maxFrame int) {
	f.oneOf(path+".length", r.Length, "binary2", "binary4", "ascii4")
	header, err := hex.DecodeString(r.Header)
	if err != nil || len(header) > 64 {
		f.add(path+".header", `write at most 64 bytes in hex, as "6000030000"`,
			"%q is no header", r.Header)
	}
	if r.TPDU && r.Header != "" {
		f.add(path+".header", "keep tpdu or header", "is there beside tpdu")
	}
	if r.Length == "ascii4" && maxFrame > 9999 {
		f.add(path+".length", "make max_frame at most 9999",
			"four digits can't tell %d bytes", maxFrame)
	}
}

// listening is one listen address with the center that uses it.
type listening struct {
	path   string
	center *CenterConfig
	link   *LinkConfig
}

// validateListeners looks at addresses that several links listen on. Bytes must
// be read before anyone can say whose they are, so the sharers must read alike;
// and they must be told apart by address, certificate, or what their messages say.
func (c *Config) validateListeners(f *faults) {
	users := map[string][]listening{}
	for i := range c.Centers {
		center := &c.Centers[i]
		for k := range center.Links {
			link := &center.Links[k]
			path := fmt.Sprintf("centers[%d](%s).links[%d](%s)", i, center.Name, k, link.Name)
			if link.Listen == "" {
				continue
			}
			if link.Listen == c.Admin.HTTP {
				f.add(path+".listen", "choose another port", "is also admin.http")
			}
			here := listening{path, center, link}
			for _, there := range users[link.Listen] {
				here.validateShared(f, there)
			}
			users[link.Listen] = append(users[link.Listen], here)
		}
	}
}

func (a listening) validateShared(f *faults, b listening) {
	// Port 0 is a new port each time.
	if ap, err := netip.ParseAddrPort(a.link.Listen); err == nil && ap.Port() == 0 {
		return
	}
	other := b.center.Name + "/" + b.link.Name
	if a.center.Name == b.center.Name {
		f.add(a.path+".listen", "choose another port", "%s listens there too", other)
		return
	}
	const hint = "links that share an address must share framing, dialect and tls files"
	if a.link.Framing != b.link.Framing {
		f.add(a.path+".framing", hint, "differs from %s on the same address", other)
	}
	if a.center.Dialect != b.center.Dialect {
		f.add(a.path, hint, "its dialect differs from %s on the same address", other)
	}
	if (a.link.Envelope == nil) != (b.link.Envelope == nil) {
		f.add(a.path+".envelope", "links that share an address have all an envelope, or none",
			"differs from %s on the same address", other)
	}
	if !sameTLS(a.link.TLS, b.link.TLS) {
		f.add(a.path+".tls", hint, "differs from %s on the same address", other)
	}
	if !a.apart(b) {
		f.add(a.path, "give them separate addresses in from, tls.names or acquirers",
			"can't be told from %s on the same address", other)
	}
}

func sameTLS(a, b *TLSConfig) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Cert == b.Cert && a.Key == b.Key && a.CA == b.CA
}

// apart says whether no peer could be taken for either.
func (a listening) apart(b listening) bool {
	if a.link.Envelope != nil && b.link.Envelope != nil && a.link.Envelope.ID != b.link.Envelope.ID {
		return true // the peer names one, and proves it
	}
	if a.link.TLS != nil && b.link.TLS != nil {
		shared := func(name string) bool { return slices.Contains(b.link.TLS.Names, name) }
		if !slices.ContainsFunc(a.link.TLS.Names, shared) {
			return true
		}
	}
	if !sharesIdentity(a.center, b.center) {
		return true // the first message tells: DE 94 of a sign-on, else DE 33 or 32
	}
	if len(a.link.From) == 0 || len(b.link.From) == 0 {
		return false
	}
	for _, x := range a.link.From {
		for _, y := range b.link.From {
			p, errP := netip.ParsePrefix(x)
			q, errQ := netip.ParsePrefix(y)
			if errP == nil && errQ == nil && p.Overlaps(q) {
				return false
			}
		}
	}
	return true
}

// sharesIdentity says whether a message could name either center.
func sharesIdentity(a, b *CenterConfig) bool {
	names := func(c *CenterConfig) []string {
		return append(append([]string{c.Institution}, c.Acquirers...), c.Forwarders...)
	}
	for _, id := range names(a) {
		if id != "" && slices.Contains(names(b), id) {
			return true
		}
	}
	return false
}

// validateEnvelopes sees that each id names one link: its key must open nothing else.
func (c *Config) validateEnvelopes(f *faults) {
	users := map[string]string{}
	for i := range c.Centers {
		for k := range c.Centers[i].Links {
			e := c.Centers[i].Links[k].Envelope
			if e == nil {
				continue
			}
			here := c.Centers[i].Name + "/" + c.Centers[i].Links[k].Name
			if there, twice := users[e.ID]; twice {
				f.add(fmt.Sprintf("centers[%d](%s).links[%d].envelope.id", i, c.Centers[i].Name, k),
					"give each link its own", "%q is also the id of %s", e.ID, there)
			}
			users[e.ID] = here
		}
	}
}
