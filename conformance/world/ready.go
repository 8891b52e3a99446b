package world

import (
	"context"
	"io"
	"log/slog"
	"net"
	"slices"
	"sync"

	cardswitch "cardswitch/switch"
	"cardswitch/switch/link"
	"cardswitch/switch/link/warm"
)

// readiness is the connections with banks that a node keeps ready while it follows. Not one byte
// may leave on them before a duty has them.
type readiness struct {
	holder *warm.Holder
	member *member

	mu   sync.Mutex
	ends []*end // of those that nobody has yet, and of some that have ended
}

// getReady begins to keep connections ready, where the world has it.
func (m *member) getReady() error {
	n := m.process.node
	m.ready = &readiness{holder: warm.New(slog.New(slog.NewTextHandler(io.Discard, nil))), member: m}
	if !n.world.options.Warm || n.witness {
		return nil
	}
	c := n.config
	c.Centers = slices.Clone(c.Centers)
	for i := range c.Centers {
		center := &c.Centers[i]
		center.Links = slices.Clone(center.Links)
		for j := range center.Links {
			center.Links[j].Warm = center.Role == cardswitch.RoleIssuer
		}
	}
	dialers, err := c.WarmLinks(n.world.dialect, nil, n.world.options.Seed<<8|n.world.starts,
		m.ready.dial)
	if err != nil {
		return err
	}
	m.ready.holder.Set(dialers)
	m.ready.holder.Hold()
	return nil
}

func (r *readiness) dial(ctx context.Context, at string) (net.Conn, error) {
	p := r.member.process
	conn, err := p.dial(ctx, at)
	if err != nil {
		return nil, err
	}
	e := conn.(*end)
	e.speak = func(bool) {
		p.node.world.say("%s sends over %s, and isn't the active one", p.node, e.cable.name)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ends = append(r.ends, e)
	return e, nil
}

// take makes what is ready a duty's.
func (r *readiness) take(d *duty) []*link.Idle {
	list := r.holder.Take()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.ends {
		d.owns(e, e.LocalAddr())
	}
	r.ends = nil
	return list
}

// follow keeps connections ready again.
func (r *readiness) follow() {
	p := r.member.process
	if p.node.world.options.Warm && !p.node.witness && !p.dead.Load() {
		r.holder.Hold()
	}
}
