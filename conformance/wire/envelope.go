package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"cardswitch/conformance/envelope"
)

const (
	// handshakeTime bounds an envelope's handshake.
	handshakeTime = 10 * time.Second
	// lingerTime is how long we go on when the peer has said that it sends nothing more.
	lingerTime = time.Second
)

// Whether an end adds a share, so that a link key lost later opens nothing sent before.
const (
	ShareNever    = "never"
	ShareOffered  = "offered"
	ShareRequired = "required"
)

// Envelope says that messages travel wholly encrypted, with TPDU or header, under a key of the
// link. Its words are those of the switch's own configuration. It serves many connections.
type Envelope struct {
	Link    string `yaml:"id"`       // agreed with the other end
	KeyFile string `yaml:"key_file"` // of link keys, see envelope.ReadKeys
	Padding bool   `yaml:"padding"`  // hide lengths
	Share   string `yaml:"share"`    // never (default), offered or required
	Legacy  bool   `yaml:"legacy"`   // TDES alone, as an old center would
	Term    uint64 `yaml:"term"`     // of the cluster that this end plays; 0: it is none

	Keys map[uint16]envelope.Key `yaml:"-"` // of the file, unless they are given

	// Terms are those of the peer, which all links to the same one share. Complete makes them if there
	// are none; an end without is one of an older version.
	Terms *envelope.Terms `yaml:"-"`

	// Observe sees all that is sent in an envelope and comes out of one, with TPDU and header. It is
	// called by many goroutines.
	Observe func(clear []byte) `yaml:"-"`

	mu       sync.Mutex // of Keys and what follows
	switched *uint16    // the generation under which we send, once Switch said one
	last     *uint16    // the latest generation that there ever was
	conns    map[*Conn]bool
}

// Complete reads the key file, if keys aren't there, and checks the rest.
func (e *Envelope) Complete() error {
	if e == nil {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	switch e.Share {
	case "", ShareNever, ShareOffered, ShareRequired:
	default:
		return fmt.Errorf("envelope: no share %q; choose never, offered or required", e.Share)
	}
	if e.Keys == nil {
		if e.KeyFile == "" {
			return errors.New("envelope: name the file of the link's key")
		}
		keys, err := envelope.ReadKeys(e.KeyFile)
		if err != nil {
			return fmt.Errorf("envelope: %w", err)
		}
		e.Keys = keys
	}
	if e.Terms == nil {
		e.Terms = new(envelope.Terms)
	}
	for g := range e.Keys {
		e.note(g)
	}
	if _, err := envelope.Accept(e.options()); err != nil {
		return fmt.Errorf("envelope: %w", err)
	}
	return nil
}

func (e *Envelope) options() envelope.Options {
	o := envelope.Options{Link: e.Link, Keys: maps.Clone(e.Keys), Padding: e.Padding,
		Terms: e.Terms, Term: e.Term,
		Share: e.Share == ShareOffered, NeedShare: e.Share == ShareRequired}
	if e.Legacy {
		o.Suites = []envelope.Suite{envelope.TDES}
	}
	return o
}

func (e *Envelope) opened(c *Conn) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.conns == nil {
		e.conns = make(map[*Conn]bool)
	}
	e.conns[c] = true
}

func (e *Envelope) closed(c *Conn) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.conns, c)
	c.cover.session.Left()
}

// late gives a session that stands the keys that came during its handshake.
func (e *Envelope) late(c *cover) {
	s := c.session
	e.mu.Lock()
	defer e.mu.Unlock()
	first := s.State().Receiving
	list := slices.DeleteFunc(slices.Collect(maps.Keys(e.Keys)),
		func(g uint16) bool { return g == first || g-first > 32767 })
	slices.SortFunc(list, func(a, b uint16) int { return int(a-first) - int(b-first) })
	for _, g := range list {
		_ = s.Install(g, e.Keys[g]) // one already there, or a ninth, is left out
	}
	// One that the peer didn't agree on though we had it then is one that it doesn't know.
	if e.switched != nil && e.switched != c.before && slices.Contains(list, *e.switched) {
		_ = s.Switch(*e.switched) // the same
	}
}

// cover is the envelope of one connection.
type cover struct {
	session *envelope.Session
	hello   []byte        // of the end that dialled, until it's sent
	before  *uint16       // what was switched to when it began
	heard   bool          // of the reader: something came
	stands  chan struct{} // closed when messages may be sent
	mu      sync.Mutex    // frames leave in the order in which they were sealed
}

// begin begins the envelope of a connection, which over ends when another one is of a higher term.
// Patient: who dialled may be a standby.
func (e *Envelope) begin(dialed, patient bool, over func()) (c *cover, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	c = &cover{before: e.switched, stands: make(chan struct{})}
	o := e.options()
	o.Over, o.Standby = over, patient && !dialed && o.Terms != nil
	if dialed {
		c.session, c.hello, err = envelope.Initiate(o)
	} else {
		c.session, err = envelope.Accept(o)
	}
	return c, err
}

