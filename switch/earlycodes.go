package cardswitch

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"cardswitch/spec"
	"cardswitch/switch/security"
	"cardswitch/switch/txn"
)

// earlyCodes are the codes of what is said with one issuer before this node is the active one, one
// message at a time. Each is under the keys that the node's copy of the journal has then, so a key
// that the active node has changed is followed.
type earlyCodes struct {
	shield *security.Profile
	keys   EarlyKeys
	work   chan struct{} // full while the module, or the journal, is asked
}

// earlyCodes are those agreed with a center; nil: none are.
func (c *CenterConfig) earlyCodes(d *spec.Dialect, keys EarlyKeys) (*earlyCodes, error) {
	if c.Security == nil || c.Security.MAC == nil {
		return nil, nil
	}
	shield, err := c.Security.profile(c.Name, d)
	if err != nil {
		return nil, fmt.Errorf("security: %w", err)
	}
	return &earlyCodes{shield, keys, make(chan struct{}, 1)}, nil
}

// print is all by which messages are protected otherwise than before.
func (s *SecurityConfig) print() string {
	if s == nil || s.MAC == nil {
		return ""
	}
	return fmt.Sprintf("%+v|%t", *s.MAC, s.Generations)
}

// protect gives a message of network management as it goes to the center.
func (e *earlyCodes) protect(ctx context.Context, frame []byte) ([]byte, error) {
	if e == nil {
		return frame, nil
	}
	out, err := e.aside(ctx, func(ctx context.Context, g *security.Guard) ([]byte, error) {
		out, why, err := g.Protect(ctx, nil, e.shield, frame, nil)
		return out, because(why, err)
	})
	if err != nil {
		return nil, fmt.Errorf("network management can't be given a code: %w", err)
	}
	return out, nil
}

// check says why a message that could be read isn't the center's.
func (e *earlyCodes) check(ctx context.Context, m *spec.Message) error {
	if e == nil {
		return nil
	}
	frame := bytes.Clone(m.Raw()) // for it may be looked at longer than anybody waits
	_, err := e.aside(ctx, func(ctx context.Context, g *security.Guard) ([]byte, error) {
		var copied spec.Message
		if fault := e.shield.Dialect.Index(&copied, frame); !fault.OK() {
			return nil, fault.Err()
		}
		f := g.Inspect(ctx, e.shield, &copied)
		if !f.Fault.OK() {
			return nil, f.Fault.Err()
		}
		return nil, because(f.Reason, f.Err)
	})
	if err != nil {
		return fmt.Errorf("the center's %s isn't trusted: %w", m.MTI(), err)
	}
	return nil
}

// because joins a reason and what operators are told of it.
func because(why txn.Reason, err error) error {
	switch {
	case why == txn.None:
		return err
	case err == nil:
		return errors.New(why.String())
	}
	return fmt.Errorf("%s: %w", why, err)
}

// aside asks the journal and the module in a goroutine of its own: a takeover, which ends ctx,
// waits for neither.
func (e *earlyCodes) aside(ctx context.Context, do func(context.Context, *security.Guard) ([]byte,
	error)) ([]byte, error) {
	select {
	case e.work <- struct{}{}:
	default:
		return nil, errors.New("the security module hasn't answered what it was asked before")
	}
	within, cancel := context.WithTimeout(ctx, moduleWait)
	defer cancel()
	type result struct {
		out []byte
		err error
	}
	done := make(chan result, 1)
	go func() {
		var r result
		guard, err := e.keys.Guard(within)
		if r.err = err; err == nil {
			r.out, r.err = do(within, guard)
		}
		<-e.work
		done <- r
	}()
	select {
	case r := <-done:
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return r.out, r.err
	case <-within.Done():
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("the security module doesn't answer within %s", moduleWait)
	}
}
