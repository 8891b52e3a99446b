package link

import "time"

// maxBatch bounds how many messages one call of Received gets, and so the memory of a link.
const maxBatch = 512

// linger is how long the peer may take to close its side after we closed ours. Ending the socket
// with bytes unread would reset it, and the peer could lose what was written last.
const linger = 2 * time.Second

// run is the life of the link, in its reader's goroutine.
func (l *Link) run() {
	n := l.line.center.network
	go l.write()
	cause := l.read()
	if causeOf(cause).isRefusal() {
		l.part(cause)
	}
	l.fail(cause)
	<-l.written
	unsent := l.outbox.unsent(&l.line.framing)
	l.counters.unsent.Add(uint64(len(unsent)))
	l.line.ended(l)
	if guard(l.logger(), func() error { n.handler.Down(l, unsent, l.cause); return nil }) != nil {
		l.line.ends[Panicked].Add(1)
	}
	l.line.remove(l)
}

// read is the reader: it ends with the connection and says why.
func (l *Link) read() error {
	return guard(l.logger(), func() error {
		l.line.center.network.handler.Up(l)
		if l.line.center.config.Load().SignOn == SignOnNone || l.cameSignedOn() {
			l.SetSignedOn(true)
		}
		for {
			if fault := l.deliver(); fault != 0 {
				return l.explain(fault)
			}
			n, err := l.stream.fill()
			if n > 0 {
				l.counters.bytesIn.Add(uint64(n))
				now := l.line.center.network.now()
				l.received.Store(int64(now))
				l.armRead(now)
			}
			if err != nil {
				return readCause(err)
			}
		}
	})
}

// deliver hands over all whole frames of the buffer.
func (l *Link) deliver() Cause {
	for {
		fault := l.gather()
		if l.closing.Load() {
			// What comes now could not be answered; to the peer it was never taken.
			l.stream.start = l.stream.end
			return 0
		}
		if len(l.batch) > 0 {
			l.counters.framesIn.Add(uint64(len(l.batch)))
			l.line.center.network.handler.Received(l, l.batch)
		}
		if fault != 0 || len(l.batch) < maxBatch {
			return fault
		}
	}
}

// gather fills the batch from the buffer. After a fault the stream is lost, but the frames before
// it are whole.
func (l *Link) gather() Cause {
	l.batch = l.batch[:0]
	for len(l.batch) < maxBatch {
		body, fault := l.stream.next()
		if fault != 0 || body == nil {
			return fault
		}
		if l.sealed != nil {
			if body, fault = l.sealed.open(body); fault != 0 {
				return fault
			}
		}
		prefix, frame, fault := l.line.framing.split(body)
		if fault != 0 {
			return fault
		}
		in := l.slot()
		in.Prefix, in.Frame = prefix, frame
		in.Fault = l.line.dialect.Index(&in.Message, frame)
		if !in.Fault.OK() {
			l.counters.faulty.Add(1)
		}
	}
	return 0
}

// slot is the next Inbound of the batch; old ones are used again.
func (l *Link) slot() *Inbound {
	n := len(l.batch)
	if n == cap(l.batch) {
		grown := make([]Inbound, n, max(8, min(2*n, maxBatch)))
		copy(grown, l.batch)
		l.batch = grown
	}
	l.batch = l.batch[:n+1]
	return &l.batch[n]
}

// armRead sees that the read deadline is at least the limit away. It moves it, which is a lock and
// a timer in the runtime, only now and then: so silence ends the connection an eighth late at most.
func (l *Link) armRead(now time.Duration) {
	limit := l.line.config.ReadTimeout
	if l.readBy-now >= limit {
		return
	}
	l.readBy = now + limit + limit/8
	l.conn.SetReadDeadline(l.line.center.network.epoch.Add(l.readBy))
}
