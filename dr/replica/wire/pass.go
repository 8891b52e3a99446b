package wire

import (
	"context"
	"errors"
	"net"
	"sync"
)

// Pass opens a connection to a peer for one that a center made with this node. What says whose it
// is. From then on both ends read and write as they like.
func (w *Wire) Pass(ctx context.Context, to uint64, what string) (net.Conn, error) {
	p, ok := w.peer(to)
	if !ok {
		return nil, errClosed
	}
	conn, _, err := w.shake(ctx, p.Peer, hello{For: forPass, Request: []byte(what)})
	return conn, err
}

// takes says why a connection that a peer passes on can't be taken now.
func (w *Wire) takes(h *hello) error {
	if w.config.Take == nil {
		return errors.New("this node takes no connections of centers")
	}
	if w.config.Takes == nil {
		return nil
	}
	return w.config.Takes(string(h.Request))
}

// taken gives a connection away that a peer passes on, and returns when it has ended: as long it is
// one of those that Close ends. It doesn't count among those that came, for centers have many.
func (w *Wire) taken(conn net.Conn, raw net.Conn, h *hello) error {
	ended := make(chan struct{})
	p := &passed{Conn: conn, raw: raw, ended: ended}
	w.passing(raw, true)
	defer w.passing(raw, false)
	if err := w.config.Take(h.From, string(h.Request), p); err != nil {
		_ = p.Close() // it says why
		return err
	}
	<-ended
	return nil
}

func (w *Wire) passing(raw net.Conn, on bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !on {
		delete(w.passes, raw)
		return
	}
	delete(w.conns, raw)
	w.passes[raw] = true
	if w.ctx.Err() != nil {
		_ = raw.Close() // Close came first
	}
}

// passed is a connection that somebody else has now. Its Close doesn't wait for the peer.
type passed struct {
	net.Conn
	raw   net.Conn
	once  sync.Once
	ended chan struct{}
}

func (p *passed) Close() error {
	err := p.raw.Close()
	p.once.Do(func() { close(p.ended) })
	return err
}

// CloseWrite ends what this side sends.
func (p *passed) CloseWrite() error {
	side, ok := p.Conn.(interface{ CloseWrite() error })
	if !ok {
		return errors.ErrUnsupported
	}
	return side.CloseWrite()
}
