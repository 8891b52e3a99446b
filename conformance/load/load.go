// Package load drives a switch as merchant centers do under full traffic and measures its answers.
//
// Closed loop: each connection keeps a number of requests outstanding, one goroutine a connection
// that reads all that came, checks it and writes as many new requests in one call. Open loop:
// requests leave at a fixed rate whatever the answers do, and latency counts from the moment a
// request was meant to leave, so that a switch that stalls can't hide it by slowing the generator
// (coordinated omission). Each answer is checked against its request; nothing allocates while
// traffic runs.
package load

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"cardswitch/conformance/load/sealed"
)

// Config is one run of the generator.
type Config struct {
	Address     string        // of the switch's listener for merchant centers
	Connections int           // persistent connections, each signed on by itself
	Outstanding int           // requests in flight on each connection; the closed loop
	Rate        int           // requests a second over all connections; the open loop if not 0
	WarmUp      time.Duration // traffic before the measured window
	Duration    time.Duration // the measured window
	Drain       time.Duration // how long unanswered requests are waited for at the end
	Destination string        // institution of the switch, DE 93 of the sign-on
	Link        string        // name of the link; connections are in envelopes if Secret is there
	Secret      sealed.Secret // what its key is made of
	Measuring   func()        // called when the window opens; may be nil
	Measured    func()        // called when it closes; may be nil
}

// Validate says what is wrong with a configuration.
func (c Config) Validate() error {
	switch {
	case c.Address == "":
		return errors.New("load: no address")
	case c.Connections < 1 || c.Connections > maxConnections:
		return fmt.Errorf("load: %d connections, not 1 to %d", c.Connections, maxConnections)
	case c.Rate == 0 && (c.Outstanding < 1 || c.Outstanding > maxOutstanding):
		return fmt.Errorf("load: %d outstanding, not 1 to %d", c.Outstanding, maxOutstanding)
	case c.Rate < 0 || c.Duration <= 0:
		return errors.New("load: rate and duration must be positive")
	}
	return nil
}

const (
	maxConnections = 512
	maxOutstanding = 8192
	bufferSize     = 256 << 10 // several hundred messages, the most one read or write may carry
	openRing       = 1 << 16   // requests of one connection that an open loop may have unanswered
)

// window is the time line of a run, in nanoseconds since its base.
type window struct {
	base           time.Time
	from, to, done int64
}

func (w *window) now() (time.Time, int64) {
	t := time.Now()
	return t, int64(t.Sub(w.base))
}

// Run signs on, sends, measures, drains and reports.
func Run(ctx context.Context, config Config) (Report, error) {
	if err := config.Validate(); err != nil {
		return Report{}, err
	}
	end := sealed.NewEnd(config.Secret)
	lanes := make([]*lane, config.Connections)
	for i := range lanes {
		l, err := dial(ctx, config, end, i)
		if err != nil {
			return Report{}, err
		}
		defer l.conn.Close()
		lanes[i] = l
	}
	w := &window{base: time.Now()}
	w.from = int64(config.WarmUp)
	w.to = w.from + int64(config.Duration)
	w.done = w.to + int64(config.Drain)
	stop := context.AfterFunc(ctx, func() {
		for _, l := range lanes {
			l.conn.Close()
		}
	})
	defer stop()
	running, stopClock := context.WithCancel(ctx)
	defer stopClock()
	closed := announce(running, w, config)
	if err := drive(lanes, w, config); err != nil {
		return summarize(lanes, config), err
	}
	// The last answer may come a moment before the window closes.
	<-closed
	return summarize(lanes, config), ctx.Err()
}

// announce tells when the window opens and closes; the channel closes behind it.
func announce(ctx context.Context, w *window, config Config) <-chan struct{} {
	done := make(chan struct{})
	tell := func(at int64, call func()) {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Until(w.base.Add(time.Duration(at)))):
		}
		if call != nil {
			call()
		}
	}
	go func() {
		defer close(done)
		tell(w.from, config.Measuring)
		tell(w.to, config.Measured)
	}()
	return done
}

func drive(lanes []*lane, w *window, config Config) error {
	var all errgroup.Group
	for i, l := range lanes {
		if config.Rate == 0 {
			all.Go(func() error { return l.closedLoop(w, config.Outstanding) })
			continue
		}
		interval := float64(time.Second) * float64(len(lanes)) / float64(config.Rate)
		first := interval * float64(i) / float64(len(lanes)) // lanes take turns
		all.Go(func() error { return l.pace(w, first, interval) })
		all.Go(func() error { return l.collect(w) })
	}
	return all.Wait()
}
