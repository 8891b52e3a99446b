package admin

import (
	"net/http"
	"strings"

	"cardswitch/spec"
	"cardswitch/switch/explain"
)

// explainTransaction tells in words what happened to the transaction of any of its records.
func (s *Server) explainTransaction(w http.ResponseWriter, r *http.Request) {
	seq, err := pathNumber(r, "seq")
	if err != nil {
		refuse(w, err)
		return
	}
	told, err := s.Explain(seq)
	if err != nil {
		refuse(w, err)
		return
	}
	answer(w, told)
}

// Explain tells in words what happened to the transaction of any of its records. It needs no
// Switch; a running one knows besides how often something owed was tried.
func (s *Server) Explain(seq uint64) (*explain.Explanation, error) {
	e := explain.Explainer{Books: s.Journal, Names: s.Names, Archive: s.archive}
	told, err := e.Explain(seq)
	if err != nil || s.Switch == nil {
		return told, err
	}
	s.addTries(told.Owed)
	for i := range told.Related {
		s.addTries(told.Related[i].Owed)
	}
	return told, nil
}

func (s *Server) addTries(debts []explain.Debt) {
	if len(debts) == 0 {
		return
	}
	for _, q := range s.Switch.Queues() {
		for _, o := range q.Owed {
			for i := range debts {
				if debts[i].ID == o.ID {
					debts[i].Attempts, debts[i].Next = o.Attempts, o.Next
				}
			}
		}
	}
}

// explainFound does it for what is found by reference, trace number or the end of a card number.
func (s *Server) explainFound(w http.ResponseWriter, r *http.Request) {
	f, err := parseFilter(r.URL.Query())
	if err != nil {
		refuse(w, err)
		return
	}
	txns, err := s.FindTransactions(Search{RRN: f.rrn, STAN: f.stan, Last4: f.last4})
	s.answerExplained(w, txns, err)
}

// CardSearch asks for the transactions of a card, and says why: whole card numbers are typed for
// it, so it is on record.
type CardSearch struct {
	PAN string `json:"pan"`
	Why string `json:"why"`
}

// explainCard does it for the newest transactions of a card.
func (s *Server) explainCard(w http.ResponseWriter, r *http.Request) {
	var o CardSearch
	if err := body(w, r, &o); err != nil {
		refuse(w, err)
		return
	}
	if strings.TrimSpace(o.Why) == "" {
		refuse(w, &misuseError{"why is missing", "say in a sentence why; it is kept in the audit log"})
		return
	}
	txns, err := s.FindTransactions(Search{PAN: o.PAN})
	s.answerExplained(w, txns, err)
}

func (s *Server) answerExplained(w http.ResponseWriter, txns []uint64, err error) {
	list := []*explain.Explanation{}
	for _, txn := range txns {
		var told *explain.Explanation
		if told, err = s.Explain(txn); err != nil {
			break
		}
		list = append(list, told)
	}
	if err != nil {
		refuse(w, err)
		return
	}
	answer(w, list)
}

// Search says which transactions are looked for: by one of its fields.
type Search struct{ RRN, STAN, Last4, PAN string }

// FindTransactions gives their numbers: by reference and card from the index, by what the index
// doesn't have among the newest records.
func (s *Server) FindTransactions(by Search) ([]uint64, error) {
	switch {
	case by.RRN != "":
		return s.Journal.FindReference(by.RRN, shownAtMost)
	case by.PAN != "":
		pan, err := spec.ParsePAN(by.PAN)
		if err != nil {
			return nil, &misuseError{"that is no card number", "type its digits and nothing else"}
		}
		return s.Journal.FindCard(s.Journal.HashPAN(pan), shownAtMost)
	case by.Last4 != "" || by.STAN != "":
		return s.search(&filter{last4: by.Last4, stan: by.STAN})
	}
	return nil, &misuseError{"say rrn, last4 or stan", "see `cardswitch journal show --help`"}
}
