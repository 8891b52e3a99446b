// Package issuer simulates the computer center of a card issuer.
//
// It answers what a switch sends by rules on element values, misbehaves where a rule says so,
// and keeps the ledger against which the money of a test is counted. All its links, primary,
// standby and DR, work on that one ledger.
package issuer

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"cardswitch/conformance/envelope"
	"cardswitch/conformance/format"
	"cardswitch/conformance/ledger"
	"cardswitch/conformance/protect"
	"cardswitch/conformance/wire"
)

// Issuer is a running issuer center.
type Issuer struct {
	options  Options
	format   *format.Format
	guard    *protect.Guard // nil: nothing is protected but by envelopes
	lines    []*line
	calendar *calendar   // nil: no business days
	refusing atomic.Bool // signed off by ourselves: 910 to who asks all the same
	silent   atomic.Bool // nothing is read
	approval atomic.Uint64
	stan     atomic.Uint64
	life     context.Context // until Close
	cancel   context.CancelFunc
	running  sync.WaitGroup

	mu     sync.Mutex
	rules  []Rule
	random *rand.Rand
	stats  Stats
}

// line is one link: its listener or dialer and the connections it has at the moment.
type line struct {
	Link
	signedOn atomic.Bool
	mute     atomic.Bool // doesn't answer network management
	waiting  sync.Map    // STAN and time of an 1804 of ours → chan *format.Message

	changing sync.Mutex // one key of ours after the other

	mu       sync.Mutex
	shut     bool
	address  string
	listener net.Listener
	conns    map[*wire.Conn]bool
	heard    atomic.Pointer[wire.Conn] // where the newest message came
}

// Stats is what an issuer did so far.
type Stats struct {
	Answered, Undelivered, Silent, Ignored, Cuts, Network, Notifications, Unasked,
	Unreadable, Connections, Refused int
	Keys int // link keys that came or were brought

	Terms envelope.TermCounts // of the switch's envelopes

	Absences, Reconciled, OutOfBalance int

	RightPINs, WrongPINs, UnreadablePINs int
}

// Start opens the center's links. It returns when those that listen do so.
func Start(ctx context.Context, o Options) (*Issuer, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	f, err := format.Named(o.Dialect)
	if err != nil {
		return nil, err
	}
	guard, err := protect.New(o.Protect, protect.Issuer, f)
	if err != nil {
		return nil, err
	}
	i := &Issuer{options: o, format: f, guard: guard, rules: o.Rules,
		random: rand.New(rand.NewPCG(o.Seed, 1))}
	ctx, i.cancel = context.WithCancel(ctx)
	i.life = ctx
	if o.Days != nil {
		i.calendar = newCalendar(o.Days.Start)
		o.Ledger.Assign = i.calendar.assign
		if o.Days.Cutover != "" {
			i.running.Go(func() { i.cutOver(ctx) })
		}
	}
	for _, link := range o.Links {
		l := &line{Link: link, address: link.Listen, conns: make(map[*wire.Conn]bool)}
		i.lines = append(i.lines, l)
		if link.Dial != "" {
			i.running.Go(func() { i.dial(ctx, l) })
			continue
		}
		if err := i.listen(ctx, l); err != nil {
			i.Close()
			return nil, fmt.Errorf("link %s: %w", link.Name, err)
		}
	}
	if len(o.Timed) > 0 {
		i.running.Go(func() { i.timed(ctx) })
	}
	return i, nil
}

func (i *Issuer) listen(ctx context.Context, l *line) error {
	listener, err := i.options.ListenFunc(l.address)
	if err != nil {
		return err
	}
	l.mu.Lock()
	l.listener, l.address, l.shut = listener, listener.Addr().String(), false
	l.mu.Unlock()
	i.running.Go(func() {
		for {
			nc, err := listener.Accept()
			if errors.Is(err, net.ErrClosed) || ctx.Err() != nil {
				return
			}
			if err != nil { // out of descriptors, most likely: a pause, then again
				time.Sleep(10 * time.Millisecond)
				continue
			}
			i.attach(ctx, l, nc)
		}
	})
	return nil
}

