package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"cardswitch/dr/replica"
	"cardswitch/dr/replica/wire"
	"cardswitch/store"
	"cardswitch/store/audit"
	"cardswitch/switch/admin"
)

// A node at another site follows without a vote, so nobody waits for it, and it lacks the last
// moments of what the others had. It asks the active node all the time how far that is; when that
// site is lost, two people have it go on alone with what it has. Those that come back are refused
// by the generation that every connection between nodes begins with.

// site is what a node keeps of the site that serves.
type site struct {
	word      atomic.Pointer[word] // nil: none yet
	consent   admin.Consent
	takesPart chan struct{} // closed when the node does
	// before are the members of the cluster that a journal was brought back from.
	before []replica.Member
}

func newSite() site { return site{takesPart: make(chan struct{})} }

// word is what the active node tells of its journal, and of what the asking node lacks of it.
type word struct {
	Record  uint64 `json:"record"`
	Entry   uint64 `json:"entry"`
	Records uint64 `json:"behind_records"`
	Bytes   uint64 `json:"behind_bytes"`
	MS      int64  `json:"behind_ms"`

	came time.Time
}

const (
	wordRequest = wire.Files + "/word"
	wordEvery   = time.Second
	// silentFor is after how long without a word a node counts as one that can't be reached.
	silentFor = 2 * time.Second
	// promoteTime bounds a promotion: the disk has to take a little.
	promoteTime = 30 * time.Second
)

var (
	errPromoted = errors.New("this site was promoted")
	errAdopted  = errors.New("the cluster that this new node joins has been promoted")
)

// superseded is told that there is a higher generation. A node that has nothing yet takes it; any
// other one was left behind, and may never serve again.
func (n *node) superseded(generation uint64) {
	<-n.site.takesPart
	if n.store.Applied() == 0 {
		n.replica.End(&adoptError{generation})
		return
	}
	n.replica.End(failed(fmt.Errorf("another site was promoted, with generation %d: this node "+
		"stopped for good", generation), "keep its data folder for `cardswitch cluster window`; then "+
		"let the machine join anew, with a new number and an empty data folder"))
}

// adoptError ends a node's part that has nothing yet, and is to begin in a higher generation.
type adoptError struct{ generation uint64 }

func (e *adoptError) Error() string { return errAdopted.Error() }

// promoteError ends a node's part that is to go on alone.
type promoteError struct {
	order admin.Promoting
	to    store.Promotion
	done  chan error
}

func (e *promoteError) Error() string { return errPromoted.Error() }

// turned does what a node's part was ended for, when it has ended.
func (n *node) turned(ctx context.Context, why error) error {
	var adopt *adoptError
	var promote *promoteError
	switch {
	case errors.As(why, &adopt):
		n.replica.Close()
		return errors.Join(errAdopted, n.store.Adopt(adopt.generation))
	case errors.As(why, &promote):
		err := n.goAlone(ctx, promote)
		promote.done <- err
		if err == nil {
			return errPromoted
		}
		return err
	}
	return why
}

// listens asks the active node for its word, as long as this node has no vote.
func (n *node) listens(ctx context.Context) {
	ticker := time.NewTicker(wordEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		s := n.replica.Status()
		if s.Leader == 0 || n.store.Log().Member(s.Node).Kind != replica.Learner {
			continue
		}
		if w, err := n.askWord(ctx, s.Leader); err == nil { // else it is known from before
			n.site.word.Store(w)
		}
	}
}

func (n *node) askWord(ctx context.Context, leader uint64) (*word, error) {
	ctx, cancel := context.WithTimeout(ctx, silentFor)
	defer cancel()
	from, err := n.wire.Wire().Stream(ctx, leader, wordRequest)
	if err != nil {
		return nil, err
	}
	w := &word{came: time.Now()}
	err = json.NewDecoder(io.LimitReader(from, 1<<10)).Decode(w)
	return w, errors.Join(err, from.Close())
}

// giveWord tells a member how far the journal goes here.
func (n *node) giveWord(member uint64, to io.Writer) error {
	s := n.ClusterStatus()
	if s.State != "active" {
		return errors.New("this node isn't the active one")
	}
	w := word{Record: s.LastSeq, Entry: s.Committed}
	for i := range s.Members {
		if m := &s.Members[i]; m.Node == member {
			w.Records, w.Bytes, w.MS = m.Records, m.Bytes, m.MS
		}
	}
	return json.NewEncoder(to).Encode(w)
}

// longLag is a lag that is told by the time of the first record that is missing: what the replica
// itself remembers of times goes back for about as long.
const longLag = 10 * time.Second

// addRecords tells what a member lacks in records, and since when if that is long.
func (n *node) addRecords(to *admin.ClusterMember, m *replica.MemberStatus, last uint64) {
	if m.BehindEntries == 0 || m.Kind == replica.Witness || n.active.Load() == nil {
		return
	}
	first, err := n.store.Log().RecordAfter(m.Match)
	if err != nil || first == 0 || first > last {
		return
	}
	to.Records = last + 1 - first
	if m.Behind < longLag {
		return
	}
	if r, err := n.store.Record(first); err == nil {
		to.MS = max(to.MS, time.Since(time.Unix(0, r.At)).Milliseconds())
	}
}