// uncover reads on until a message comes out of an envelope, and shakes hands on the way.
func (c *Conn) uncover(r io.Reader) ([]byte, error) {
	v := c.cover
	if v.hello != nil {
		err := c.SendFrame(c.framer.long(v.hello))
		if v.hello = nil; err != nil {
			c.unshaken(err)
			return nil, err
		}
	}
	for {
		body, err := c.framer.body(r, 0)
		if err != nil {
			if v.heard || !c.options.Patient {
				c.unshaken(err)
			}
			return nil, err
		}
		if c.options.Patient && !v.heard {
			_ = c.socket.SetReadDeadline(time.Now().Add(handshakeTime)) // as above
		}
		v.heard = true
		if len(body) == 0 {
			continue // keeps the line alive
		}
		e, refused := v.session.Receive(body)
		if err := c.sendAll(e.Send, refused != nil); err != nil && refused == nil {
			c.unshaken(err)
			return nil, err
		}
		if refused != nil {
			c.refused(refused)
			return nil, refused
		}
		if v.session.Standing() {
			c.stand()
		}
		if e.Closed {
			time.AfterFunc(lingerTime, c.Close)
		}
		if e.Message != nil {
			c.options.Envelope.observe(e.Message)
			return e.Message, nil
		}
	}
}

// sendAll writes frames of the session; the last ones only after what others have sealed.
func (c *Conn) sendAll(frames [][]byte, last bool) error {
	if last {
		c.cover.mu.Lock()
		defer c.cover.mu.Unlock()
	}
	for _, f := range frames {
		if err := c.SendFrame(c.framer.long(f)); err != nil {
			return err
		}
	}
	return nil
}

// stand lets messages go. Keys that came during the handshake are installed.
func (c *Conn) stand() {
	select {
	case <-c.cover.stands:
		return
	default:
	}
	_ = c.socket.SetReadDeadline(time.Time{}) // a dead one shows at the next read
	c.options.Envelope.late(c.cover)
	close(c.cover.stands)
}

func (c *Conn) unshaken(err error) {
	select {
	case <-c.cover.stands:
	default:
		c.refused(fmt.Errorf("the handshake ended early: %w", err))
	}
}

func (c *Conn) refused(err error) {
	if c.options.Refused != nil {
		c.options.Refused(c, err)
	}
}

// Ready waits until messages may be sent: with an envelope, until its handshake is over. It is
// ErrClosed if that never came.
func (c *Conn) Ready(ctx context.Context) error {
	if c.cover == nil {
		return nil
	}
	select { // also when it has ended meanwhile
	case <-c.cover.stands:
		return nil
	default:
	}
	select {
	case <-c.cover.stands:
		return nil
	case <-c.Done():
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Stands tells whether messages may be sent now.
func (c *Conn) Stands() bool {
	if c.cover == nil {
		return true
	}
	select {
	case <-c.cover.stands:
		return true
	default:
		return false
	}
}

func (c *Conn) sendCovered(body []byte) error {
	if err := c.Ready(context.Background()); err != nil {
		return err
	}
	c.cover.mu.Lock()
	defer c.cover.mu.Unlock()
	frame, err := c.cover.session.Seal(body)
	if errors.Is(err, envelope.ErrNotStanding) {
		return ErrClosed
	}
	if err != nil {
		return err
	}
	if err := c.SendFrame(c.framer.long(frame)); err != nil {
		return err
	}
	c.options.Envelope.observe(body)
	return nil
}

func (e *Envelope) observe(clear []byte) {
	if e.Observe != nil {
		e.Observe(clear)
	}
}

// sayClosed tells the peer that we send nothing more.
func (c *Conn) sayClosed() {
	if c.cover == nil {
		return
	}
	c.cover.mu.Lock()
	defer c.cover.mu.Unlock()
	if frame := c.cover.session.Close(); frame != nil {
		_ = c.SendFrame(c.framer.long(frame)) // we leave anyway
	}
}

// InstallKey takes a new generation of the link key: the peer may send under it from now on, and
// we do after SwitchKey. It is kept for connections to come, too. In the middle of a handshake it
// is installed at its end. Without an envelope nothing happens.
func (c *Conn) InstallKey(generation uint16, key envelope.Key) error {
	if c.cover == nil {
		return nil
	}
	c.options.Envelope.add(generation, key)
	err := c.cover.session.Install(generation, key)
	if errors.Is(err, envelope.ErrNotStanding) || errors.Is(err, envelope.ErrInstalled) {
		return nil
	}
	return err
}

// SwitchKey sends what follows under an installed generation. Do it when the peer has said that
// it has the key.
func (c *Conn) SwitchKey(generation uint16) error {
	if c.cover == nil {
		return nil
	}
	return c.cover.session.Switch(generation)
}

// Waits tells of a connection of a standby, which may say network management only: its node isn't
// the active one yet.
func (c *Conn) Waits() bool { return c.Cover().Waits }

// Cover is what the envelope of the connection is, and where its keys are; zero without one or
// before it stands.
func (c *Conn) Cover() envelope.State {
	if c.cover == nil {
		return envelope.State{}
	}
	return c.cover.session.State()
}
