package store

import (
	"errors"

	"cardswitch/store/entry"
	"cardswitch/store/journal"
	"cardswitch/store/total"
)

// Agreement puts entries into one order on all nodes, see dr/replica.
type Agreement interface {
	// Propose returns when the entry is agreed and applied to this store; it keeps nothing of it. The
	// epoch is the one that the node leads in: an entry made in another one must not be agreed. After
	// an error it may or may not be agreed some time; the node must stop leading.
	Propose(epoch uint64, entry []byte) error
}

// ErrNotLeading is that of a commit on a node that doesn't lead: another one does, or nobody.
var ErrNotLeading = errors.New("this node doesn't lead")

// AgreeBy makes every write that a standby needs an entry to be agreed on. It must be called before
// anything is committed; without it the store writes by itself.
func (s *Store) AgreeBy(a Agreement) { s.agreement = a }

// Lead lets batches be filled and committed in this epoch, which their chunks carry. Everything
// that is agreed must be applied, and whoever filled batches in an earlier epoch must have ended.
func (s *Store) Lead(epoch uint64) error {
	if err := s.err(); err != nil {
		return err
	}
	s.applying.Lock()
	defer s.applying.Unlock()
	rows, err := loadTotals(s.db)
	if err != nil {
		return err
	}
	s.totals = total.NewTable(rows)
	s.next = s.last.Load() + 1
	s.sealer = journal.NewSealer(s.keys, epoch, s.position.head)
	s.epoch.Store(epoch)
	return nil
}

// Yield refuses commits from here on. What is agreed is applied all the same.
func (s *Store) Yield() { s.epoch.Store(0) }

// Epoch is the one in which the node leads; 0: it doesn't.
func (s *Store) Epoch() uint64 { return s.epoch.Load() }

// leads tells why nothing may be committed.
func (s *Store) leads() error {
	if s.agreement != nil && s.epoch.Load() == 0 {
		return ErrNotLeading
	}
	if s.agreement == nil && s.raft.Founded() {
		return &Error{"write the journal", errors.New("the node's data belongs to a cluster"),
			"start the node; nothing else may write it"}
	}
	return nil
}

// agree has an entry agreed. If this node made it of a batch, apply finds there what it would else
// have to read from the entry.
func (s *Store) agree(made *sealed) error {
	s.mine.Store(made)
	defer s.mine.Store(nil)
	return s.agreement.Propose(made.epoch, made.entry)
}

// decree sets one key that no batch of records carries, on all nodes.
func (s *Store) decree(key, value []byte) error {
	if err := s.err(); err != nil {
		return err
	}
	if err := s.leads(); err != nil {
		return err
	}
	if s.agreement == nil {
		b := s.db.NewBatch()
		set(b, key, value)
		return s.commitAside(b)
	}
	return s.agreement.Propose(s.epoch.Load(), entry.AppendSet(entry.Begin(nil, 0), key, value))
}
