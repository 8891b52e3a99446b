package linktest

import (
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// half is one direction of a connection.
type half struct {
	mu   sync.Mutex
	cond *sync.Cond

	parcels []parcel
	size    int // bytes in parcels
	limit   int
	last    time.Time // when the newest parcel arrives

	finished  bool // by the writer: readers drain, then EOF
	closed    bool // by the writer's Close: its own calls fail
	abandoned bool // by the reader's Close: nobody will read
	broken    bool

	readBy, writeBy deadline
	delay           func(int) time.Duration
	left            int
	fuse            func() // cuts the connection when left is used up
}

// parcel is what one write sent.
type parcel struct {
	at   time.Time
	data []byte
}

// deadline wakes who waits when it passes.
type deadline struct {
	at    time.Time
	timer *time.Timer
}

func (d *deadline) passed() bool { return !d.at.IsZero() && !time.Now().Before(d.at) }

func newHalf(limit int) *half {
	h := &half{limit: limit}
	h.cond = sync.NewCond(&h.mu)
	return h
}

func (h *half) wake() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.cond.Broadcast()
}

func (h *half) setDeadline(d *deadline, t time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	d.at = t
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	if !t.IsZero() {
		d.timer = time.AfterFunc(time.Until(t), h.wake)
	}
	h.cond.Broadcast()
}

func (h *half) read(b []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var waited *time.Timer
	for {
		wait, ready := h.arrived()
		switch {
		case h.abandoned:
			return 0, net.ErrClosed
		case h.broken:
			return 0, ErrCut
		case h.readBy.passed():
			return 0, os.ErrDeadlineExceeded
		case ready:
			return h.take(b), nil
		case len(h.parcels) == 0 && h.finished:
			return 0, io.EOF
		}
		if len(h.parcels) > 0 && waited == nil {
			waited = time.AfterFunc(wait, h.wake)
			defer waited.Stop()
		} else if len(h.parcels) > 0 {
			waited.Reset(wait)
		}
		h.cond.Wait()
	}
}

// arrived says whether the oldest parcel is here, or how long it still takes.
func (h *half) arrived() (time.Duration, bool) {
	if len(h.parcels) == 0 {
		return 0, false
	}
	if h.parcels[0].at.IsZero() {
		return 0, true
	}
	wait := time.Until(h.parcels[0].at)
	return wait, wait <= 0
}

// take reads all that is here, as a socket does.
func (h *half) take(b []byte) int {
	n := 0
	for n < len(b) {
		if _, ready := h.arrived(); !ready {
			break
		}
		p := &h.parcels[0]
		k := copy(b[n:], p.data)
		n, p.data = n+k, p.data[k:]
		if len(p.data) == 0 {
			h.parcels = h.parcels[1:]
		}
	}
	h.size -= n
	h.cond.Broadcast()
	return n
}

func (h *half) write(b []byte) (int, error) {
	h.mu.Lock()
	sent, err, fuse := h.put(b)
	h.mu.Unlock()
	if fuse != nil {
		fuse()
		return sent, ErrCut
	}
	return sent, err
}

func (h *half) put(b []byte) (sent int, err error, fuse func()) {
	for {
		switch {
		case h.closed, h.finished:
			return sent, net.ErrClosed, nil
		case h.broken, h.abandoned:
			return sent, ErrCut, nil
		case len(b) == 0:
			return sent, nil, nil
		case h.writeBy.passed():
			return sent, os.ErrDeadlineExceeded, nil
		}
		if room := min(h.limit-h.size, len(b)); room > 0 {
			n := room
			if h.fuse != nil {
				n = min(n, h.left)
				h.left -= n
			}
			h.send(b[:n])
			sent, b = sent+n, b[n:]
			if h.fuse != nil && n < room {
				return sent, nil, h.fuse
			}
			continue
		}
		h.cond.Wait()
	}
}

func (h *half) send(b []byte) {
	if len(b) == 0 {
		return
	}
	p := parcel{data: append([]byte(nil), b...)}
	if h.delay != nil {
		p.at = time.Now().Add(h.delay(len(b)))
		if p.at.Before(h.last) {
			p.at = h.last
		}
		h.last = p.at
	}
	h.parcels = append(h.parcels, p)
	h.size += len(b)
	h.cond.Broadcast()
}

// finish ends what is sent; closed ends the writer's calls as well.
func (h *half) finish(closed bool) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return net.ErrClosed
	}
	h.finished, h.closed = true, closed
	h.cond.Broadcast()
	return nil
}

// abandon says that nobody reads any more, and whether bytes were lost by it.
func (h *half) abandon() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.abandoned = true
	h.cond.Broadcast()
	return h.size > 0
}

func (h *half) cut() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.broken = true
	h.cond.Broadcast()
}
