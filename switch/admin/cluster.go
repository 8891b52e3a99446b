package admin

import (
	"context"
	"net/http"
	"time"

	"cardswitch/store/audit"
	cardswitch "cardswitch/switch"
	"cardswitch/switch/link/warm"
)

// Cluster is this node's part in its cluster.
type Cluster interface {
	ClusterStatus() ClusterStatus
	// Transfer has another node become the active one: the one of that number, or the best if it is
	// 0. The switch is drained first. It returns when the other one has taken over.
	Transfer(ctx context.Context, to uint64) (ClusterStatus, error)
	// Join takes a node in that has nothing yet but the certificate that `cluster init` or `cluster
	// certify` made; Leave takes one out, for good.
	Join(ctx context.Context, m Joining) error
	Leave(ctx context.Context, node uint64) error
	Site
}

// ClusterStatus is the cluster as one node knows it. What lags is known to the active node only.
type ClusterStatus struct {
	Name       string          `json:"name"`
	Generation uint64          `json:"generation"`
	Node       uint64          `json:"node"`
	State      string          `json:"state"` // active, takes over, standby, no leader …
	Term       uint64          `json:"term"`
	Leader     uint64          `json:"leader"` // 0: nobody is known to be
	LeaseMS    int64           `json:"lease_ms"`
	Committed  uint64          `json:"committed"` // entries
	Applied    uint64          `json:"applied"`
	LastSeq    uint64          `json:"last_seq"` // record of the journal here
	LogMB      int64           `json:"log_mb"`
	SyncUS     int64           `json:"sync_us"` // the last durable write of the log
	Level      uint8           `json:"level"`   // of the journal: the forms that may stand in it
	InSync     int             `json:"in_sync"` // data nodes that have all and could serve
	Votes      int             `json:"votes"`   // nodes that have one
	VotesThere int             `json:"votes_there"`
	Redundant  bool            `json:"redundant"` // one node less neither loses nor stops anything
	Members    []ClusterMember `json:"members"`
	// LastTakeover is how this node came to be the active one; zero: it didn't.
	LastTakeover *Takeover `json:"last_takeover,omitempty"`
	// Heard is what a node of another site last heard of the active one.
	Heard *Heard `json:"heard,omitempty"`
	// Warm are the connections to issuers that this node keeps ready while it isn't the active one.
	Warm []warm.Status `json:"warm,omitempty"`
}

// ClusterMember is one node.
type ClusterMember struct {
	Node      uint64 `json:"node"`
	Role      string `json:"role"`
	Address   string `json:"address"`
	Self      bool   `json:"self"`
	Leads     bool   `json:"leads"`
	Connected bool   `json:"connected"` // from here
	InSync    bool   `json:"in_sync"`
	Unfit     bool   `json:"unfit,omitempty"` // its disk is full or hangs, or it couldn't begin
	Entries   uint64 `json:"behind_entries"`
	Records   uint64 `json:"behind_records"` // of the journal
	Bytes     uint64 `json:"behind_bytes"`
	MS        int64  `json:"behind_ms"`
	TripUS    int64  `json:"trip_us"` // there and back
	LastError string `json:"last_error,omitempty"`
	Program   string `json:"program"` // that runs it, as last heard
	Reads     uint8  `json:"reads"`   // the newest level of a journal that it can read; 0: not heard
	// Unknown: it hasn't said yet what it has.
	Unknown bool `json:"unknown,omitempty"`
}

// Takeover is what becoming the active node took.
type Takeover struct {
	At       time.Time `json:"at"`
	Term     uint64    `json:"term"`
	US       int64     `json:"us"` // from the vote to open doors
	Replayed int       `json:"replayed"`
	Reversed int       `json:"reversed"` // requests that were open
}

// Joining is a node to be taken in.
type Joining struct {
	Node    uint64 `json:"node"`
	Role    string `json:"role"`
	Address string `json:"address"`
}

func (s *Server) clusterRoutes() []route {
	see := []string{cardswitch.Viewer, cardswitch.Operator, cardswitch.Administrator,
		cardswitch.Auditor}
	steer := []string{cardswitch.Operator, cardswitch.Administrator}
	change := []string{cardswitch.Administrator}
	return append(s.siteRoutes(), []route{
		{"GET /v1/cluster", s.cluster, see, false, 0},
		{"POST /v1/cluster/transfer", s.transfer, steer, false, audit.ConfigChanged},
		{"POST /v1/cluster/join", s.join, change, false, audit.ConfigChanged},
		{"POST /v1/cluster/leave", s.leave, change, false, audit.ConfigChanged},
	}...)
}

func (s *Server) cluster(w http.ResponseWriter, _ *http.Request) {
	answer(w, s.Cluster.ClusterStatus())
}

// transferOrder names the node that is to take over.
type transferOrder struct {
	Node uint64 `json:"node"`
}

func (s *Server) transfer(w http.ResponseWriter, r *http.Request) {
	var o transferOrder
	if err := body(w, r, &o); err != nil {
		refuse(w, err)
		return
	}
	// It goes on when the one who asked has gone: half a transfer helps nobody.
	st, err := s.Cluster.Transfer(context.WithoutCancel(r.Context()), o.Node)
	if err != nil {
		refuse(w, err)
		return
	}
	answer(w, st)
}

func (s *Server) join(w http.ResponseWriter, r *http.Request) {
	var j Joining
	err := body(w, r, &j)
	if err == nil {
		err = s.Cluster.Join(r.Context(), j)
	}
	if err != nil {
		refuse(w, err)
		return
	}
	answer(w, Done{"the node is a member; it gets the journal now, see `cardswitch cluster status`"})
}

func (s *Server) leave(w http.ResponseWriter, r *http.Request) {
	var o transferOrder
	err := body(w, r, &o)
	if err == nil {
		err = s.Cluster.Leave(r.Context(), o.Node)
	}
	if err != nil {
		refuse(w, err)
		return
	}
	answer(w, Done{"the node is no member any more, and its number is used up"})
}
