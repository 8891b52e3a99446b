package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"cardswitch/conformance/load/sealed"
	"cardswitch/conformance/load/stage"
	"cardswitch/conformance/load/wire"
)

// tick is how often a lane begins new sales and looks for answers that are overdue.
const tick = 4 * time.Millisecond

// merchants are the lanes of one merchant center, each with a connection and a book of its own.
type merchants struct {
	lanes    []*lane
	end      *sealed.End
	answered atomic.Uint64 // answers to sales, over all lanes
	closing  atomic.Bool   // no new sales
	work     sync.WaitGroup
}

func newMerchants(address string, config Config, end *sealed.End) *merchants {
	m := &merchants{end: end}
	for i := range config.Lanes {
		m.lanes = append(m.lanes, &lane{
			merchants: m, composer: newComposer(i), address: address,
			outstanding: config.Outstanding, waiting: map[uint64]bool{},
			random: rand.New(rand.NewPCG(config.Seed, uint64(100+i))),
			sales:  make([]sale, 1), // the reference numbers begin at 1
		})
	}
	return m
}

func (m *merchants) acquirers() []string {
	var list []string
	for _, l := range m.lanes {
		list = append(list, l.composer.acquirer)
	}
	return list
}

func (m *merchants) start(ctx context.Context) {
	for _, l := range m.lanes {
		m.work.Go(func() { l.run(ctx) })
	}
}

// pending counts the sales that wait for an answer.
func (m *merchants) pending() int {
	n := 0
	for _, l := range m.lanes {
		l.mu.Lock()
		n += len(l.waiting)
		l.mu.Unlock()
	}
	return n
}

// lane is one connection of the merchant center and the sales made on it.
type lane struct {
	merchants   *merchants
	composer    *composer
	address     string
	outstanding int

	mu      sync.Mutex
	random  *rand.Rand
	sales   []sale
	waiting map[uint64]bool
	rests   time.Time // no new sales until then
	audit   uint32
	counts  laneCounts
}

// laneCounts is what a lane saw beside its book.
type laneCounts struct {
	Repeats    int // messages sent again
	Mismatched int // answers that aren't their request's
	Changed    int // a question answered a second time, otherwise than the first
	Unknown    int // answers to nothing
}

// run keeps a connection until the context ends, repeating after each loss what wasn't answered.
func (l *lane) run(ctx context.Context) {
	for ctx.Err() == nil {
		conn, err := net.Dial("tcp", l.address)
		if err != nil {
			time.Sleep(2 * time.Millisecond)
			continue
		}
		stop := context.AfterFunc(ctx, func() { conn.Close() })
		if in, err := l.merchants.end.Dial(conn, stage.Link); err == nil {
			l.talk(in)
			in.Close()
		}
		stop()
		conn.Close()
	}
}

// talk signs on and trades until the connection ends.
func (l *lane) talk(conn net.Conn) {
	reader := newReader(conn)
	signOn, err := wire.Build("1804",
		wire.Element{Number: 11, Value: fmt.Sprintf("%06d", l.nextAudit())},
		wire.Element{Number: 12, Value: fmt.Sprintf("%012d", localTime(time.Now()))},
		wire.Element{Number: 24, Value: "801"},
		wire.Element{Number: 93, Value: stage.Institution},
		wire.Element{Number: 94, Value: l.composer.acquirer})
	if err != nil {
		panic(err) // the message is our own
	}
	conn.SetDeadline(time.Now().Add(patience))
	if _, err := conn.Write(signOn); err != nil {
		return
	}
	m, err := reader.next()
	if err != nil || m.MTI() != 1814 || string(m.Data(39)) != "800" {
		return
	}
	conn.SetDeadline(time.Time{})
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		for {
			m, err := reader.next()
			if err != nil {
				return
			}
			l.receive(m)
		}
	}()
	defer func() { conn.Close(); <-gone }()
	out := l.overdue(nil, 0) // all that waits: the connection it went out on is lost
	for {
		out = l.begin(out)
		conn.SetWriteDeadline(time.Now().Add(patience))
		if len(out) > 0 {
			if _, err := conn.Write(out); err != nil {
				return
			}
		}
		select {
		case <-gone:
			return
		case <-time.After(tick):
		}
		out = l.overdue(out[:0], patience)
	}
}

// reader cuts messages from a connection.
type reader struct {
	conn    net.Conn
	buffer  []byte
	rest    []byte
	message wire.Message
}

func newReader(conn net.Conn) *reader {
	return &reader{conn: conn, buffer: make([]byte, 256<<10)}
}

// next waits for a message; it is valid until the next call.
func (r *reader) next() (*wire.Message, error) {
	for {
		body, rest := wire.Next(r.rest)
		if body != nil {
			r.rest = rest
			if !r.message.Scan(body) {
				return nil, fmt.Errorf("the switch sent what can't be walked")
			}
			return &r.message, nil
		}
		kept := copy(r.buffer, r.rest)
		n, err := r.conn.Read(r.buffer[kept:])
		if err != nil {
			return nil, err
		}
		r.rest = r.buffer[:kept+n]
	}
}
