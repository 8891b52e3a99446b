package link

import (
	"maps"
	"slices"
	"time"
)

// Status is what the operators see of all links.
type Status struct {
	Centers []CenterStatus `json:"centers"`
	Ports   []PortStatus   `json:"ports"`
}

// CenterStatus is one center's.
type CenterStatus struct {
	Name     string       `json:"name"`
	Role     string       `json:"role"`
	InFlight int          `json:"in_flight"`
	Window   int          `json:"window"`
	Best     string       `json:"best,omitempty"` // the line that new requests take
	Lines    []LineStatus `json:"links"`
}

// LineStatus is one configured link's.
type LineStatus struct {
	Name        string       `json:"name"`
	Order       int          `json:"order"`
	Address     string       `json:"address"`
	Listens     bool         `json:"listens"`
	State       string       `json:"state"` // the best of its connections
	Held        bool         `json:"held"`  // drained by an operator
	Sick        bool         `json:"sick"`  // not preferred for now
	Limit       int          `json:"limit"` // requests in flight; 0 is the window
	Certificate time.Time    `json:"certificate_until,omitzero"`
	Protection  string       `json:"protection"` // envelope, TLS, both, or none
	Counters    Counters     `json:"counters"`
	LastError   string       `json:"last_error,omitempty"`
	LastDown    time.Time    `json:"last_down,omitzero"`
	Links       []LinkStatus `json:"connections"`
}

// LinkStatus is one connection's.
type LinkStatus struct {
	Number       uint64    `json:"number"`
	Remote       string    `json:"remote"`
	State        string    `json:"state"`
	Since        time.Time `json:"since"`
	LastReceived time.Time `json:"last_received"`
	LastSent     time.Time `json:"last_sent"`
	InFlight     int       `json:"in_flight"`
	Misses       int       `json:"misses"` // echoes without answer
	Queued       int       `json:"queued_bytes"`
	TLS          bool      `json:"tls"`
	Envelope     string    `json:"envelope,omitempty"` // suite and keys; empty without one
	OurTerm      uint64    `json:"our_term,omitempty"` // that the center heard in it
	Term         uint64    `json:"term,omitempty"`     // of the center
	Counters     Counters  `json:"counters"`
}

// PortStatus is one listening address's.
type PortStatus struct {
	Address string            `json:"address"`
	Refused map[string]uint64 `json:"refused"` // connections by cause
}

// Counters only rise. A line's are over all its connections since it was configured.
type Counters struct {
	FramesIn     uint64            `json:"frames_in"`
	FramesOut    uint64            `json:"frames_out"`
	BytesIn      uint64            `json:"bytes_in"`
	BytesOut     uint64            `json:"bytes_out"`
	Faulty       uint64            `json:"faulty"` // messages that could not be indexed
	Unsent       uint64            `json:"unsent"` // frames given back
	QueueFull    uint64            `json:"queue_full"`
	Connects     uint64            `json:"connects,omitempty"`
	DialFailures uint64            `json:"dial_failures,omitempty"`
	Ended        map[string]uint64 `json:"ended,omitempty"` // connections by cause
}

// Status is for the operators.
func (n *Network) Status() Status {
	n.mu.Lock()
	centers, ports := n.centers, make([]PortStatus, 0, len(n.ports))
	for _, address := range slices.Sorted(maps.Keys(n.ports)) {
		p := n.ports[address]
		ports = append(ports, PortStatus{address, p.refused.status()})
	}
	n.mu.Unlock()
	out := Status{Ports: ports}
	for _, c := range centers {
		out.Centers = append(out.Centers, c.status())
	}
	return out
}

func (c *Center) status() CenterStatus {
	out := CenterStatus{
		Name:     c.name,
		Role:     c.role.String(),
		InFlight: c.InFlight(),
		Window:   c.Window(),
	}
	if best := c.Best(); best != nil {
		out.Best = best.Name()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, line := range c.Lines() {
		out.Lines = append(out.Lines, line.status())
	}
	return out
}

// status is called under the center's mutex.
func (n *Line) status() LineStatus {
	out := LineStatus{
		Name:    n.config.Name,
		Order:   n.config.Order,
		Address: n.config.Dial + n.config.Listen, // one of them is empty
		Listens: n.config.Listen != "",
		Held:    n.held.Load(),
		Sick:    n.center.network.now() < n.health.heldUntil,
	}
	if limit := n.limit.Load(); limit != unlimited {
		out.Limit = int(limit)
	}
	if n.secrets != nil {
		out.Certificate = n.secrets.notAfter
	}
	out.Protection = n.protection()
	var sum counters
	sum.add(&n.totals)
	best := Down
	for _, l := range n.Links() {
		sum.add(&l.counters)
		best = max(best, l.State()%Draining) // a draining one counts as down
		out.Links = append(out.Links, l.status())
	}
	out.State = best.String()
	out.Counters = sum.status()
	out.Counters.Connects = n.connects.Load()
	out.Counters.DialFailures = n.dialFailures.Load()
	out.Counters.Ended = n.ends.status()
	n.mu.Lock()
	out.LastError, out.LastDown = n.lastError, n.lastDown
	n.mu.Unlock()
	return out
}

func (l *Link) status() LinkStatus {
	l.outbox.mu.Lock()
	queued := len(l.outbox.waiting.buf) + l.outbox.leaving
	l.outbox.mu.Unlock()
	out := LinkStatus{
		Number:       l.number,
		Remote:       l.Remote(),
		State:        l.State().String(),
		Since:        l.since,
		LastReceived: l.LastReceived(),
		LastSent:     l.LastSent(),
		InFlight:     l.InFlight(),
		Misses:       int(l.misses.Load()),
		Queued:       queued,
		TLS:          l.line.secrets != nil,
		Envelope:     l.envelopeText(),
		Counters:     l.counters.status(),
	}
	if l.sealed != nil {
		out.OurTerm, out.Term = l.ourTerm(), l.sealed.session.Term()
	}
	return out
}
