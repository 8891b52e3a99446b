package cardswitch

import (
	"fmt"
	"sync/atomic"
	"time"

	"cardswitch/store/journal"
	"cardswitch/store/negative"
	"cardswitch/switch/service/fileaction"
	"cardswitch/switch/txn"
)

// A request of a card that its issuer has listed (package negative) is refused at the door, before
// it goes to the issuer, or marked, as the issuer's profile says. The list is looked up beside the
// card's route, without a lock; an issuer without a list costs one comparison. What only tells what
// has happened, an advice or a reversal, is never refused for it.

// negativeProfile is an issuer's list with what the configuration says of it.
type negativeProfile struct {
	NegativeConfig
	issuer uint16
	name   string
	list   *negative.List
	counts *negativeCounts
}

// negativeCounts is what became of requests of an issuer's listed cards, since the start.
type negativeCounts struct{ refused, marked atomic.Uint64 }

// listing is what the list of a card's issuer says of it.
type listing struct {
	negative.Terms
	finding negative.Finding
	by      *negativeProfile
}

// openLists makes ready what keeps the lists.
func (s *Switch) openLists(config *Config) {
	s.toldOverdue = make(map[string]uint64)
	s.lists = negative.Open(negative.Options{Books: s.store, Disk: s.deps.Disk,
		Dir: config.Data.Dir + "/negative", Key: s.store.KeyName(), Logger: s.log})
}

// negativeOf is a center's list, nil if it keeps none.
func (s *Switch) negativeOf(p *profile) (*negativeProfile, error) {
	if p.config.Negative == nil {
		return nil, nil
	}
	list, err := s.lists.List(p.id, p.config.Name, p.zone)
	if err != nil {
		return nil, err
	}
	counts := new(negativeCounts)
	if c := s.centers[p.id]; c != nil && c.negative != nil {
		counts = c.negative.counts
	}
	return &negativeProfile{*p.config.Negative, p.id, p.config.Name, list, counts}, nil
}

// look finds out whether a request's card is listed, and refuses it for that where its issuer wants
// it so. now is in unix seconds.
func (t *tables) look(a *arrival, now int64) {
	if a.mti.Function() != 0 || a.mti.Class() > 2 {
		return
	}
	for _, i := range a.route.To {
		n := t.negatives[i]
		if n == nil {
			continue
		}
		terms, finding := n.list.Lookup(&a.card, now*1e9)
		switch {
		case finding == negative.Clear:
			continue
		case finding == negative.Unusable && n.Damaged == NegativeRefuse:
			a.refused = txn.ListUnusable
		case finding == negative.Listed && n.Mode == NegativeRefuse:
			a.refused = txn.CardListed
		}
		a.listed = listing{terms, finding, n}
		return
	}
}

// tells says to stand-in whether a card is listed, and with which action code. A list that only
// marks tells nothing; n may be nil.
func (n *negativeProfile) tells(card *negative.Hash, now int64) (listed bool, action uint16) {
	if n == nil || n.Mode == NegativeMark {
		return false, 0
	}
	terms, finding := n.list.Lookup(card, now)
	return finding == negative.Listed, terms.Action
}

// note says in the record of a request that goes on whether it is held, and that its card is
// listed.
func (a *arrival) note(rec *journal.Record, held bool) {
	if held {
		rec.Reason = uint16(txn.HeldForCard)
	}
	if a.listed.finding == negative.Listed {
		a.listed.by.counts.marked.Add(1)
		rec.Text = txn.CardMarked.String()
	}
}

// actionOf is the action code with which an arrival is refused now.
func (a *arrival) actionOf(why txn.Reason) uint16 {
	if why == txn.CardListed {
		a.listed.by.counts.refused.Add(1)
		return a.listed.Action
	}
	return why.Action()
}

// takeOver puts regular files in force whose time has come, and removes those that it has replaced
// once that is durable.
func (s *Switch) takeOver() {
	t := s.tables.Load()
	for _, n := range t.negatives {
		if n == nil {
			continue
		}
		s.sweepLoads(n)
		s.sweepPast(n)
		if n.list.Due(s.now()) {
			s.mu.Lock()
			s.tookOver(n)
			s.mu.Unlock()
		}
		s.kick()
	}
	s.tellOverdue()
	s.mu.Lock()
	gone := s.replaced
	s.replaced = nil
	s.mu.Unlock()
	for i, g := range gone {
		if g.record > s.store.LastSeq() {
			s.mu.Lock()
			s.replaced = append(s.replaced, gone[i:]...)
			s.mu.Unlock()
			return
		}
		if err := s.lists.Forget(g.issuer, g.generation); err != nil {
			s.log.Warn("a negative file that was replaced can't be removed", "generation", g.generation,
				"error", err)
		}
	}
}

