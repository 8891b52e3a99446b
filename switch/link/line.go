package link

import "net"

// Line is one configured link of a center; its connections are Links.
type Line struct {
	center *Center
	config LinkConfig
}

func (n *Line) ID() uint16      { return n.config.ID }
func (n *Line) Name() string    { return n.config.Name }
func (n *Line) Order() int      { return n.config.Order }
func (n *Line) Center() *Center { return n.center }

// Links are its live connections.
func (n *Line) Links() []*Link { return nil }

// Addr is where it listens, nil if it dials.
func (n *Line) Addr() net.Addr { return nil }

// Drain ends its connections in order and lets no new one in until Resume.
func (n *Line) Drain()  {}
func (n *Line) Resume() {}

// Ask makes Due return this duty once for each of its links, by an operator's wish. After a
// SendSignOff it stays signed off until a SendSignOn.
func (n *Line) Ask(duty Duty) {}
