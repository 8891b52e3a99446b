package link

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"
)

// Greeting is what a node that isn't active says on a connection that it keeps ready, where the
// center allows that: it signs on, and echo tests go both ways. That is network management, by
// which no money moves. Calls for one connection come one after the other.
type Greeting interface {
	// Print is all by which one greeting is another than before.
	Print() string
	// Echo is when the connection is tested.
	Echo() Echo
	// Ask makes the request of a duty, SendSignOn or SendEcho. A takeover ends ctx.
	Ask(ctx context.Context, duty Duty) (frame []byte, err error)
	// Hear takes a message that came: the answer to the center's own echo test, or the duty that
	// it has answered well. An error says why the connection is of no use: the center refused the
	// duty, or asks something that only the active node may answer. Context.Canceled says that ctx
	// ended first: the message is passed over.
	Hear(ctx context.Context, frame []byte) (reply []byte, done Duty, err error)
}

// Words are how a sign-on went, message by message as they travelled, without framing.
type Words struct{ Question, Answer []byte }

// greeted is a greeting under way on one connection.
type greeted struct {
	Greeting
	echo    Echo
	framing framing
	patient time.Duration // for the peer to take some bytes
	stream  *stream       // this and the next of the line that takes the connection over, too
	sealed  *sealed       // nil: messages travel as they are
	link    string        // "center/link", for its keys
	keys    LinkKeys
	newest  uint16 // generation installed
	words   Words
	reply   []byte // used again and again
}

func (d *Dialer) greeted(conn net.Conn) *greeted {
	g := &greeted{Greeting: d.config.Greeting, echo: d.config.Greeting.Echo(), framing: d.framing,
		patient: d.config.WriteTimeout}
	fill(&g.echo.Wait, 10*time.Second)
	fill(&g.echo.Misses, 3)
	g.stream, g.link = newStream(conn, &g.framing), d.name
	return g
}

// shake agrees on the envelope, if the line has one. The session waits for the term that the node
// will have when it is the active one (package envelope).
func (d *Dialer) shake(trying context.Context, c *Idle) (err error) {
	e, g := d.config.Envelope, c.greeted
	if e == nil {
		return nil
	}
	policy := e.policy(&d.framing, &d.terms, 0)
	policy.Standby = true
	g.keys = e.Keys
	if g.sealed, err = e.initiate(trying, c.socket, g.stream, d.name, policy); err != nil {
		return err
	}
	sending, _ := g.sealed.session.Positions()
	g.newest = sending.Generation
	if s := g.sealed.session; s.Heeded() && !s.Waits() {
		return errors.New("the center heeds terms but takes no standbys, so this connection would " +
			"be over at a takeover; leave out sign_on_early here")
	}
	return nil
}

// learn takes a link key that has come into force since.
func (g *greeted) learn() error {
	newest, ok := g.keys.Newest(g.link)
	if !ok || newest <= g.newest {
		return nil
	}
	k, ok := g.keys.Key(g.link, newest)
	if !ok {
		return nil
	}
	g.newest = newest
	return errors.Join(g.sealed.session.Install(newest, k.PRF), g.sealed.session.Switch(newest))
}

// goesOn takes over a connection that is signed on: if its session waits, the center hears before
// all else that this node is the active one now.
func (n *Line) goesOn(socket *socket, ready *Idle) error {
	g := ready.greeted
	if s := g.sealed; s != nil {
		if !s.session.Heed(&n.center.terms) {
			return OldTerm
		}
		if s.session.Waits() {
			frame, err := s.sealer.Raise(nil, n.center.network.term)
			if err != nil {
				return because(Refused, err)
			}
			_ = ready.conn.SetWriteDeadline(time.Now().Add(n.config.WriteTimeout))
			_, err = ready.conn.Write(append(n.framing.appendLength(nil, len(frame)), frame...))
			if err != nil {
				return writeCause(err)
			}
		}
	}
	l := newLink(n, socket, ready.conn, g.stream, g.sealed)
	l.words = &g.words
	return n.serve(l)
}

// signOn asks and waits for the center's yes.
func (c *Idle) signOn(trying context.Context) error {
	g := c.greeted
	by := time.Now().Add(g.echo.Wait)
	if limit, ok := trying.Deadline(); ok && limit.Before(by) {
		by = limit
	}
	_ = c.conn.SetReadDeadline(by)
	stop := context.AfterFunc(trying, func() { _ = c.conn.SetDeadline(time.Unix(1, 0)) })
	frame, err := g.Ask(trying, SendSignOn)
	if err == nil {
		g.words.Question = frame
		err = c.say(frame, Prefix{})
	}
	for err == nil && g.words.Answer == nil {
		var body []byte
		if body, err = g.stream.wait(); err == nil {
			_, err = c.hear(trying, body)
		}
	}
	if !stop() && err == nil {
		err = trying.Err()
	}
	if err == nil {
		return nil
	}
	if errors.Is(err, Silence) {
		err = fmt.Errorf("the center didn't answer our sign-on within %s", g.echo.Wait)
	}
	return err
}