// dial keeps one connection with the peer.
func (i *Issuer) dial(ctx context.Context, l *line) {
	for ctx.Err() == nil {
		var c *wire.Conn
		if !l.isShut() {
			if nc, err := i.options.DialFunc(ctx, l.Dial); err == nil {
				c = i.attach(ctx, l, nc)
			}
		}
		if c != nil {
			select {
			case <-c.Done():
			case <-ctx.Done():
			}
			if c.Ready(ctx) == nil {
				continue
			}
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

func (i *Issuer) attach(ctx context.Context, l *line, nc net.Conn) *wire.Conn {
	options := wire.Options{
		Format:   i.format,
		Framing:  i.options.Framing,
		Envelope: l.Envelope,
		Dialed:   l.Dial != "",
		Patient:  l.Idle,
		Received: func(c *wire.Conn, m *format.Message) {
			if i.tooEarly(l, c, m) {
				return
			}
			if m.MTI[1] != '8' || l.heard.Load() == nil {
				l.heard.Store(c)
			}
			i.received(l, c, m)
		},
		Unreadable: func(_ *wire.Conn, _ []byte, err error) {
			i.count(func(s *Stats) { s.Unreadable++ })
			i.options.Logger.Warn("unreadable message", "issuer", i.options.Name,
				"link", l.Name, "error", err)
		},
		Refused: func(_ *wire.Conn, err error) {
			i.count(func(s *Stats) { s.Refused++ })
			i.options.Logger.Warn("an envelope is refused", "issuer", i.options.Name,
				"link", l.Name, "error", err)
		},
		Closed: func(c *wire.Conn) { l.drop(c) },
	}
	if i.guard != nil {
		options.Guard = i.guard
	}
	c, err := wire.Open(nc, options)
	if err != nil {
		i.options.Logger.Error("link", "issuer", i.options.Name, "error", err)
		return nil
	}
	if !l.add(c) || ctx.Err() != nil {
		c.Close()
		return nil
	}
	i.count(func(s *Stats) { s.Connections++ })
	if i.options.SignOn || i.options.EchoAfter > 0 {
		i.running.Go(func() { i.attend(ctx, l, c) })
	}
	return c
}

// tooEarly refuses what a standby may not say: anything but network management, before its term.
func (i *Issuer) tooEarly(l *line, c *wire.Conn, m *format.Message) bool {
	if m.MTI[1] == '8' || !c.Waits() {
		return false
	}
	i.count(func(s *Stats) { s.Refused++ })
	i.options.Logger.Warn("a standby says more than it may", "issuer", i.options.Name,
		"link", l.Name, "mti", m.MTI)
	c.Close()
	return true
}

// Address is where a listening link can be reached.
func (i *Issuer) Address(link string) string {
	l := i.line(link)
	if l == nil {
		return ""
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.address
}

// Ledger is the center's book.
func (i *Issuer) Ledger() *ledger.Postings { return i.options.Ledger }

// Export writes the ledger to a file.
func (i *Issuer) Export(file string) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	return errors.Join(i.options.Ledger.Write(f), f.Close())
}

// SetRules changes how the center behaves from now on.
func (i *Issuer) SetRules(rules []Rule) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.rules = rules
}

// Stats is what the center did so far.
func (i *Issuer) Stats() Stats {
	i.mu.Lock()
	defer i.mu.Unlock()
	s := i.stats
	s.Terms = i.terms().Counts()
	return s
}

// terms are the switch's, of any link with an envelope.
func (i *Issuer) terms() *envelope.Terms {
	for n := range i.options.Links {
		if e := i.options.Links[n].Envelope; e != nil && e.Terms != nil {
			return e.Terms
		}
	}
	return new(envelope.Terms)
}

// Close ends every link and waits for what runs.
func (i *Issuer) Close() {
	i.cancel()
	for _, l := range i.lines {
		l.close(true)
	}
	i.running.Wait()
}

func (i *Issuer) line(name string) *line {
	for _, l := range i.lines {
		if l.Name == name {
			return l
		}
	}
	return nil
}

func (i *Issuer) draw(d Delay) time.Duration {
	if d.IsZero() {
		return 0
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	return d.draw(i.random)
}

func (i *Issuer) count(fn func(*Stats)) {
	i.mu.Lock()
	defer i.mu.Unlock()
	fn(&i.stats)
}

func (i *Issuer) lost(l *line, err error) {
	i.count(func(s *Stats) { s.Undelivered++ })
	i.options.Logger.Debug("undelivered", "issuer", i.options.Name, "link", l.Name, "error", err)
}