// sweepPast takes off what is past its last day, some at a time, each with its record.
func (s *Switch) sweepPast(n *negativeProfile) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	for _, e := range n.list.Sweep(s.pending.batch, now, sweptAtOnce) {
		s.listChanged(n, journal.Record{At: now, Reason: uint16(txn.EntryPast)}, fileaction.Delete,
			e.Card, e.Terms)
	}
}

// tellOverdue says once of each regular file that it is older than its period.
func (s *Switch) tellOverdue() {
	for _, st := range s.Negatives() {
		if st.Overdue && s.toldOverdue[st.Issuer] != st.InForce.Generation {
			s.toldOverdue[st.Issuer] = st.InForce.Generation
			s.log.Warn("a regular negative file is older than its period", "issuer", st.Issuer,
				"generation", st.InForce.Generation, "hint", "ask the issuer for the next one")
		}
	}
}

// replaced is a regular file that isn't needed any more once the record is durable.
type replaced struct {
	issuer     uint16
	generation uint64
	record     uint64
}

// tookOver notes that a file's time has come. mu is held.
func (s *Switch) tookOver(n *negativeProfile) {
	now := s.now()
	took, ended := n.list.TakeOver(s.pending.batch, now)
	s.rec = journal.Record{At: now, Kind: journal.Filed, Dest: n.issuer,
		Reason: uint16(txn.FileTookOver), Text: took.String()}
	id := s.pending.batch.Append(&s.rec)
	for _, m := range ended {
		s.replaced = append(s.replaced, replaced{n.issuer, m.Generation, id})
	}
	s.log.Info("a negative file is in force", "issuer", n.name,
		"generation", took.Generation, "cards", took.Cards)
}

// enterFile enters a regular file that was built, with its record. mu is held.
func (s *Switch) enterFile(n *negativeProfile, m negative.Meta, f *negative.File, by uint16,
	txnOf uint64) {
	now := s.now()
	m.Imported = now
	s.rec = journal.Record{At: now, Kind: journal.Filed, Txn: txnOf, Center: by, Dest: n.issuer,
		Reason: uint16(txn.FileImported), Deadline: m.Effective, Text: m.String()}
	s.pending.batch.Append(&s.rec)
	n.list.Enter(s.pending.batch, m, f)
	if n.list.Due(now) {
		s.tookOver(n)
	}
}

// listChanged notes a change of an entry. mu is held.
func (s *Switch) listChanged(n *negativeProfile, r journal.Record, function uint16,
	card negative.Hash, terms negative.Terms) {
	s.rec = r
	s.rec.Kind, s.rec.Dest, s.rec.Function, s.rec.Card = journal.Listed, n.issuer, function, card
	s.rec.Action, s.rec.Text = terms.Action, terms.String()+r.Text
	s.pending.batch.Append(&s.rec)
}

// NegativeStatus is how an issuer's negative list stands.
type NegativeStatus struct {
	Issuer  string          `json:"issuer"`
	Mode    string          `json:"mode"`
	State   string          `json:"state"` // in force, none, damaged, late
	InForce *negative.Meta  `json:"in_force,omitempty"`
	Waiting []negative.Meta `json:"waiting,omitempty"` // for their time
	Urgent  int             `json:"urgent"`            // emergency entries, releases included
	Load    *negative.Load  `json:"load,omitempty"`    // by messages, under way
	Error   string          `json:"error,omitempty"`
	Since   time.Time       `json:"since,omitzero"` // in force
	Overdue bool            `json:"overdue"`        // older than its period
	Cards   uint64          `json:"cards"`          // of the file in force
	Refused uint64          `json:"refused"`        // requests, since the start
	Marked  uint64          `json:"marked"`         // listed, but gone on
}

// statusOf tells how a list stands. mu is held.
func (s *Switch) statusOf(n *negativeProfile, now int64) NegativeStatus {
	st := n.list.Status(now)
	out := NegativeStatus{Issuer: n.name, Mode: n.Mode, State: "none",
		InForce: st.InForce, Waiting: st.Waiting, Urgent: st.Urgent,
		Refused: n.counts.refused.Load(), Marked: n.counts.marked.Load()}
	if m := st.InForce; m != nil {
		out.State, out.Cards = "in force", m.Cards
		out.Since = time.Unix(0, max(m.Effective, m.Took))
		out.Overdue = n.Period > 0 && now-m.Imported > int64(n.Period)
	}
	if st.Unusable != nil {
		out.State, out.Error = "damaged", fmt.Sprint(st.Unusable)
	}
	if st.Load.Open {
		out.Load = &st.Load
	}
	return out
}

// Negatives is how the negative lists of all issuers that keep one stand.
func (s *Switch) Negatives() []NegativeStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, out := s.now(), []NegativeStatus{}
	for _, n := range s.tables.Load().negatives {
		if n != nil {
			out = append(out, s.statusOf(n, now))
		}
	}
	return out
}
