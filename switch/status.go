package cardswitch

import (
	"errors"
	"fmt"
	"slices"
	"sort"
	"time"

	"cardswitch/routing"
	"cardswitch/spec"
	"cardswitch/store"
	"cardswitch/store/journal"
	"cardswitch/store/queue"
	"cardswitch/switch/link"
	"cardswitch/switch/saf"
	"cardswitch/switch/txn"
)

// Status is the switch as a whole.
func (s *Switch) Status() Status {
	health := s.store.Health()
	out := Status{Node: s.tables.Load().config.Node, State: "serving", Started: s.started,
		Latency: s.metrics.recent.latency(),
		Journal: JournalStatus{LastSeq: s.store.LastSeq(),
			CommitUS: s.metrics.lastCommit.Load() / 1000,
			FreeMB:   int64(health.FreeBytes >> 20), Stalled: health.Stalled}}
	c := &s.metrics.counts
	out.Counts = Counts{Requests: c.requests.Load(), Repeats: c.repeats.Load(),
		Approved: c.approved.Load(), Declined: c.declined.Load(), Refused: c.refused.Load(),
		TimedOut: c.timedOut.Load(), Late: c.late.Load(), Reversals: c.reversals.Load(),
		Delivered: c.delivered.Load()}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.centers {
		out.Open += c.inFlight
		out.Held += c.held.count
		out.Owed += c.owed.Len()
		out.Shelved += c.shelved
		if c.stoodFor() {
			out.StandIn = append(out.StandIn, c.name)
		}
	}
	slices.Sort(out.StandIn)
	switch {
	case s.fenced.Load():
		out.State, out.Reason = "failed", "the journal cannot be written"
		if <-s.failed; errors.Is(s.failure, ErrNotActive) {
			out.State, out.Reason = "standby", ErrNotActive.Error()
		}
	case s.draining.Load():
		out.State = "draining"
	case health.Low:
		out.State, out.Reason = "failed", "the disk is nearly full; new requests are refused"
	}
	return out
}

// Ready says why the switch can't take requests; nil when it can.
func (s *Switch) Ready() error {
	st := s.Status()
	if st.State == "serving" {
		return nil
	}
	return fmt.Errorf("%s: %s", st.State, st.Reason)
}

// Links is the state of every link.
func (s *Switch) Links() link.Status { return s.network.Status() }

// Explain says where a message would go, and why.
func (s *Switch) Explain(q Question) (routing.Explanation, error) {
	t := s.tables.Load()
	query, err := q.Query(t.config.Merchants())
	if err != nil {
		return routing.Explanation{}, err
	}
	return t.routes.Explain(&query), nil
}

// Journal is the store behind the switch, for those who read it.
func (s *Switch) Journal() *store.Store { return s.store }

// Queues is what every issuer center must still get, the oldest first.
func (s *Switch) Queues() []QueueStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []QueueStatus
	for _, c := range s.issuers {
		q := QueueStatus{Center: c.name, Depth: c.owed.Len(), Held: c.held.count,
			InFlight: c.owed.InFlight(), Shelved: c.shelved, Owed: []OwedAdvice{}}
		var items []*saf.Item
		c.owed.Each(func(item *saf.Item) {
			items = append(items, item)
			q.Alarm = q.Alarm || item.Attempts >= c.config.SAF.AlarmAfter
		})
		sort.Slice(items, func(i, j int) bool { return items[i].ID < items[j].ID })
		for _, item := range items[:min(len(items), OwedShown)] {
			o := owedAdvice(c.name, item.Entry)
			o.Attempts, o.Next = item.Attempts, time.Unix(0, item.Due)
			q.Owed = append(q.Owed, o)
		}
		out = append(out, q)
	}
	return out
}

func owedAdvice(center string, e queue.Entry) OwedAdvice {
	return OwedAdvice{ID: e.ID, Txn: e.Txn, Center: center, MTI: e.MTI.String(), STAN: e.STAN,
		Reason: e.Reason, Why: txn.OwedFor(e.Reason), Since: time.Unix(0, e.At)}
}

// WorkList is what people have to decide: advices that an issuer refused.
func (s *Switch) WorkList() ([]OwedAdvice, error) {
	var out []OwedAdvice
	for e, err := range s.store.WorkList() {
		if err != nil {
			return nil, err
		}
		out = append(out, owedAdvice(s.store.Registry().Name(e.Center), e.Entry))
	}
	return out, nil
}

// Resolve decides about an advice on the work list: send it again, or drop it. Who and why are
// journaled.
func (s *Switch) Resolve(id uint64, r Resolution) error {
	if r.Who == "" || r.Why == "" {
		return errors.New("say who decides and why")
	}
	for e, err := range s.store.WorkList() {
		if err != nil {
			return err
		}
		if e.ID == id {
			return s.resolve(e, r)
		}
	}
	return fmt.Errorf("advice %d is not on the work list; see `cardswitch worklist list`", id)
}

// saidBy is what a person has said, as the journal keeps it: without card numbers.
func saidBy(act, who, why string) string { return spec.MaskText(act + who + ": " + why) }

func (s *Switch) resolve(e queue.Owed, r Resolution) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.centers[e.Center]
	if c == nil {
		return errors.New("the center is no longer configured; put it back first")
	}
	if c.taken[e.ID] {
		return fmt.Errorf("advice %d has just been decided", e.ID)
	}
	reason := txn.OperatorDropped
	switch r.Act {
	case "drop":
	case "retry":
		reason = txn.OperatorRetried
	default:
		return fmt.Errorf("%q is not retry or drop", r.Act)
	}
	now := s.now()
	s.rec = journal.Record{At: now, Kind: journal.Resolved, Txn: e.Txn, Advice: e.ID, Dest: c.id,
		MTI: e.MTI, STAN: e.STAN, Reason: uint16(reason), Text: saidBy(r.Act+" by ", r.Who, r.Why)}
	s.pending.batch.Append(&s.rec)
	s.pending.batch.Unshelve(e.ID)
	if r.Act == "retry" {
		s.owe(c, &saf.Item{Entry: e.Entry, Due: now, Repeat: true})
	}
	c.taken[e.ID] = true
	c.shelved--
	s.kick()
	return nil
}

// measure brings the gauges up to date.
func (s *Switch) measure() {
	health := s.store.Health()
	s.metrics.freeBytes.Set(float64(health.FreeBytes))
	s.diskLow.Store(health.Low)
	s.metrics.indexLag.Set(float64(health.IndexLag))
	s.mu.Lock()
	defer s.mu.Unlock()
	open := 0
	for _, c := range s.centers {
		open += c.inFlight
		waiting := c.inFlight
		if c.config.Role == RoleIssuer {
			waiting = c.link.InFlight()
		}
		c.metrics.inFlight.Set(float64(waiting))
		c.metrics.owed.Set(float64(c.owed.Len()))
		c.metrics.waiting.Set(float64(c.held.count))
		c.metrics.shelved.Set(float64(c.shelved))
		s.measureDays(c)
	}
	s.metrics.open.Set(float64(open))
}