// attend answers echo tests, and sends ours, until the connection ends or is released. An error
// says why it ended by itself.
func (c *Idle) attend(ctx context.Context) error {
	g := c.greeted
	heard, waiting, misses := time.Now(), false, 0
	for {
		for !c.releasing.Load() {
			body, fault := g.stream.next()
			if fault != 0 {
				return fault
			}
			if body == nil {
				break
			}
			if _, err := c.hear(ctx, body); err != nil {
				return err
			}
		}
		patience := g.echo.After
		if waiting {
			patience = g.echo.Wait
		}
		if !c.wakeAt(heard, patience) {
			return nil
		}
		n, err := g.stream.fill()
		if n > 0 {
			heard, waiting, misses = time.Now(), false, 0
		}
		switch {
		case err == nil:
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return readCause(err)
		case c.releasing.Load():
			return nil
		default:
			if waiting {
				misses++
			}
			if misses >= g.echo.Misses {
				return EchoMissed
			}
			heard, waiting = time.Now(), true
			if err := c.ask(ctx, SendEcho); err != nil {
				return err
			}
		}
	}
}

// wakeAt has the next read end that long after a moment, never for 0; false: the connection is
// released.
func (c *Idle) wakeAt(since time.Time, patience time.Duration) bool {
	c.waking.Lock()
	defer c.waking.Unlock()
	if c.releasing.Load() {
		return false
	}
	var by time.Time
	if patience > 0 {
		by = since.Add(patience)
	}
	_ = c.conn.SetReadDeadline(by)
	return true
}

// hear takes one message.
func (c *Idle) hear(ctx context.Context, body []byte) (done Duty, err error) {
	g := c.greeted
	if g.sealed != nil {
		if err := g.learn(); err != nil {
			return Nothing, because(Refused, err)
		}
		var fault Cause
		if body, fault = g.sealed.open(body); fault != 0 {
			return Nothing, g.sealed.explain(fault)
		}
	}
	prefix, frame, fault := g.framing.split(body)
	if fault != 0 {
		return Nothing, fault
	}
	reply, done, err := g.Hear(ctx, frame)
	if err == nil && reply != nil {
		err = c.say(reply, prefix)
	}
	if done == SendSignOn && g.words.Answer == nil {
		g.words.Answer = bytes.Clone(frame)
	}
	return done, err
}

func (c *Idle) ask(ctx context.Context, duty Duty) error {
	frame, err := c.greeted.Ask(ctx, duty)
	if err != nil {
		return err
	}
	return c.say(frame, Prefix{})
}

// say writes one message, unless the connection is released: who takes it over waits for no peer
// that reads nothing.
func (c *Idle) say(frame []byte, prefix Prefix) error {
	c.waking.Lock()
	if c.releasing.Load() {
		c.waking.Unlock()
		return nil // before it is sealed, for no sealed frame may be left out
	}
	err := c.greeted.wrap(frame, prefix)
	_ = c.conn.SetWriteDeadline(time.Now().Add(c.greeted.patient))
	c.waking.Unlock()
	if err != nil {
		return err
	}
	if _, err := c.conn.Write(c.greeted.reply); err != nil {
		return writeCause(err)
	}
	return nil
}

// part tells the peer that something was refused, as far as it still takes that.
func (c *Idle) part(cause error) {
	s := c.greeted.sealed
	if s == nil || !causeOf(cause).isRefusal() {
		return
	}
	if frame, err := s.sealer.Alert(nil); err == nil {
		_ = c.conn.SetWriteDeadline(time.Now().Add(partWait))
		_, _ = c.conn.Write(append(c.greeted.framing.appendLength(nil, len(frame)), frame...))
	}
}

// wrap makes the bytes of a message in g.reply.
func (g *greeted) wrap(frame []byte, prefix Prefix) error {
	plain := g.framing.append(g.reply[:0], frame, prefix)
	if g.reply = plain; g.sealed == nil {
		return nil
	}
	if err := g.learn(); err != nil {
		return because(Refused, err)
	}
	message, err := plain[g.framing.head:], error(nil)
	g.reply = g.framing.appendLength(nil, g.sealed.sealer.Size(len(message)))
	if g.reply, err = g.sealed.sealer.Seal(g.reply, message); err != nil {
		return because(Refused, err)
	}
	return nil
}
