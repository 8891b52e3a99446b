package link

import "time"

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
	Name      string       `json:"name"`
	Order     int          `json:"order"`
	Address   string       `json:"address"`
	Listens   bool         `json:"listens"`
	State     string       `json:"state"` // the best of its links'
	Held      bool         `json:"held"`  // drained by an operator
	Sick      bool         `json:"sick"`  // not preferred
	Limit     int          `json:"limit"` // of its window, while it starts slowly
	Counters  Counters     `json:"counters"`
	LastError string       `json:"last_error,omitempty"`
	LastDown  time.Time    `json:"last_down,omitzero"`
	Links     []LinkStatus `json:"connections"`
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
	Misses       int       `json:"misses"`
	Queued       int       `json:"queued_bytes"`
	TLS          bool      `json:"tls"`
	Counters     Counters  `json:"counters"`
}

// PortStatus is one listening address's.
type PortStatus struct {
	Address string            `json:"address"`
	Refused map[string]uint64 `json:"refused"` // connections by cause
}

// Counters only rise, over all connections of a line since the start.
type Counters struct {
	FramesIn, FramesOut uint64
	BytesIn, BytesOut   uint64
	Faulty              uint64 // messages that could not be indexed
	Connects            uint64
	DialFailures        uint64
	Unsent              uint64 // frames given back
	QueueFull           uint64
	Ended               map[string]uint64 // connections by cause
}
