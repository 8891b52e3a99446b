package issuer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"cardswitch/conformance/format"
	"cardswitch/conformance/keychange"
	"cardswitch/conformance/wire"
)

// Function codes of element 24 in an 1804.
const (
	SignOn  = "801"
	SignOff = "802"
	Echo    = "831"
)

// network answers the peer's network management.
func (i *Issuer) network(l *line, c *wire.Conn, m *format.Message) {
	if m.Get(24) == keychange.Function {
		i.keyCame(l, c, m)
		return
	}
	action := "800"
	switch m.Get(24) {
	case SignOn:
		l.signedOn.Store(true)
	case SignOff:
		l.signedOn.Store(false)
	case Echo:
	case "821", "822":
		action = i.dayCame(m)
	default:
		action = "902"
	}
	i.count(func(s *Stats) { s.Network++ })
	if l.mute.Load() {
		return
	}
	i.send(c, format.Answer(m, action))
}

// Manage sends one 1804 on a link and waits for the answer's action code.
func (i *Issuer) Manage(ctx context.Context, link, function string) (string, error) {
	l := i.line(link)
	if l == nil {
		return "", fmt.Errorf("no link %q", link)
	}
	c := l.any()
	if c == nil {
		return "", fmt.Errorf("link %s is down", link)
	}
	return i.manage(ctx, l, c, function)
}

func (i *Issuer) manage(
	ctx context.Context, l *line, c *wire.Conn, function string,
) (string, error) {
	a, err := i.request(ctx, l, c, format.New("1804").Set(24, function))
	if err != nil {
		return "", err
	}
	if a.Get(39) == "800" && function != Echo {
		l.signedOn.Store(function == SignOn)
	}
	return a.Get(39), nil
}

// request stamps a message of ours, sends it and waits for its answer.
func (i *Issuer) request(
	ctx context.Context, l *line, c *wire.Conn, m *format.Message,
) (*format.Message, error) {
	return i.exchange(ctx, l, c, i.stamp(m))
}

// stamp gives a message of ours its trace number and time, and its ends where it has any.
func (i *Issuer) stamp(m *format.Message) *format.Message {
	m.Set(11, fmt.Sprintf("%06d", i.stan.Add(1)%1000000)).
		Set(12, time.Now().Format("060102150405"))
	if m.MTI[1] != '5' {
		m.Set(93, i.options.Peer).Set(94, i.options.Institution)
	}
	return m
}

// exchange sends a stamped message and waits for its answer.
func (i *Issuer) exchange(
	ctx context.Context, l *line, c *wire.Conn, m *format.Message,
) (*format.Message, error) {
	reply := make(chan *format.Message, 1)
	l.waiting.Store(m.Get(11)+m.Get(12), reply)
	defer l.waiting.Delete(m.Get(11) + m.Get(12))
	if err := c.Send(m); err != nil {
		return nil, err
	}
	select {
	case a := <-reply:
		return a, nil
	case <-c.Done():
		return nil, errors.New("the connection ended before the answer came")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// answered brings the answer to a message of ours home.
func (i *Issuer) answered(l *line, m *format.Message) {
	ch, ok := l.waiting.LoadAndDelete(m.Get(11) + m.Get(12))
	if !ok {
		i.count(func(s *Stats) { s.Unasked++ })
		return
	}
	ch.(chan *format.Message) <- m
}

// attend signs on and keeps testing one connection until it ends.
func (i *Issuer) attend(ctx context.Context, l *line, c *wire.Conn) {
	ask := func(function string) {
		wait, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		action, err := i.manage(wait, l, c, function)
		if err != nil || action != "800" {
			i.options.Logger.Warn("network management not accepted", "issuer", i.options.Name,
				"link", l.Name, "function", function, "action", action, "error", err)
		}
	}
	if i.options.SignOn {
		ask(SignOn)
	}
	if i.options.EchoAfter == 0 {
		return
	}
	tick := time.NewTicker(i.options.EchoAfter)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			ask(Echo)
		case <-c.Done():
			return
		case <-ctx.Done():
			return
		}
	}
}