// heard is what this node knows of the active one.
func (n *node) heard(s *replica.Status) *admin.Heard {
	h := &admin.Heard{MS: -1, KnownMS: -1}
	if s.Heard >= 0 {
		h.MS, h.At = s.Heard.Milliseconds(), time.Now().Add(-s.Heard)
	}
	if w := n.site.word.Load(); w != nil {
		h.KnownMS = time.Since(w.came).Milliseconds()
		h.Record, h.Entry, h.Records, h.Bytes, h.Behind = w.Record, w.Entry, w.Records, w.Bytes, w.MS
	}
	return h
}

// Promotion is admin's.
func (n *node) Promotion() admin.Promotion {
	s := n.replica.Status()
	p := admin.Promotion{Node: s.Node, Generation: s.Generation, State: n.stateOf(&s),
		Last: n.store.LastSeq(), Heard: n.heard(&s), Reachable: []string{}}
	if r, err := n.store.Record(p.Last); err == nil {
		p.LastAt = time.Unix(0, r.At)
	}
	if done, ok, err := n.store.Promoted(); ok && err == nil {
		p.Done = &admin.Promoted{Generation: done.Generation, At: done.At, Last: done.Last,
			Known: done.Known, Heard: done.Heard}
	}
	if former, err := n.store.Former(); err == nil && n.claims {
		p.Former = formerText(&former)
	}
	switch {
	case n.wire == nil:
		p.Why = "this node is alone"
	case s.Role == "leader":
		p.Why = "this node leads: there is nothing to promote it to"
	case isWitness(n.config.Load()):
		p.Why = "a witness has no journal and can't serve"
	}
	if p.Why == "" {
		p.Reachable = n.reachable(&s)
	}
	return p
}

// reachable lists those that have a vote, have a connection with this node or were heard lately.
func (n *node) reachable(s *replica.Status) []string {
	list := []string{}
	votes := make(map[uint64]string)
	for _, m := range n.voters(s) {
		if m.Kind != replica.Learner && m.ID != s.Node {
			votes[m.ID] = roleOf(m.Kind)
		}
	}
	for _, p := range n.wire.Wire().Status() {
		role, ok := votes[p.Node]
		ago := time.Since(p.Heard)
		switch {
		case !ok:
		case p.Connected:
			list = append(list, fmt.Sprintf("node %d (%s) is connected", p.Node, role))
		case ago < silentFor:
			list = append(list, fmt.Sprintf("node %d (%s) was heard %s ago", p.Node, role,
				ago.Round(time.Millisecond)))
		}
	}
	return list
}

// Promote is admin's.
func (n *node) Promote(_ context.Context, p admin.Promoting) error {
	s := n.replica.Status()
	if n.wire == nil || s.Role == "leader" || s.Role == "stopped" {
		return errors.New("this node leads, or has ended its part: there is nothing to promote it to")
	}
	to, err := n.nextPromotion()
	if err != nil {
		return err
	}
	order := &promoteError{p, to, make(chan error, 1)}
	n.replica.End(order)
	select {
	case err := <-order.done:
		return err
	case <-time.After(promoteTime):
		return errors.New("the node doesn't end its part; see its log")
	}
}

// nextPromotion is that of this node, if it were promoted now. Its generation is above all that it
// knows of, and at least the seconds since 1970: others may have been promoted since its backup was
// made, or since it was cut off, and who of them comes back must never stop this one.
func (n *node) nextPromotion() (p store.Promotion, err error) {
	former, err := n.store.Former()
	if err != nil {
		return p, err
	}
	s := n.replica.Status()
	h := n.heard(&s)
	last := max(s.Generation, former.Generation, n.store.Log().Identity().Generation,
		n.wire.Wire().Highest())
	now := time.Now()
	return store.Promotion{Generation: max(last+1, uint64(max(now.Unix(), 0))), At: now,
		Known: h.Record, Heard: h.At}, nil
}

// goAlone makes this node, whose part has ended, the only one of its cluster.
func (n *node) goAlone(ctx context.Context, p *promoteError) error {
	if err := n.wire.Wire().Close(); err != nil {
		n.log.Warn("the connections with the other nodes didn't end well", "error", err)
	}
	n.replica.Close()
	if err := n.store.Promote(p.to); err != nil {
		return err
	}
	o := &p.order
	n.log.Warn("this site is promoted: it goes on alone", "generation", p.to.Generation,
		"asked by", o.Who, "with the consent of", o.Approver, "because", o.Why, "forced", o.Force)
	return n.tell(ctx, audit.NodePromoted, audit.Done,
		fmt.Sprintf("site, generation %d", p.to.Generation), fmt.Sprintf("%s (asked by %s, with the "+
			"consent of %s)", o.Why, o.Who, o.Approver))
}
