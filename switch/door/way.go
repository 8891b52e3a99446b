package door

import (
	"context"
	"encoding/binary"
	"net"
	"slices"
	"sync"
	"time"

	"cardswitch/spec"
	"cardswitch/switch/link"
)

// way is a visit's connection to one shard, made anew whenever that moves. On it frames go with
// two bytes of length and nothing else before a message.
type way struct {
	visit *visit
	shard int

	mu      sync.Mutex
	begun   bool
	closed  bool
	asked   map[question]*asked
	bytes   int // of asked
	number  uint64
	conn    net.Conn // nil: there is none, or it isn't ready
	place   uint64   // where conn leads
	waiting []byte   // frames for conn
	dirty   bool     // frames were added since the last flush
	wake    chan struct{}
}

// question tells an answer's request.
type question struct {
	mti      spec.MTI // of its answer
	stan     uint64
	local    uint64
	acquirer uint64
	once     uint64 // of what gets no answer: its number
}

// asked is a message that the shard hasn't answered yet.
type asked struct {
	number uint64
	frame  []byte
	prefix link.Prefix
	at     time.Time
	once   bool
	sent   bool
}

const (
	mostFrame = 1<<16 - 1
	// mostAsked bounds in bytes what is kept of a visit for one shard.
	mostAsked = 8 << 20
	openTime  = 500 * time.Millisecond // a node that is gone takes no longer to be given up
	openPause = 10 * time.Millisecond
	// openAtOnce bounds how many ways to a shard are opened at once, by each pause where it takes
	// none: those of all merchants would keep the node that takes over busy with their handshakes.
	openAtOnce = 4
	writeTime  = 5 * time.Second
)

func newWay(v *visit, shard int) *way {
	return &way{visit: v, shard: shard, asked: make(map[question]*asked),
		wake: make(chan struct{}, 1)}
}

func (w *way) counts() *counts { return &w.visit.door.counts[w.shard] }

func questionOf(m *spec.Message) question {
	q := question{mti: m.MTI().Original()}
	if !q.mti.IsResponse() {
		q.mti = q.mti.Response()
	}
	q.stan, _ = m.Number(11)
	q.local, _ = m.Number(12)
	q.acquirer, _ = m.Number(32)
	return q
}

// ask passes a message on: now, or once the shard can be reached.
func (w *way) ask(in *link.Inbound) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return
	}
	if w.bytes+len(w.waiting)+len(in.Frame) > mostAsked || len(in.Frame) > mostFrame {
		w.counts().dropped.Add(1)
		return
	}
	w.number++
	one := &asked{number: w.number, frame: slices.Clone(in.Frame), prefix: in.Prefix, at: time.Now()}
	q := question{once: w.number}
	if function := in.Message.MTI().Function(); in.Fault.OK() && (function == 0 || function == 2) {
		q = questionOf(&in.Message)
	} else {
		one.once = true
	}
	switch {
	case w.asked[q] != nil: // it is asked again, and gets one answer
		w.bytes -= len(w.asked[q].frame)
	case !one.once && !w.visit.link.Acquire():
		w.counts().dropped.Add(1)
		return
	}
	w.counts().passed.Add(1)
	if w.conn != nil {
		w.waiting = appendFrame(w.waiting, one.frame)
		w.dirty, one.sent = true, true
	}
	if w.conn == nil || !one.once {
		w.asked[q], w.bytes = one, w.bytes+len(one.frame)
	}
	if !w.begun {
		w.begun = true
		w.visit.door.visits.Go(w.keep)
	}
	if w.conn == nil {
		w.nudge()
	}
}

func appendFrame(b, frame []byte) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(frame))), frame...)
}

// flush lets what was asked leave in one write.
func (w *way) flush() {
	w.mu.Lock()
	dirty := w.dirty
	w.dirty = false
	w.mu.Unlock()
	if dirty {
		w.nudge()
	}
}

func (w *way) nudge() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// follow ends a connection to a node where the shard is no more.
func (w *way) follow(place uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.conn != nil && place != 0 && place != w.place {
		_ = w.conn.Close()
	}
}

// anew ends the connection, as the session is another one; it is made again when it is needed.
func (w *way) anew() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.conn != nil {
		_ = w.conn.Close()
	}
}

// forget drops what was asked before a time: the merchant waits no longer.
func (w *way) forget(before time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for q, one := range w.asked {
		if one.at.Before(before) {
			w.drop(q, one)
		}
	}
}

func (w *way) drop(q question, one *asked) {
	delete(w.asked, q)
	w.bytes -= len(one.frame)
	if !one.once {
		w.visit.link.Release()
	}
}

// close ends the way for good.
func (w *way) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	for q, one := range w.asked {
		w.drop(q, one)
	}
	if w.conn != nil {
		_ = w.conn.Close()
	}
	w.nudge()
}

// keep holds a connection while there is something to ask.
func (w *way) keep() {
	for w.wanted() {
		signed := w.visit.signed.Load()
		if conn, place := w.open(signed); conn != nil {
			w.serve(conn, place, signed)
		}
	}
}

