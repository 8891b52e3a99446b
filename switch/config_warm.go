package cardswitch

import (
	"context"
	"fmt"
	"net"

	"cardswitch/switch/link"
)

// WarmLinks are the links of which a node that isn't the active one keeps a connection ready. Dial
// nil is TCP; seed 0 draws one.
func (c *Config) WarmLinks(seed uint64, dial func(ctx context.Context, address string) (net.Conn,
	error)) (out []*link.Dialer, err error) {
	for i := range c.Centers {
		center := &c.Centers[i]
		for k := range center.Links {
			if !center.Links[k].Warm {
				continue
			}
			l, err := center.Links[k].line(c)
			if err != nil {
				return nil, fmt.Errorf("center %s: link %s: %w", center.Name, l.Name, err)
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

// validateWarm refuses connections kept ready that would be of no use.
func (c *Config) validateWarm(f *faults) {
	for i := range c.Centers {
		center := &c.Centers[i]
		for k := range center.Links {
			l := &center.Links[k]
			path := fmt.Sprintf("centers[%d](%s).links[%d](%s).warm", i, center.Name, k, l.Name)
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
