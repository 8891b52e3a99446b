// Package warm keeps connections with issuers ready on a node that isn't the active one.
//
// They are dialled and have agreed on TLS. Where the center allows it they are signed on too, and
// stay it by echo tests (link.Greeting): network management, by which no money moves, and which
// comes into the journal at the takeover. Nothing else leaves on them.
package warm

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"cardswitch/switch/link"
)

// patience is for how long a connection may be missing, or end again and again, before it is said,
// once. One that stood for so long is forgiven.
const patience = 30 * time.Second

// Holder keeps one connection a line, while the node follows.
type Holder struct {
	log  *slog.Logger
	done sync.WaitGroup

	mu      sync.Mutex
	holding bool
	lines   []*line
	counts  Counts
}

// line is one connection that is to be there. It is under the holder's mutex.
type line struct {
	dialer *link.Dialer
	stop   context.CancelFunc // of who keeps it; nil: nobody does
	idle   *link.Idle         // nil: there is none now
	since  time.Time          // since when it is as it is
	well   time.Time          // when all was well, last
	told   bool               // that it isn't
	counts Counts
	last   error
}

// Status is how one connection stands.
type Status struct {
	Link    string `json:"link"` // center/link
	Address string `json:"address"`
	Ready   bool   `json:"ready"`
	// SignedOn tells that the center has taken it for signed on.
	SignedOn bool      `json:"signed_on,omitempty"`
	Since    time.Time `json:"since"` // ready, or missing
	Counts
	LastError string `json:"last_error,omitempty"` // why it is missing
}

// Counts only rise: of dials that failed, and of connections that ended by themselves.
type Counts struct {
	Failures uint64 `json:"dial_failures"`
	Lost     uint64 `json:"lost"`
}

// New is a holder that holds nothing yet.
func New(log *slog.Logger) *Holder { return &Holder{log: log} }

// Set says for which lines. What is held of one that stays the same stays, too.
func (h *Holder) Set(dialers []*link.Dialer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	old := h.lines
	h.lines = nil
	for _, d := range dialers {
		l := &line{dialer: d}
		for i, o := range old {
			if o != nil && o.dialer.Same(d) {
				l, old[i] = o, nil
			}
		}
		h.lines = append(h.lines, l)
	}
	for _, o := range old {
		if o == nil {
			continue
		}
		if idle := o.leave(); idle != nil {
			idle.Close()
		}
	}
	if h.holding {
		h.begin()
	}
}

// Hold begins, or goes on.
func (h *Holder) Hold() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.holding = true
	h.begin()
}

// begin has each line kept that isn't yet. Under the mutex.
func (h *Holder) begin() {
	for _, l := range h.lines {
		if l.stop != nil {
			continue
		}
		var ctx context.Context
		ctx, l.stop = context.WithCancel(context.Background())
		l.since, l.well = time.Now(), time.Now()
		h.done.Go(func() { h.keep(ctx, l) })
	}
}

// leave has a line be kept no longer, and gives its connection. Under the mutex.
func (l *line) leave() *link.Idle {
	idle := l.idle
	if l.stop != nil {
		l.stop()
	}
	l.stop, l.idle, l.told = nil, nil, false
	return idle
}

// Take gives the connections that stand, and holds nothing more until Hold. It waits for nobody
// who is dialing.
func (h *Holder) Take() (ready []*link.Idle) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.holding = false
	for _, l := range h.lines {
		if idle := l.leave(); idle != nil && idle.Release() {
			ready = append(ready, idle)
		}
	}
	return ready
}

// Close ends all of it.
func (h *Holder) Close() {
	for _, idle := range h.Take() {
		idle.Close()
	}
	h.done.Wait()
}

// keep has one connection after the other, until ctx ends.
func (h *Holder) keep(ctx context.Context, l *line) {
	for {
		stood := time.Duration(0)
		idle, err := l.dialer.Dial(ctx)
		if err == nil {
			if !h.has(ctx, l, idle) {
				idle.Close()
				return
			}
			<-idle.Ended()
			err, stood = idle.Err(), time.Since(idle.Since())
		}
		wait, wanted := h.lacks(ctx, l, err, stood)
		if !wanted {
			return
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
	}
}

// has notes a connection; false: it isn't wanted any more.
func (h *Holder) has(ctx context.Context, l *line, idle *link.Idle) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if ctx.Err() != nil {
		return false
	}
	l.idle, l.since = idle, time.Now()
	return true
}

// lacks notes that there is none, and why, and tells when to dial; false: nobody wants one any
// more.
func (h *Holder) lacks(ctx context.Context, l *line, why error,
	stood time.Duration) (wait time.Duration, wanted bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if ctx.Err() != nil {
		return 0, false
	}
	if l.last = why; l.idle == nil {
		l.counts.Failures++
		h.counts.Failures++
	} else {
		l.counts.Lost++
		h.counts.Lost++
		l.idle, l.since = nil, time.Now()
	}
	if stood >= patience {
		l.well, l.told = time.Now(), false
	}
	if !l.told && time.Since(l.well) >= patience {
		l.told = true
		h.log.Warn("a link can't be kept ready", "link", l.dialer.Name(),
			"address", l.dialer.Address(), "error", why.Error(),
			"hint", "a takeover would have to dial first; see that the center lets this node in "+
				"and allows a connection of a node that isn't active")
	}
	return l.dialer.Wait(stood), true
}

// Status is for the operators: all lines, in the order of the configuration; none while nothing is
// held.
func (h *Holder) Status() (out []Status) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.holding {
		return nil
	}
	for _, l := range h.lines {
		s := Status{Link: l.dialer.Name(), Address: l.dialer.Address(), Ready: l.idle != nil,
			Since: l.since, Counts: l.counts}
		s.SignedOn = s.Ready && l.idle.SignedOn()
		if l.last != nil && !s.Ready {
			s.LastError = l.last.Error()
		}
		out = append(out, s)
	}
	return out
}

// Counts are those of all lines that there ever were.
func (h *Holder) Counts() Counts {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.counts
}
