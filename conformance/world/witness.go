package world

import (
	"fmt"
	"slices"

	"cardswitch/spec"
	"cardswitch/store"
	"cardswitch/store/journal"
)

// witness remembers what the switch let go, and holds it against what a power cut would leave of
// the journal: nothing leaves before it is durable (promises 1 and 2).
type witness struct {
	sent    map[sent]bool
	replies map[reply]bool
}

// sent is a message that a bank got.
type sent struct {
	bank string
	kind int
	stan uint64
	rrn  string
}

// reply is an answer that a shop got.
type reply struct {
	shop   string
	kind   int
	stan   string
	action string
}

func newWitness() *witness {
	return &witness{sent: map[sent]bool{}, replies: map[reply]bool{}}
}

func (w *witness) left(s sent)      { w.sent[s] = true }
func (w *witness) answered(r reply) { w.replies[r] = true }

// books is what a journal knows, in the words of the witness.
type books struct {
	sent    map[sent]bool
	replies map[reply]bool
	rrns    map[uint64]string // of transactions
	open    map[uint64]bool   // requests that have no end yet
}

// read folds a journal.
func readBooks(s *store.Store) (*books, error) {
	b := &books{sent: map[sent]bool{}, replies: map[reply]bool{},
		rrns: map[uint64]string{}, open: map[uint64]bool{}}
	err := s.Replay(0, func(r *journal.Record) error {
		b.take(s, r)
		return nil
	})
	return b, err
}

func (b *books) take(s *store.Store, r *journal.Record) {
	rrn := string(r.Reference[:])
	switch r.Kind {
	case journal.Opened, journal.Settled:
		b.rrns[r.Txn] = rrn
	default:
		if b.rrns[r.Txn] == "" {
			b.rrns[r.Txn] = rrn
		}
		rrn = b.rrns[r.Txn]
	}
	name := func(id uint16) string { return s.Registry().Name(id) }
	switch r.Kind {
	case journal.Opened:
		b.open[r.Txn] = true
	case journal.Closed:
		delete(b.open, r.Txn)
	}
	if r.Kind == journal.Opened {
		b.sent[sent{name(r.Dest), kindOf(r.MTI), uint64(r.STAN), rrn}] = true
	}
	if r.Image(journal.Advice) != nil {
		kind := kindOf(r.MTI)
		switch r.Kind {
		case journal.Closed:
			kind = 1420
		case journal.StoodIn:
			kind += 20
		}
		b.sent[sent{name(r.Dest), kind, uint64(r.STAN), rrn}] = true
		b.sent[sent{name(r.Dest), kind, 0, rrn}] = true
	}
	switch r.Kind {
	case journal.Closed, journal.Settled, journal.StoodIn:
		b.replies[reply{name(r.Center), kindOf(r.MTI) + 10, fmt.Sprintf("%06d", r.Key.STAN()),
			fmt.Sprintf("%03d", r.Action)}] = true
	}
}

func kindOf(m spec.MTI) int {
	var n int
	fmt.Sscan(m.Original().String(), &n)
	return n
}

// compare says what left that the journal doesn't hold.
func (w *witness) compare(b *books) (missing []string) {
	for s := range w.sent {
		loose := s
		loose.stan = 0 // the reversal's own number isn't in its record
		if !b.sent[s] && !(s.kind == 1420 && b.sent[loose]) {
			missing = append(missing, fmt.Sprintf("%s got %d %06d %s", s.bank, s.kind, s.stan, s.rrn))
		}
	}
	for r := range w.replies {
		if !b.replies[r] {
			missing = append(missing, fmt.Sprintf("%s was answered %d %s with %s", r.shop, r.kind,
				r.stan, r.action))
		}
	}
	slices.Sort(missing)
	return missing
}
