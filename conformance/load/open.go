package load

import "time"

// tick is how long the sender of an open loop rests: short against the latencies it measures, long
// enough that waking up doesn't take the processor from the switch.
const tick = 250 * time.Microsecond

// pace sends at the fixed rate until the window closes, then waits for the last answers.
func (l *lane) pace(w *window, first, interval float64) error {
	l.conn.SetWriteDeadline(w.base.Add(time.Duration(w.done)))
	due := first
	for {
		at, now := w.now()
		l.request.setTime(at)
		for due <= float64(now) && len(l.out) < bufferSize && due < float64(w.to) {
			if l.slots[l.next%uint64(len(l.slots))].sequence.Load() != 0 {
				break // its time goes on counting from when it was due
			}
			l.add(int64(due))
			due += interval
		}
		if err := l.flush(); err != nil {
			return ended(err)
		}
		if due >= float64(w.to) || now >= w.done {
			break
		}
		rest(tick)
	}
	for l.received.Load() < l.sent.Load() {
		if _, now := w.now(); now > w.done {
			break
		}
		time.Sleep(time.Millisecond)
	}
	return l.conn.SetReadDeadline(time.Now()) // ends collect
}

// collect reads and checks answers until pace ends it.
func (l *lane) collect(w *window) error {
	l.conn.SetReadDeadline(time.Time{})
	for {
		n, err := l.conn.Read(l.in[len(l.in):cap(l.in)])
		if err != nil {
			return ended(err)
		}
		_, now := w.now()
		l.receive(n, now, w)
	}
}
