package cardswitch

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"time"

	"cardswitch/store/journal"
	"cardswitch/store/registry"
	"cardswitch/switch/standin"
	"cardswitch/switch/txn"
)

// Simulation asks what stand-in would have decided on an issuer's requests of before.
type Simulation struct {
	Issuer string    `json:"issuer,omitempty"` // may be left out if only one has stand-in
	Rules  string    `json:"rules,omitempty"`  // a rule file's text; left out: the rules in force
	From   time.Time `json:"from,omitzero"`    // left out: from the journal's beginning
	To     time.Time `json:"to,omitzero"`      // before this time; left out: to its end
}

// Simulated is the outcome of a simulation.
type Simulated struct {
	Issuer   string    `json:"issuer"`
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
	Requests uint64    `json:"requests"`
	standin.Report
}

// Simulate runs rules against the requests to an issuer in the journal, beside the switch's work.
// The facts are those that the journal keeps: an expiry date that stood in a track only counts as
// good, and negative lists, which were others then, are not asked.
func (s *Switch) Simulate(ctx context.Context, q Simulation) (Simulated, error) {
	out := Simulated{Issuer: q.Issuer, From: q.From, To: q.To}
	config := s.tables.Load().config
	if out.Issuer == "" {
		var err error
		if out.Issuer, err = config.onlyStandIn(); err != nil {
			return out, err
		}
	}
	var text []byte
	if q.Rules != "" {
		text = []byte(q.Rules)
	}
	rules, err := config.StandInRules(out.Issuer, text)
	if err != nil {
		return out, err
	}
	id, ok := s.store.Registry().Lookup(registry.Center, out.Issuer)
	if !ok {
		return out, fmt.Errorf("the journal knows no center %s", out.Issuer)
	}
	r := asking{archive: s.archive, issuer: id, to: q.To,
		simulation: standin.Simulate(rules, standInCards)}
	err = s.store.Replay(s.firstAt(q.From), func(record *journal.Record) error {
		if record.Seq%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		return r.take(record)
	})
	if err != nil && !errors.Is(err, errLater) {
		return out, err
	}
	out.Requests, out.Report = r.requests, r.simulation.End()
	return out, nil
}

// onlyStandIn names the issuer with stand-in, if only one has it.
func (c *Config) onlyStandIn() (name string, err error) {
	for i := range c.Centers {
		if c.Centers[i].StandIn == nil {
			continue
		}
		if name != "" {
			return "", errors.New("several issuers have stand-in; say which")
		}
		name = c.Centers[i].Name
	}
	if name == "" {
		return "", errors.New("no issuer has stand-in; say for which issuer")
	}
	return name, nil
}

// firstAt finds the first record of a time. Records are in the order of their times.
func (s *Switch) firstAt(at time.Time) uint64 {
	first, last := s.store.FirstSeq(), s.store.LastSeq()
	if at.IsZero() || last < first {
		return first
	}
	n := sort.Search(int(last-first+1), func(i int) bool {
		r, err := s.store.Record(first + uint64(i))
		return err == nil && r.At >= at.UnixNano()
	})
	return first + uint64(n)
}

// errLater ends a replay behind the last record that is asked for.
var errLater = errors.New("later")

// asking feeds the journal's records to a simulation.
type asking struct {
	archive    *Archive
	issuer     uint16
	to         time.Time
	simulation *standin.Simulation
	requests   uint64
}

func (r *asking) take(record *journal.Record) error {
	later := !r.to.IsZero() && record.At >= r.to.UnixNano()
	if later && record.At >= r.to.Add(lateKept).UnixNano() {
		return errLater // also the answers to the last requests are behind
	}
	if record.Dest != r.issuer || record.MTI.Function() != 0 {
		return nil
	}
	switch {
	case (record.Kind == journal.Opened || record.Kind == journal.StoodIn) &&
		record.Txn == record.Seq && !later:
		return r.ask(record)
	case record.Kind == journal.Closed:
		r.simulation.Answered(record.Txn, issuerSaid(record))
	}
	return nil
}

func (r *asking) ask(record *journal.Record) error {
	images := r.archive.Images()
	images.Add(record)
	request := images.find(journal.Request)
	if request == nil || request.Err != nil {
		return fmt.Errorf("the request of transaction %d can't be read", record.Seq)
	}
	m, pan := &request.Message, record.PAN
	facts := standin.FactsKept(m, pan)
	facts.Listed = record.Text == txn.CardMarked.String()
	r.requests++
	r.simulation.Ask(record.Seq, record.Card, &facts, time.Unix(0, record.At))
	return nil
}

// issuerSaid is what the issuer itself decided on a request.
func issuerSaid(record *journal.Record) standin.Outcome {
	switch {
	case txn.Reason(record.Reason) != txn.IssuerAnswered || record.Action >= 900:
		return standin.Abstain
	case txn.Approves(int(record.Action)):
		return standin.Approve
	}
	return standin.Decline
}
