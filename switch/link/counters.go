package link

import "sync/atomic"

// counters of one connection, or the sum of those a line has had.
type counters struct {
	framesIn, framesOut atomic.Uint64
	bytesIn, bytesOut   atomic.Uint64
	faulty              atomic.Uint64
	unsent              atomic.Uint64
	queueFull           atomic.Uint64
}

func (c *counters) add(o *counters) {
	c.framesIn.Add(o.framesIn.Load())
	c.framesOut.Add(o.framesOut.Load())
	c.bytesIn.Add(o.bytesIn.Load())
	c.bytesOut.Add(o.bytesOut.Load())
	c.faulty.Add(o.faulty.Load())
	c.unsent.Add(o.unsent.Load())
	c.queueFull.Add(o.queueFull.Load())
}

func (c *counters) status() Counters {
	return Counters{
		FramesIn:  c.framesIn.Load(),
		FramesOut: c.framesOut.Load(),
		BytesIn:   c.bytesIn.Load(),
		BytesOut:  c.bytesOut.Load(),
		Faulty:    c.faulty.Load(),
		Unsent:    c.unsent.Load(),
		QueueFull: c.queueFull.Load(),
	}
}

// tally counts connections by cause.
type tally [causes]atomic.Uint64

func (t *tally) status() map[string]uint64 {
	out := map[string]uint64{}
	for c := range t {
		if n := t[c].Load(); n > 0 {
			out[Cause(c).String()] = n
		}
	}
	return out
}
