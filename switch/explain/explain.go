// Package explain tells in plain words what happened to one transaction, and why.
//
// All of it is a fold over the transaction's records and what the journal knows beside them: the
// routing table of that time, the queues and the work list. So it can be asked of a running switch
// and of a data folder, with the same answer. What only a running switch knows, how often something
// owed was tried, the caller adds.
package explain

import (
	"fmt"
	"iter"
	"slices"
	"time"

	"cardswitch/store/journal"
	"cardswitch/store/queue"
	cardswitch "cardswitch/switch"
)

// Books are what is read: the store, or what stands for it.
type Books interface {
	cardswitch.Books
	Transaction(seq uint64) ([]journal.Record, error)
	Find(k journal.Key) (txn uint64, ok bool, err error)
	WorkList() iter.Seq2[queue.Owed, error]
}

// Explainer explains the transactions of some books.
type Explainer struct {
	Books   Books
	Names   cardswitch.Names
	Archive *cardswitch.Archive
}

// story is what is known while one transaction is told.
type story struct {
	*Explainer
	records []journal.Record
	first   *journal.Record
	images  []image
	debts   []Debt
	others  []Related
	told    *Explanation
}

// Explain tells of the transaction that a record belongs to. The error is store.ErrNotFound's if
// there is no such record.
func (e *Explainer) Explain(seq uint64) (*Explanation, error) {
	records, err := e.Books.Transaction(seq)
	if err != nil {
		return nil, err
	}
	s := story{Explainer: e, records: records, first: &records[0]}
	s.told = &Explanation{Txn: s.first.Seq, Began: time.Unix(0, s.first.At)}
	s.read()
	if s.debts, err = s.owed(records); err != nil {
		return nil, err
	}
	if err := s.relate(); err != nil {
		return nil, err
	}
	s.told.Route = s.decision()
	for i := range records {
		s.told.Steps = append(s.told.Steps, s.step(&records[i]))
	}
	s.told.Messages = s.messages()
	s.told.Owed, s.told.Related = s.debts, s.others
	if err := s.left(); err != nil {
		return nil, err
	}
	s.summarize()
	return s.told, nil
}

// us is how long after the transaction's beginning something was, in microseconds.
func (s *story) us(at int64) int64 { return (at - s.first.At) / 1000 }

// ended is the record with the transaction's outcome, nil while it is open. Stand-in has the last
// word, also about a request that its issuer left unanswered.
func (s *story) ended() (end *journal.Record) {
	for i := range s.records {
		switch r := &s.records[i]; r.Kind {
		case journal.StoodIn:
			return r
		case journal.Closed, journal.Settled:
			end = r
		}
	}
	return end
}

// relate finds the transactions that belong together: a reversal and what it reverses.
func (s *story) relate() error {
	for i := range s.records {
		r := &s.records[i]
		if r.Kind != journal.Reversed && r.Kind != journal.Adjusted || r.Advice == 0 ||
			r.Advice == s.first.Seq || s.knows(r.Advice) {
			continue
		}
		records, err := s.Books.Transaction(r.Advice)
		if err != nil {
			return err
		}
		debts, err := s.owed(records)
		if err != nil {
			return err
		}
		s.others = append(s.others, Related{Txn: r.Advice, Owed: debts,
			What: fmt.Sprintf("the %s that %s sent", records[0].MTI.Original(),
				s.center(records[0].Center))})
	}
	return s.original()
}

// knows tells whether a related transaction is told of already.
func (s *story) knows(txn uint64) bool {
	return slices.ContainsFunc(s.others, func(o Related) bool { return o.Txn == txn })
}

// original finds what the request's element 56 names.
func (s *story) original() error {
	request := s.image(journal.Request)
	if request == nil || request.kept.Err != nil || !request.kept.Message.Has(56) {
		return nil
	}
	o, ok := parseOriginal(&request.kept.Message)
	if !ok {
		return nil
	}
	key := journal.KeyOf(s.first.Center, o.MTI, o.LocalTime, o.STAN, o.Acquirer, o.AcquirerLen)
	txn, ok, err := s.Books.Find(key)
	if err != nil || !ok || txn == s.first.Seq {
		return err
	}
	s.others = append(s.others, Related{Txn: txn, What: "what its element 56 names: the " +
		o.MTI.String() + " with the merchant's trace number " + digits(uint64(o.STAN), 6)})
	return nil
}

// center is a center's name.
func (s *story) center(id uint16) string {
	if name := s.Names.Name(id); name != "" {
		return name
	}
	return "the switch"
}
