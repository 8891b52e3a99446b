package cardswitch

import (
	"time"

	"cardswitch/switch/link/warm"
)

// The values below are what operators see of a running switch. They are plain
// and change only by addition: scripts read them as JSON.

// Status is the switch as a whole.
type Status struct {
	Node     string        `json:"node"`
	State    string        `json:"state"`            // serving, draining, failed
	Reason   string        `json:"reason,omitempty"` // why it isn't serving
	Started  time.Time     `json:"started"`
	Open     int           `json:"open"`              // transactions waiting for their issuer
	Held     int           `json:"held"`              // of these, behind what is owed for their card
	Owed     int           `json:"owed"`              // advices waiting for delivery
	Shelved  int           `json:"shelved"`           // advices waiting for a person
	StandIn  []string      `json:"standin,omitempty"` // issuers that stand-in decides for
	Drills   []string      `json:"drills_overdue,omitempty"`
	Counts   Counts        `json:"counts"`
	Latency  Latency       `json:"latency"`
	Journal  JournalStatus `json:"journal"`
	Reloaded time.Time     `json:"reloaded,omitzero"` // last successful reload
	Warm     []warm.Status `json:"warm,omitempty"`    // connections that a standby keeps ready
}

// Counts only rise, since the start.
type Counts struct {
	Requests  uint64 `json:"requests"` // from merchants, repeats not counted
	Repeats   uint64 `json:"repeats"`
	Approved  uint64 `json:"approved"`
	Declined  uint64 `json:"declined"` // by issuers
	Refused   uint64 `json:"refused"`  // by the switch
	TimedOut  uint64 `json:"timed_out"`
	Late      uint64 `json:"late"`      // answers after the time
	Reversals uint64 `json:"reversals"` // owed by the switch of its own accord
	Delivered uint64 `json:"delivered"` // advices accepted by issuers
}

// Latency is from a request's arrival to the release of its answer, in
// microseconds, of answers in the last seconds.
type Latency struct {
	P50  int64 `json:"p50_us"`
	P99  int64 `json:"p99_us"`
	P999 int64 `json:"p999_us"`
	Max  int64 `json:"max_us"`
}

// JournalStatus is the journal's health.
type JournalStatus struct {
	LastSeq  uint64 `json:"last_seq"`
	CommitUS int64  `json:"commit_us"` // how long the last commit took
	FreeMB   int64  `json:"free_mb"`
	Stalled  bool   `json:"stalled"`
}

// LinkAct is what an operator may do with a link.
type LinkAct string

// The acts.
const (
	LinkDrain   LinkAct = "drain"    // finish what is in flight, take nothing new
	LinkResume  LinkAct = "resume"   // end a drain
	LinkSignOn  LinkAct = "sign-on"  // 1804/801
	LinkSignOff LinkAct = "sign-off" // 1804/802
	LinkEcho    LinkAct = "echo"     // 1804/831
	LinkForget  LinkAct = "forget"   // take any term of the center as its first again
	LinkCut     LinkAct = "cut"      // of a drill: end it at once, and take nothing until resume
)

// Told is what came back on one connection for what an operator asked of its center.
type Told struct {
	Link       string `json:"link"`
	Connection uint64 `json:"connection"` // 0: the link has none
	Remote     string `json:"remote,omitempty"`
	Answered   bool   `json:"answered"`
	Accepted   bool   `json:"accepted"`
	US         int64  `json:"us"` // from our question to the answer, in microseconds
}

// QueueStatus is what one center must still get.
type QueueStatus struct {
	Center   string       `json:"center"`
	Depth    int          `json:"depth"`
	Held     int          `json:"held"` // requests that wait behind it
	InFlight int          `json:"in_flight"`
	Shelved  int          `json:"shelved"`
	Alarm    bool         `json:"alarm"` // one was sent alarm_after times
	Owed     []OwedAdvice `json:"owed"`  // the oldest, at most OwedShown
}

// OwedShown bounds the advices that QueueStatus carries.
const OwedShown = 100

// OwedAdvice is one advice on its way to a center, or on its work list.
type OwedAdvice struct {
	ID       uint64    `json:"id"`
	Txn      uint64    `json:"txn"`
	Center   string    `json:"center"`
	MTI      string    `json:"mti"`
	STAN     uint32    `json:"stan"`
	Reason   uint16    `json:"reason"`
	Why      string    `json:"reason_text,omitempty"`
	Since    time.Time `json:"since"`
	Attempts int       `json:"attempts"`
	Next     time.Time `json:"next,omitzero"`
}

// Resolution is what an operator decided about an advice on the work list.
type Resolution struct {
	Act string `json:"act"` // retry, drop
	Who string `json:"who"`
	Why string `json:"why"`
}
