package scenario

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"cardswitch/conformance/wire"
)

// station is one issuer of the target. It stays connected over all scenarios, as an issuer does,
// and answers by itself whatever comes while no scenario plays it.
type station struct {
	door     Door
	cancel   context.CancelFunc
	running  sync.WaitGroup
	listener net.Listener

	mu       sync.Mutex
	player   *party
	conns    map[*wire.Conn]bool
	signedOn bool
}

func (t *Target) station(ctx context.Context, d Door) (*station, error) {
	s := &station{door: d, conns: make(map[*wire.Conn]bool)}
	ctx, s.cancel = context.WithCancel(ctx)
	if d.Dial != "" {
		s.running.Go(func() { s.dial(ctx, t) })
		return s, nil
	}
	var err error
	if s.listener, err = t.ListenFunc(d.Listen); err != nil {
		return nil, err
	}
	s.running.Go(func() {
		for {
			nc, err := s.listener.Accept()
			if errors.Is(err, net.ErrClosed) || ctx.Err() != nil {
				return
			}
			if err != nil {
				time.Sleep(10 * time.Millisecond)
				continue
			}
			s.attach(nc)
		}
	})
	return s, nil
}

func (s *station) dial(ctx context.Context, t *Target) {
	for ctx.Err() == nil {
		if nc, err := t.DialFunc(ctx, s.door.Dial); err == nil {
			if c := s.attach(nc); c != nil {
				select {
				case <-c.Done():
				case <-ctx.Done():
				}
			}
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

func (s *station) attach(nc net.Conn) *wire.Conn {
	c, err := s.door.open(nc, s.received, s.dropped)
	if err != nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns[c] = true
	return c
}

func (s *station) received(c *wire.Conn, a arrival) {
	s.mu.Lock()
	player := s.player
	if a.fault == nil && a.message.MTI == "1804" {
		s.signedOn = s.signedOn || a.message.Get(24) == "801"
	}
	s.mu.Unlock()
	switch {
	case player != nil:
		player.arrive(c, a)
	case a.fault == nil && a.message.IsRequest():
		_ = c.Send(automatic(a.message)) // nobody plays: a dead line is nobody's failure
	}
}

func (s *station) dropped(c *wire.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	s.signedOn = s.signedOn && len(s.conns) > 0
}

// play hands the station to a party, or back to nobody.
func (s *station) play(p *party) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.player = p
}

func (s *station) any() *wire.Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		select {
		case <-c.Done():
		default:
			return c
		}
	}
	return nil
}

// ready waits for the host to be connected, and then a little for it to sign on, since not
// every host does.
func (s *station) ready(ctx context.Context) bool {
	grace := 30
	for ctx.Err() == nil && grace > 0 {
		s.mu.Lock()
		signedOn := s.signedOn
		s.mu.Unlock()
		if s.any() != nil {
			if grace--; signedOn {
				return true
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
	return s.any() != nil
}

func (s *station) close() {
	s.cancel()
	if s.listener != nil {
		s.listener.Close()
	}
	s.mu.Lock()
	conns := s.conns
	s.conns = make(map[*wire.Conn]bool)
	s.mu.Unlock()
	for c := range conns {
		c.Close()
	}
	s.running.Wait()
}

// hangUp ends what connections there are; the host may come back.
func (s *station) hangUp(cut bool) {
	s.mu.Lock()
	conns := make([]*wire.Conn, 0, len(s.conns))
	for c := range s.conns {
		conns = append(conns, c)
	}
	s.mu.Unlock()
	for _, c := range conns {
		if cut {
			c.Cut()
		} else {
			c.Close()
		}
	}
}
