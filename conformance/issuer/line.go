package issuer

import (
	"context"
	"fmt"

	"cardswitch/conformance/wire"
)

func (l *line) add(c *wire.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.shut {
		return false
	}
	select {
	case <-c.Done(): // it ended before it was written down
		return false
	default:
	}
	l.conns[c] = true
	return true
}

func (l *line) drop(c *wire.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, c)
	if len(l.conns) == 0 {
		l.signedOn.Store(false)
	}
}

// any is a connection to send on: the one on which the peer speaks, else one on which it could;
// nil: there is none.
func (l *line) any() (some *wire.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c := l.heard.Load(); c != nil && l.conns[c] {
		return c
	}
	for c := range l.conns {
		if c.Waits() {
			continue // it may have another active node
		}
		if some = c; c.Stands() {
			return c
		}
	}
	return some
}

func (l *line) isShut() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.shut
}

// close ends the connections; with shut it also refuses new ones.
func (l *line) close(shut bool) {
	l.mu.Lock()
	listener := l.listener
	if shut {
		l.shut = true
		l.listener = nil
	}
	conns := make([]*wire.Conn, 0, len(l.conns))
	for c := range l.conns {
		conns = append(conns, c)
	}
	l.mu.Unlock()
	if shut && listener != nil {
		listener.Close()
	}
	for _, c := range conns {
		c.Cut()
	}
}

// Cut resets the connections of a link; the peer may come back at once.
func (i *Issuer) Cut(link string) {
	if l := i.line(link); l != nil {
		l.close(false)
	}
}

// Shut resets the connections of a link and lets nobody in until Open.
func (i *Issuer) Shut(link string) {
	if l := i.line(link); l != nil {
		l.close(true)
	}
}

// Open takes a link that was shut into service again, at the same address.
func (i *Issuer) Open(ctx context.Context, link string) error {
	l := i.line(link)
	if l == nil {
		return fmt.Errorf("no link %q", link)
	}
	if l.Dial == "" {
		return i.listen(ctx, l)
	}
	l.mu.Lock()
	l.shut = false
	l.mu.Unlock()
	return nil
}

// Mute makes a link leave network management unanswered: up, but dead.
func (i *Issuer) Mute(link string, mute bool) {
	if l := i.line(link); l != nil {
		l.mute.Store(mute)
	}
}

// SignedOn reports whether a link is in service.
func (i *Issuer) SignedOn(link string) bool {
	l := i.line(link)
	return l != nil && l.signedOn.Load()
}