// open opens a connection when it is its turn; nil: it could not be, and a pause has passed.
func (w *way) open(signed bool) (conn net.Conn, place uint64) {
	v := w.visit
	gate, shard := v.door.gates[w.shard], &v.door.config.Shards[w.shard]
	select {
	case gate <- struct{}{}:
		defer func() { <-gate }()
	case <-v.ctx.Done():
		return nil, 0
	}
	if place = shard.Place(); place != 0 {
		ctx, cancel := context.WithTimeout(v.ctx, openTime)
		defer cancel()
		conn, err := shard.Open(ctx, Visitor{v.link.Center().Name(), v.link.Name(), v.link.From(),
			v.link.Envelope(), signed})
		if err == nil {
			return conn, place
		}
	}
	select {
	case <-time.After(openPause):
	case <-v.ctx.Done():
	}
	return nil, 0
}

// wanted waits until something is to be asked; false: never again.
func (w *way) wanted() bool {
	for {
		w.mu.Lock()
		closed, some := w.closed, len(w.asked) > 0
		w.mu.Unlock()
		if closed || some {
			return !closed
		}
		select {
		case <-w.wake:
		case <-w.visit.ctx.Done():
			return false
		}
	}
}

// serve asks what was not answered yet, and is the connection's life.
func (w *way) serve(conn net.Conn, place uint64, signed bool) {
	defer conn.Close()
	stop := context.AfterFunc(w.visit.ctx, func() { _ = conn.Close() })
	defer stop()
	in := &reader{conn: conn, dialect: w.visit.link.Center().Dialect()}
	w.begin(conn, place, signed)
	defer w.ended()
	ended := make(chan struct{})
	var writing sync.WaitGroup
	writing.Go(func() { w.writes(conn, ended) })
	w.reads(in)
	close(ended)
	_ = conn.Close()
	writing.Wait()
}

// begin lets what waits go over a connection, in the order in which it came. Signed is what the
// shard was told of the merchant: if that has changed meanwhile, it is told anew.
func (w *way) begin(conn net.Conn, place uint64, signed bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.conn, w.place, w.waiting = conn, place, nil
	if w.closed || w.visit.signed.Load() != signed {
		_ = conn.Close()
		return
	}
	list := make([]*asked, 0, len(w.asked))
	for q, one := range w.asked {
		list = append(list, one)
		if one.once {
			w.drop(q, one)
		}
	}
	slices.SortFunc(list, func(a, b *asked) int { return int(a.number) - int(b.number) })
	for _, one := range list {
		w.waiting = appendFrame(w.waiting, one.frame)
		if one.sent {
			w.counts().again.Add(1)
		}
		one.sent = true
	}
	w.nudge()
}

func (w *way) ended() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.conn, w.waiting = nil, nil
	w.nudge()
}

// writes is the writer: all that waits leaves in one write.
func (w *way) writes(conn net.Conn, ended <-chan struct{}) {
	var spare []byte
	for {
		w.mu.Lock()
		taken := w.waiting
		w.waiting, spare = spare[:0], nil
		w.mu.Unlock()
		if len(taken) > 0 {
			_ = conn.SetWriteDeadline(time.Now().Add(writeTime))
			if _, err := conn.Write(taken); err != nil {
				_ = conn.Close() // the reader sees it
				return
			}
			spare = taken
			continue
		}
		spare = taken
		select {
		case <-w.wake:
		case <-ended:
			return
		}
	}
}

// reads brings the shard's messages to the merchant until the connection ends.
func (w *way) reads(in *reader) {
	for {
		m, frame, err := in.next()
		if err != nil {
			return
		}
		mti := m.MTI()
		if mti == 0x1804 && functionOf(m) == signOff {
			return // the shard moves on; nothing is in flight
		}
		w.bring(m, frame)
		if !in.more() {
			w.visit.link.Flush()
		}
	}
}

// bring queues a message of the shard for the merchant.
func (w *way) bring(m *spec.Message, frame []byte) {
	prefix := link.Prefix{}
	if m.MTI().IsResponse() {
		q := questionOf(m)
		w.mu.Lock()
		one := w.asked[q]
		if one != nil {
			prefix = one.prefix
			w.drop(q, one)
		}
		w.mu.Unlock()
		if one != nil && q.mti == 0x1814 && w.shard == 0 {
			function := -1
			if n, ok := m.Number(24); ok {
				function = int(n)
			}
			w.visit.session(function, m.ActionCode())
		}
	} else if m.MTI().Class() == 8 {
		w.visit.asksFor(w.shard, m)
	}
	w.visit.link.Queue(0, frame, prefix)
}

// reader cuts a shard's messages from a connection.
type reader struct {
	conn       net.Conn
	dialect    *spec.Dialect
	buf        []byte
	start, end int
	message    spec.Message
}

// more tells whether another message is there already.
func (r *reader) more() bool {
	rest := r.buf[r.start:r.end]
	return len(rest) >= 2 && len(rest) >= 2+int(binary.BigEndian.Uint16(rest))
}

// next is the next message, valid until the following call.
func (r *reader) next() (*spec.Message, []byte, error) {
	for !r.more() {
		r.end = copy(r.buf, r.buf[r.start:r.end])
		r.start = 0
		if r.end == len(r.buf) {
			r.buf = append(r.buf[:r.end], make([]byte, max(32<<10, len(r.buf)))...)
		}
		n, err := r.conn.Read(r.buf[r.end:])
		r.end += n
		if err != nil && !r.more() {
			return nil, nil, err
		}
	}
	size := int(binary.BigEndian.Uint16(r.buf[r.start:]))
	frame := r.buf[r.start+2 : r.start+2+size]
	r.start += 2 + size
	r.message = spec.Message{}
	if fault := r.dialect.Index(&r.message, frame); !fault.OK() {
		return nil, nil, fault.Err()
	}
	return &r.message, frame, nil
}
