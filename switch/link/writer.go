package link

import (
	"errors"
	"runtime"
	"sync"
	"time"
)

const (
	// writeChunk bounds one write, so that its deadline means progress, not volume.
	writeChunk = 256 << 10
	// keepBuffer is the capacity that an outbox keeps after a burst.
	keepBuffer = 1 << 20
	// tlsRecord is the most plain text in one record.
	tlsRecord = 16 << 10
)

// outbox is what waits to be written: frames one after the other, with their ends.
type outbox struct {
	mu      sync.Mutex
	refused bool // nothing more is taken
	waiting pile
	leaving int // bytes that the writer has taken and not written
	limit   int
	wake    chan struct{}

	// Of the writer: what it took, and how much of it may have left.
	taken pile
	gone  int
}

type pile struct {
	buf    []byte
	frames []queued
}

type queued struct {
	tag uint64
	end int // in buf
}

// Queue copies frame, with its length and prefix, to what waits to be written. Prefix is the one of
// the message that frame answers, else zero. It is false, and nothing is queued, if the link is
// down, too much waits already, or the frame is longer than the line allows. It makes no system
// call: Flush does.
func (l *Link) Queue(tag uint64, frame []byte, prefix Prefix) bool {
	f, o := &l.line.framing, &l.outbox
	size := f.overhead() + len(frame)
	if size-f.head > f.max || len(frame) == 0 {
		return false
	}
	o.mu.Lock()
	if o.refused || o.leaving+len(o.waiting.buf)+size > o.limit {
		if !o.refused {
			l.congested.Store(true)
			l.counters.queueFull.Add(1)
		}
		o.mu.Unlock()
		return false
	}
	o.waiting.buf = f.append(o.waiting.buf, frame, prefix)
	o.waiting.frames = append(o.waiting.frames, queued{tag, len(o.waiting.buf)})
	o.mu.Unlock()
	return true
}

// Flush wakes the writer: all that waits leaves in one write.
func (l *Link) Flush() {
	select {
	case l.outbox.wake <- struct{}{}:
	default:
	}
}

// write is the writer. It ends when the outbox refuses more and is empty, or when the link is dead.
func (l *Link) write() {
	defer close(l.written)
	err := guard(l.logger(), func() error {
		for l.take() {
			if err := l.send(); err != nil {
				return err
			}
		}
		return nil
	})
	if l.sealed != nil && !l.dead.Load() && (err == nil || causeOf(err) == Refused) {
		err = errors.Join(err, l.farewell())
	}
	if err != nil {
		l.fail(err)
		return
	}
	l.halfClose()
}

// take waits until there is something to write and takes all of it.
func (l *Link) take() bool {
	o := &l.outbox
	o.taken.reset()
	for {
		o.mu.Lock()
		if l.dead.Load() {
			o.mu.Unlock()
			return false
		}
		o.taken, o.waiting = o.waiting, o.taken
		o.leaving = len(o.taken.buf)
		l.congested.Store(o.leaving > o.limit/2)
		refused := o.refused
		o.mu.Unlock()
		if len(o.taken.buf) > 0 {
			return true
		}
		if refused {
			return false
		}
		<-o.wake
		// Others that are about to queue do so first, and share the write.
		runtime.Gosched()
	}
}

// send writes what was taken.
func (l *Link) send() error {
	o := &l.outbox
	o.gone = 0
	var err error
	if l.sealed != nil {
		err = l.sendSealed()
	} else {
		o.gone, err = l.put(o.taken.buf)
	}
	if err != nil {
		return err
	}
	l.sent.Store(int64(l.line.center.network.now()))
	l.counters.framesOut.Add(uint64(len(o.taken.frames)))
	return nil
}

// put writes b. It tells how much of b may have left.
func (l *Link) put(b []byte) (gone int, err error) {
	for gone < len(b) {
		l.armWrite(l.line.center.network.now())
		k, err := l.conn.Write(b[gone:min(len(b), gone+writeChunk)])
		gone += k
		l.counters.bytesOut.Add(uint64(k))
		if err != nil {
			if l.line.secrets != nil && l.socket.torn.Load() {
				// Part of a TLS record left: as good as all of it.
				gone += tlsRecord
			}
			return gone, writeCause(err)
		}
	}
	return gone, nil
}

// armWrite sees that the write deadline is at least the limit away.
func (l *Link) armWrite(now time.Duration) {
	limit := l.line.config.WriteTimeout
	if l.writeBy-now >= limit {
		return
	}
	l.writeBy = now + limit + limit/8
	l.conn.SetWriteDeadline(l.line.center.network.epoch.Add(l.writeBy))
}

// halfClose ends our side, and leaves the peer a moment to end its own.
func (l *Link) halfClose() {
	if l.dead.Load() {
		return
	}
	side, ok := l.conn.(interface{ CloseWrite() error })
	if !ok || side.CloseWrite() != nil {
		l.fail(Closed)
		return
	}
	time.AfterFunc(linger, func() { l.fail(Closed) })
}

// refuse takes no more frames.
func (o *outbox) refuse() {
	o.mu.Lock()
	o.refused = true
	o.mu.Unlock()
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// unsent are the frames of which not one byte left, once the writer has ended.
func (o *outbox) unsent(f *framing) []Unsent {
	o.mu.Lock()
	defer o.mu.Unlock()
	out := o.taken.after(nil, o.gone, f)
	return o.waiting.after(out, 0, f)
}

func (p *pile) after(out []Unsent, gone int, f *framing) []Unsent {
	start := 0
	for _, q := range p.frames {
		if start >= gone {
			out = append(out, Unsent{q.tag, p.buf[start+f.overhead() : q.end]})
		}
		start = q.end
	}
	return out
}

// reset empties the pile, and gives back what a burst has left behind.
func (p *pile) reset() {
	if cap(p.buf) > keepBuffer && len(p.buf) < cap(p.buf)/4 {
		p.buf, p.frames = nil, nil
	}
	p.buf, p.frames = p.buf[:0], p.frames[:0]
}
