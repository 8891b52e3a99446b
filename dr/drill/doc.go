// Package drill practises failures on a cluster that is in service, and says what came of them.
//
// A drill is ordered at one node, which looks before it leaps (Checks), has the fault done, watches
// the journal grow (Watch), ends the fault again, and reports. What it measures it measures on this
// node's clock: a record counts when it is applied here, which is some milliseconds after the
// active node has sent the answer. So it is ordered at a node that stays: a standby where the
// active one is to be hurt.
//
// A fault ends by itself at the node that has it, also if the one that ordered it is gone. Only
// Cluster touches anything; the rest is plain values.
package drill

import (
	"fmt"
	"slices"
	"time"
)

// Kind is what is practised.
type Kind string

// The kinds of drills.
const (
	Node    Kind = "node"    // another node takes over, as planned or because the active one is gone
	Link    Kind = "link"    // one link of an issuer is cut
	Restore Kind = "restore" // the newest backup is brought back, aside
	Network Kind = "network" // the active node hears and tells the other nodes nothing
	Disk    Kind = "disk"    // the active node's disk doesn't answer
	Site    Kind = "site"    // the other site is promoted, on a copy of its journal
)

// Kinds are all there are.
func Kinds() []Kind { return []Kind{Node, Link, Restore, Network, Disk, Site} }

// Order is what somebody wants practised, and within which bounds.
type Order struct {
	Kind Kind `json:"kind"`
	// Hard has the active node end at once, as if it had died, instead of handing over.
	Hard bool `json:"hard,omitempty"`
	// Unsupervised says that a person will start the node that ended.
	Unsupervised bool   `json:"unsupervised,omitempty"`
	Center       string `json:"center,omitempty"` // of Link
	Link         string `json:"link,omitempty"`
	// Lasts is how long the fault stays, Before and After how long is looked before and after it.
	Lasts  time.Duration `json:"lasts_ns,omitempty"`
	Before time.Duration `json:"before_ns,omitempty"`
	After  time.Duration `json:"after_ns,omitempty"`
	DryRun bool          `json:"dry_run,omitempty"` // look only
	Quiet  bool          `json:"quiet,omitempty"`   // also without any traffic to measure by
	Bounds Bounds        `json:"bounds"`
	Why    string        `json:"why"`
	Who    string        `json:"who,omitempty"` // set by who takes the order
}

// Bounds say when a drill isn't begun, or ended early.
type Bounds struct {
	Lag      time.Duration `json:"lag_ns"`    // of a member that counts as in sync
	Refused  int           `json:"refused"`   // more than usual, that the switch refused or reversed
	WorkList int           `json:"work_list"` // advices that wait for a person
	Owed     int           `json:"owed"`      // to be delivered
	Silence  time.Duration `json:"silence_ns"`
	CutOver  time.Duration `json:"cut_over_ns"` // around the end of a business day
}

// Complete fills in what was left out, and says what can't be.
func (o *Order) Complete() error {
	if !slices.Contains(Kinds(), o.Kind) {
		return fmt.Errorf("no drill is called %q; there are %v", o.Kind, Kinds())
	}
	lasts := map[Kind]time.Duration{Link: 10 * time.Second, Network: 3 * time.Second,
		Disk: 2 * time.Second}[o.Kind]
	setDefault(&o.Lasts, lasts)
	setDefault(&o.Before, 3*time.Second)
	setDefault(&o.After, 8*time.Second)
	b := &o.Bounds
	setDefault(&b.Lag, time.Second)
	setDefault(&b.Refused, 200)
	setDefault(&b.WorkList, 20)
	setDefault(&b.Owed, 1000)
	setDefault(&b.Silence, 5*time.Second)
	setDefault(&b.CutOver, 2*time.Minute)
	most := time.Minute
	if o.Kind == Disk {
		most = mostHang
	}
	switch {
	case o.Why == "":
		return fmt.Errorf("say why; it is kept with the drill")
	case o.Lasts < 0 || o.Lasts > most:
		return fmt.Errorf("a drill of this kind lasts %s at most", most)
	case min(o.Before, o.After) < 0 || max(o.Before, o.After) > 10*time.Minute:
		return fmt.Errorf("look 10 minutes before and after at most")
	case o.Kind == Link && (o.Center == "" || o.Link == ""):
		return fmt.Errorf("name the link to be cut as CENTER/LINK")
	}
	return nil
}

// mostHang is how long a disk may seem not to answer: the store gives up after 5 seconds, and then
// the node ends.
const mostHang = 4 * time.Second

func setDefault[T comparable](value *T, otherwise T) {
	var zero T
	if *value == zero {
		*value = otherwise
	}
}

// State is the cluster as its active node knows it.
type State struct {
	Node       uint64        `json:"node"` // who says so: the active one
	Term       uint64        `json:"term"`
	Alone      bool          `json:"alone"`
	Members    []Member      `json:"members"`
	Supervised bool          `json:"supervised"` // something starts the node again if it ends
	Open       int           `json:"open"`       // requests in flight
	Owed       int           `json:"owed"`
	Shelved    int           `json:"shelved"`
	ToCutOver  time.Duration `json:"to_cut_over_ns"` // to or from the nearest; 0: there is none
	Backing    bool          `json:"backing"`        // a backup is being made
	Practises  string        `json:"practises"`      // the drill that is under way on it
	Lines      []Line        `json:"lines"`          // of issuers
	FreeBytes  uint64        `json:"free_bytes"`
	KeptFree   uint64        `json:"kept_free"`
}

// Member is one node.
type Member struct {
	Node      uint64        `json:"node"`
	Role      string        `json:"role"` // data, witness, learner
	Self      bool          `json:"self"`
	Connected bool          `json:"connected"`
	InSync    bool          `json:"in_sync"`
	Entries   uint64        `json:"behind_entries"`
	Bytes     uint64        `json:"behind_bytes"`
	Behind    time.Duration `json:"behind_ns"`
}

// Line is one link of an issuer.
type Line struct {
	Center string `json:"center"`
	Link   string `json:"link"`
	Up     bool   `json:"up"`   // signed on
	Held   bool   `json:"held"` // by an operator
	Best   bool   `json:"best"`
}

// The roles of members, as the configuration calls them.
const (
	roleData    = "data"
	roleLearner = "learner"
)

// lost names the members that were there before and aren't now, save one.
func (s *State) lost(now *State, but uint64) (gone []uint64) {
	for _, m := range s.Members {
		if m.Node == but || !m.Connected {
			continue
		}
		is := func(n Member) bool { return n.Node == m.Node && n.Connected }
		if !slices.ContainsFunc(now.Members, is) {
			gone = append(gone, m.Node)
		}
	}
	return gone
}

// whole tells whether all that were there before are, and the data nodes have all.
func (s *State) whole(now *State) bool {
	behind := func(m Member) bool { return m.Role == roleData && !m.InSync }
	return len(s.lost(now, 0)) == 0 && !slices.ContainsFunc(now.Members, behind)
}
