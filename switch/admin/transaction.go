package admin

import (
	"errors"
	"net/http"

	"cardswitch/store"
	"cardswitch/store/journal"
)

// transaction shows everything that happened to the transaction of any of its records.
func (s *Server) transaction(w http.ResponseWriter, r *http.Request) {
	seq, err := pathNumber(r, "seq")
	if err != nil {
		refuse(w, err)
		return
	}
	txn, err := s.transactionOf(seq)
	if err != nil {
		refuse(w, err)
		return
	}
	shown, err := s.show(txn, r.URL.Query().Get("raw") == "1")
	if err != nil {
		refuse(w, err)
		return
	}
	answer(w, shown)
}

// errEnough ends a replay that has found what it looked for.
var errEnough = errors.New("enough")

func (s *Server) transactionOf(seq uint64) (uint64, error) {
	found := uint64(0)
	err := s.Journal.Replay(seq, func(rec *journal.Record) error {
		if rec.Seq == seq {
			found = transactionNumber(rec)
		}
		return errEnough
	})
	if err != nil && !errors.Is(err, errEnough) {
		return 0, err
	}
	if found == 0 {
		return 0, store.ErrNotFound
	}
	return found, nil
}

func transactionNumber(rec *journal.Record) uint64 {
	if rec.Txn == 0 {
		return rec.Seq
	}
	return rec.Txn
}

func (s *Server) show(txn uint64, raw bool) (*Transaction, error) {
	records, err := s.Journal.Transaction(txn)
	if err != nil {
		return nil, err
	}
	shown := &Transaction{Txn: txn}
	render := s.newRenderer()
	view := s.view(records, raw)
	for i := range records {
		shown.Steps = append(shown.Steps, Step{
			Line:     render.line(&records[i]),
			Messages: view.messages(&records[i]),
		})
	}
	return shown, nil
}

const (
	// searched is how many of the newest records a search without an index looks at.
	searched = 200_000
	// shownAtMost is how many transactions a search answers with.
	shownAtMost = 20
)

// findTransactions finds by reference in the index, and by what the index doesn't have among the
// newest records.
func (s *Server) findTransactions(w http.ResponseWriter, r *http.Request) {
	f, err := parseFilter(r.URL.Query())
	if err != nil {
		refuse(w, err)
		return
	}
	txns, err := s.FindTransactions(Search{RRN: f.rrn, STAN: f.stan, Last4: f.last4})
	shown := []*Transaction{}
	for _, txn := range txns {
		var one *Transaction
		if one, err = s.show(txn, r.URL.Query().Get("raw") == "1"); err != nil {
			break
		}
		shown = append(shown, one)
	}
	if err != nil {
		refuse(w, err)
		return
	}
	answer(w, shown)
}

// search gives the newest matches, oldest first.
func (s *Server) search(f *filter) ([]uint64, error) {
	var txns []uint64
	seen := map[uint64]bool{}
	end := s.Journal.LastSeq() + 1
	render := s.newRenderer()
	err := s.Journal.Replay(end-min(searched, end), func(rec *journal.Record) error {
		line := render.line(rec)
		if txn := transactionNumber(rec); f.takes(&line) && !seen[txn] {
			seen[txn] = true
			txns = append(txns, txn)
		}
		return nil
	})
	return txns[max(0, len(txns)-shownAtMost):], err
}
