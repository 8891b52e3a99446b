package load

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"cardswitch/conformance/load/sealed"
	"cardswitch/conformance/load/wire"
)

// lane is one connection with everything that its traffic needs, made before traffic starts.
type lane struct {
	conn      net.Conn
	request   *request
	slots     []slot
	next      uint64 // sequence of the next request, from 1
	sent      atomic.Uint64
	received  atomic.Uint64
	in, out   []byte
	answer    wire.Message
	latencies *hdrhistogram.Histogram // microseconds, of requests sent in the window
	counts    counts
}

// slot remembers one unanswered request. Whoever frees it stores 0 in sequence last, whoever fills
// it stores the sequence last: so the two goroutines of an open loop share it without a lock.
type slot struct {
	sequence  atomic.Uint64
	sentAt    int64
	localTime [12]byte
}

// counts is what one lane learned from its answers.
type counts struct {
	Measured   uint64 // answers that came in the window
	Approved   uint64
	Amount     uint64 // of the approved
	Mismatched uint64 // answers that aren't their request's
	Unknown    uint64 // answers to nothing, or a second one
	Malformed  uint64
	actions    [1000]uint64
}

// dial connects and signs on. A switch that is just starting gets a moment to listen.
func dial(ctx context.Context, config Config, end *sealed.End, number int) (*lane, error) {
	request, err := newRequest(number)
	if err != nil {
		return nil, err
	}
	ring := openRing
	if config.Rate == 0 {
		for ring = 4096; ring < 4*config.Outstanding; ring *= 2 {
		}
	}
	l := &lane{
		request:   request,
		slots:     make([]slot, ring),
		next:      1,
		in:        make([]byte, 0, bufferSize),
		out:       make([]byte, 0, bufferSize+request.size()),
		latencies: hdrhistogram.New(1, int64(time.Minute/time.Microsecond), 3),
	}
	var d net.Dialer
	for attempt := 0; ; attempt++ {
		l.conn, err = d.DialContext(ctx, "tcp", config.Address)
		if err == nil {
			break
		}
		if attempt == 50 || ctx.Err() != nil {
			return nil, fmt.Errorf("load: connection %d: %w", number, err)
		}
		time.Sleep(100 * time.Millisecond)
	}
	if len(config.Secret) > 0 {
		in, err := end.Dial(l.conn, config.Link)
		if err != nil {
			l.conn.Close()
			return nil, fmt.Errorf("load: connection %d: %w", number, err)
		}
		l.conn = in
	}
	if err := l.signOn(config.Destination); err != nil {
		l.conn.Close()
		return nil, fmt.Errorf("load: connection %d: sign-on: %w", number, err)
	}
	return l, nil
}

// signOn sends 1804/801 and waits for its 1814/800.
func (l *lane) signOn(destination string) error {
	frame, err := signOnMessage(destination, string(l.request.acquirer(1)), time.Now())
	if err != nil {
		return err
	}
	l.conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := l.conn.Write(frame); err != nil {
		return err
	}
	for {
		n, err := l.conn.Read(l.in[len(l.in):cap(l.in)])
		if err != nil {
			return err
		}
		l.in = l.in[:len(l.in)+n]
		body, rest := wire.Next(l.in)
		if body == nil {
			continue
		}
		if !l.answer.Scan(body) || l.answer.MTI() != 1814 || string(l.answer.Data(39)) != "800" {
			return fmt.Errorf("refused with %d/%s", l.answer.MTI(), l.answer.Data(39))
		}
		l.in = l.in[:copy(l.in, rest)]
		return nil
	}
}

// closedLoop keeps the given number of requests outstanding until the window closes, then drains.
func (l *lane) closedLoop(w *window, outstanding int) error {
	l.conn.SetDeadline(w.base.Add(time.Duration(w.done)))
	l.fillNow(w, outstanding)
	for {
		if err := l.flush(); err != nil {
			return ended(err)
		}
		if l.received.Load() == l.sent.Load() {
			return nil
		}
		n, err := l.conn.Read(l.in[len(l.in):cap(l.in)])
		if err != nil {
			return ended(err)
		}
		_, now := w.now()
		answered := l.receive(n, now, w)
		if now < w.to {
			l.fillNow(w, answered)
		}
	}
}

// fillNow adds requests that leave at once. A slot whose answer is late is passed over.
func (l *lane) fillNow(w *window, count int) {
	at, now := w.now()
	l.request.setTime(at)
	for range count {
		for l.slots[l.next%uint64(len(l.slots))].sequence.Load() != 0 {
			l.next++
		}
		l.add(now)
	}
}

// add appends the next request to what leaves with the next flush.
func (l *lane) add(sentAt int64) {
	s := &l.slots[l.next%uint64(len(l.slots))]
	s.sentAt = sentAt
	s.localTime = l.request.localTime
	s.sequence.Store(l.next)
	l.out = l.request.append(l.out, l.next)
	l.next++
	l.sent.Add(1)
}

func (l *lane) flush() error {
	if len(l.out) == 0 {
		return nil
	}
	_, err := l.conn.Write(l.out)
	l.out = l.out[:0]
	return err
}

// ended turns the deadline at the end of the drain into a normal end: what is missing is counted.
func ended(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	return fmt.Errorf("load: %w", err)
}
