package cardswitch

import (
	"context"
	"fmt"

	"cardswitch/hsm"
	"cardswitch/spec"
	"cardswitch/switch/security"
	"cardswitch/switch/txn"
)

// DoorCodes make and check the codes of what a node's door says to merchants by itself, and of what
// they answer to that: echo tests and sign-offs. All else is inspected and protected by the shard
// that decides on it, with its own copy of the keys.
type DoorCodes struct {
	guard    *security.Guard
	profiles map[string]*security.Profile
}

// DoorCodes are those of the merchant centers, under the keys that a node has of them.
func (c *Config) DoorCodes(builtin func(name string) (*spec.Dialect, error), m hsm.Module,
	k security.Keys) (*DoorCodes, error) {
	d := &DoorCodes{security.NewGuard(m, k, nil), make(map[string]*security.Profile)}
	dialects, err := loadDialects(*c)
	if err != nil {
		return nil, err
	}
	for i := range c.Centers {
		center := &c.Centers[i]
		if center.Role != RoleMerchant || center.Security == nil {
			continue
		}
		in := dialects[center.Dialect]
		if in == nil {
			if in, err = builtin(center.Dialect); err != nil {
				return nil, fmt.Errorf("center %s: %w", center.Name, err)
			}
		}
		if d.profiles[center.Name], err = center.Security.profile(center.Name, in); err != nil {
			return nil, fmt.Errorf("center %s: security: %w", center.Name, err)
		}
	}
	return d, nil
}

// Has tells whether anything is agreed with a center.
func (d *DoorCodes) Has(center string) bool { return d.profiles[center] != nil }

// Right tells whether a message that could be read is its center's.
func (d *DoorCodes) Right(ctx context.Context, center string, m *spec.Message) bool {
	return d.guard.Inspect(ctx, d.profiles[center], m).Reason == txn.None
}

// Protect gives a message of network management, without keys or codes of its own, as it goes to a
// center.
func (d *DoorCodes) Protect(ctx context.Context, center string, frame []byte) ([]byte, error) {
	out, why, err := d.guard.Protect(ctx, nil, d.profiles[center], frame, nil)
	if why != txn.None && err == nil {
		err = fmt.Errorf("%s", why)
	}
	return out, err
}
