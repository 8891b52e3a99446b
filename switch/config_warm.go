package cardswitch

import (
	"context"
	"fmt"
	"net"

	"cardswitch/spec"
	"cardswitch/switch/link"
	"cardswitch/switch/security"
)

// EarlyKeys are issuers' keys on a node that isn't the active one.
type EarlyKeys interface {
	link.LinkKeys
	// Guard makes and checks codes under the keys as they are now.
	Guard(ctx context.Context) (*security.Guard, error)
}

// WarmLinks are the links of which a node that isn't the active one keeps a connection ready.
// Builtin gives the dialects that come with the program, keys those with which it signs on early.
// Dial nil is TCP; seed 0 draws one.
func (c *Config) WarmLinks(builtin func(name string) (*spec.Dialect, error), keys EarlyKeys,
	seed uint64, dial func(ctx context.Context, address string) (net.Conn, error)) (
	out []*link.Dialer, err error) {
	dialects, err := loadDialects(*c)
	if err != nil {
		return nil, err
	}
	for i := range c.Centers {
		center := &c.Centers[i]
		for k := range center.Links {
			if !center.Links[k].Warm {
				continue
			}
			l, err := center.Links[k].line(c)
			if err == nil {
				l.Envelope = center.Links[k].Envelope.line(keys)
				err = center.Links[k].greets(&l, center, c.Institution, dialects, builtin, keys)
			}
			if err != nil {
				return nil, fmt.Errorf("center %s: link %s: %w", center.Name, center.Links[k].Name, err)
			}
			d, err := link.NewDialer(center.Name, l, seed, dial)
			if err != nil {
				return nil, fmt.Errorf("center %s: link %s: %w", center.Name, l.Name, err)
			}
			out = append(out, d)
		}
	}
	return out, nil
}

// greets adds what is said on the connection, which needs the center's dialect.
func (l *LinkConfig) greets(to *link.LinkConfig, c *CenterConfig, own string,
	dialects map[string]*spec.Dialect, builtin func(name string) (*spec.Dialect, error),
	keys EarlyKeys) (err error) {
	if !l.SignOnEarly {
		return nil
	}
	d := dialects[c.Dialect]
	if d == nil {
		if d, err = builtin(c.Dialect); err != nil {
			return err
		}
		dialects[c.Dialect] = d // made once: that takes a while
	}
	to.Greeting, err = l.greeting(c, own, d, keys)
	return err
}

// validateWarm refuses connections kept ready that would be of no use, or would say what they may
// not.
func (c *Config) validateWarm(f *faults) {
	for i := range c.Centers {
		center := &c.Centers[i]
		for k := range center.Links {
			l := &center.Links[k]
			path := fmt.Sprintf("centers[%d](%s).links[%d](%s)", i, center.Name, k, l.Name)
			center.validateEarly(f, path+".sign_on_early", l)
			path += ".warm"
			const hint = "leave it out here"
			switch {
			case !l.Warm:
			case center.Role == RoleMerchant:
				f.add(path, hint, "is only for issuers: a merchant would ask at once who can't answer yet")
			case l.Listen != "":
				f.add(path, hint, "is only for links that dial")
			case center.SignOn == SignOnPeer && l.Envelope == nil:
				f.add(path, "have the switch sign on (sign_on: us), give the link envelope, or leave it out",
					"the center would sign on by itself, and nobody answers before a takeover")
			case c.Cluster == nil:
				f.add(path, "leave it out, or give the node others: cluster",
					"this node is alone: no other takes over")
			}
		}
	}
}

// validateEarly refuses a sign-on that nobody would make, or that a node that isn't active can't.
func (c *CenterConfig) validateEarly(f *faults, path string, l *LinkConfig) {
	const hint = "leave it out here; warm: true alone keeps the connection ready"
	switch {
	case !l.SignOnEarly:
	case !l.Warm:
		f.add(path, "add warm: true", "is only for connections that are kept ready")
	case c.SignOn != SignOnUs:
		f.add(path, hint, "is only for a center with which the switch signs on (sign_on: us)")
	}
}
