package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"cardswitch/conformance/load/sealed"
	"cardswitch/conformance/load/wire"
)

// The ways to cut a link.
const (
	cutReset  = iota // gone at once, with what was on its way
	cutStall         // it stands still, then it's gone
	cutRefuse        // gone, and for a while who connects is sent away
)

// bank is the center of one issuer: a book behind a primary and a standby link.
type bank struct {
	book      *book
	listeners []net.Listener
	mu        sync.Mutex // over random and what follows; never held over I/O
	random    *rand.Rand
	end       *sealed.End
	links     map[*bankLink]bool
	refusing  time.Time // new connections to the primary are refused until then
}

// openBank listens for the two links until the context ends.
func openBank(ctx context.Context, seed uint64, secret sealed.Secret) (*bank, error) {
	b := &bank{
		book: newBook(), end: sealed.NewEnd(secret),
		random: rand.New(rand.NewPCG(seed, 2)), links: map[*bankLink]bool{},
	}
	for primary := range 2 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("chaos: %w", err)
		}
		b.listeners = append(b.listeners, l)
		context.AfterFunc(ctx, func() { l.Close() })
		go b.accept(l, primary == 0)
	}
	context.AfterFunc(ctx, func() { b.close(func(*bankLink) bool { return true }) })
	return b, nil
}

func (b *bank) addresses() []string {
	var list []string
	for _, l := range b.listeners {
		list = append(list, l.Addr().String())
	}
	return list
}

func (b *bank) accept(l net.Listener, primary bool) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		link := &bankLink{bank: b, conn: conn.(*net.TCPConn), primary: primary}
		b.mu.Lock()
		refused := primary && time.Now().Before(b.refusing)
		if !refused {
			b.links[link] = true
		}
		b.mu.Unlock()
		if refused {
			link.reset()
			continue
		}
		go link.serve()
	}
}

// cut breaks the primary link in one of the ways.
func (b *bank) cut(way int, d time.Duration) {
	if way == cutRefuse {
		b.mu.Lock()
		b.refusing = time.Now().Add(d)
		b.mu.Unlock()
	}
	if way == cutStall {
		b.mu.Lock()
		for l := range b.links {
			if l.primary {
				l.stalled = time.Now().Add(d)
			}
		}
		b.mu.Unlock()
		return
	}
	b.close(func(l *bankLink) bool { return l.primary })
}

func (b *bank) close(which func(*bankLink) bool) {
	var gone []*bankLink
	b.mu.Lock()
	for l := range b.links {
		if which(l) {
			gone = append(gone, l)
		}
	}
	b.mu.Unlock()
	for _, l := range gone {
		l.reset()
	}
}

// bankLink is one connection from the switch.
type bankLink struct {
	bank    *bank
	conn    *net.TCPConn
	sealed  net.Conn // conn in its envelope
	primary bool
	stalled time.Time  // it stands still until then, then it ends; under bank.mu
	writing sync.Mutex // answers that were delayed come from timers
}

// reset ends the connection as a cut cable does: what is under way is lost.
func (l *bankLink) reset() {
	l.conn.SetLinger(0)
	l.conn.Close()
}

func (l *bankLink) serve() {
	defer func() {
		l.bank.mu.Lock()
		delete(l.bank.links, l)
		l.bank.mu.Unlock()
		l.reset()
	}()
	in, err := l.bank.end.Accept(l.conn)
	if err != nil {
		return // the switch dials again
	}
	defer in.Close()
	l.sealed = in
	var m wire.Message
	answers := newAnswers()
	buffer := make([]byte, 0, 256<<10)
	for {
		n, err := l.sealed.Read(buffer[len(buffer):cap(buffer)])
		if err != nil || l.standsStill() {
			return
		}
		rest := buffer[:len(buffer)+n]
		var out []byte
		for body, next := wire.Next(rest); body != nil; body, next = wire.Next(rest) {
			rest = next
			if !m.Scan(body) {
				return
			}
			answer := answers.of(l.bank, &m)
			if d := l.bank.delay(m.MTI()); d > 0 {
				time.AfterFunc(d, func() { l.write(answer) })
				continue
			}
			out = append(out, answer...)
		}
		buffer = buffer[:copy(buffer[:cap(buffer)], rest)]
		if len(out) > 0 {
			l.write(out)
		}
	}
}

// standsStill waits out a stall and says whether the link ends with it.
func (l *bankLink) standsStill() bool {
	l.bank.mu.Lock()
	until := l.stalled
	l.bank.mu.Unlock()
	if until.IsZero() {
		return false
	}
	time.Sleep(time.Until(until))
	return true
}

// write sends answers; an error shows at the next read.
func (l *bankLink) write(out []byte) {
	l.writing.Lock()
	defer l.writing.Unlock()
	l.conn.SetWriteDeadline(time.Now().Add(time.Second))
	l.sealed.Write(out)
}

// delay is how long an answer takes: mostly none, sometimes milliseconds, rarely longer than the
// switch waits.
func (b *bank) delay(mti int) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch n := b.random.IntN(1000); {
	case mti/100 == 18 || n >= 105:
		return 0
	case n < 2:
		return issuerTime + time.Duration(b.random.IntN(400)-100)*time.Millisecond
	default:
		return time.Duration(b.random.IntN(15000)) * time.Microsecond
	}
}

// answers are the responses a bank gives.
type answers struct {
	approved, declined, noted, reversed, network wire.Echo
}

func newAnswers() *answers {
	echoed := []int{2, 3, 4, 11, 12, 32, 33, 37, 41, 42, 49}
	return &answers{
		approved: wire.NewEcho("1210", "000", echoed...),
		declined: wire.NewEcho("1210", "116", echoed...),
		noted:    wire.NewEcho("1230", "900", echoed...),
		reversed: wire.NewEcho("1430", "400", append(echoed, 56)...),
		network:  wire.NewEcho("1814", "800", 7, 11, 12, 59, 93, 94),
	}
}

// of books a message and makes its answer.
func (a *answers) of(b *bank, m *wire.Message) []byte {
	switch m.MTI() &^ 1 {
	case 1200:
		b.mu.Lock()
		no := decline(b.random)
		b.mu.Unlock()
		if b.book.post(m, no) {
			return a.approved.AppendAnswer(nil, m, []byte("A00001"))
		}
		return a.declined.AppendAnswer(nil, m, nil)
	case 1220:
		b.book.post(m, false)
		return a.noted.AppendAnswer(nil, m, nil)
	case 1420:
		b.book.reverse(m)
		return a.reversed.AppendAnswer(nil, m, nil)
	case 1804:
		return a.network.AppendAnswer(nil, m, nil)
	}
	return nil
}
