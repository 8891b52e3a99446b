package store

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"cardswitch/store/index"
	"cardswitch/store/journal"

	"github.com/cockroachdb/pebble/v2"
)

// chunks walks over the chunks of the journal, in order.
type chunks struct {
	it    *pebble.Iterator
	keys  *journal.Keys
	chunk journal.Chunk
	open  bool
	until context.Context // nil: none ends it
}

// chunks begins a walk that ends with the last chunk that is agreed.
func (s *Store) chunks(from pebble.Reader) (*chunks, error) {
	bounds := within([]byte{familyChunk})
	at, agreed, err := readPosition(from)
	if err != nil {
		return nil, err
	}
	if agreed {
		bounds.UpperBound = seqKey(familyChunk, at.last+1)
	}
	it, err := from.NewIter(bounds)
	if err != nil {
		return nil, err
	}
	return &chunks{it: it, keys: s.keys, until: s.until}, nil
}

// seek opens the chunk that holds a record. If that chunk was dropped, or there is none yet, it
// returns false.
func (c *chunks) seek(seq uint64) (bool, error) {
	if !c.it.SeekLT(seqKey(familyChunk, seq+1)) {
		return false, c.it.Error()
	}
	if err := c.read(); err != nil {
		return false, err
	}
	return seq <= c.chunk.Last(), nil
}

// first opens the oldest chunk, following the next one.
func (c *chunks) first() (bool, error) { return c.moved(c.it.First()) }

func (c *chunks) following() (bool, error) {
	if c.until != nil && c.until.Err() != nil {
		return false, c.until.Err()
	}
	return c.moved(c.it.Next())
}

func (c *chunks) moved(ok bool) (bool, error) {
	if !ok {
		return false, c.it.Error()
	}
	return true, c.read()
}

func (c *chunks) read() error {
	value, err := c.it.ValueAndErr()
	if err != nil {
		return err
	}
	if err := c.chunk.Open(value, c.keys); err != nil {
		return fmt.Errorf("the chunk with key %x: %w", c.it.Key(), err)
	}
	return nil
}

// each calls fn with the records of the open chunk from one on.
func (c *chunks) each(from uint64, fn func(*journal.Record) error) error {
	var r journal.Record
	for {
		ok, err := c.chunk.Next(&r)
		if !ok || err != nil {
			return err
		}
		if r.Seq >= from {
			if err := fn(&r); err != nil {
				return err
			}
		}
	}
}

var errEnd = errors.New("no more records were committed")

// Replay calls fn with every record from one on, in order, that was committed when it was called.
// (Pebble shows what isn't synced yet too.) A record is valid during its call.
func (s *Store) Replay(from uint64, fn func(*journal.Record) error) (err error) {
	c, err := s.chunks(s.db)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.it.Close()) }()
	from, last := max(from, s.first.Load()), s.last.Load()
	committed := func(r *journal.Record) error {
		if r.Seq > last {
			return errEnd
		}
		return fn(r)
	}
	for ok, err := c.seek(from); ok || err != nil; ok, err = c.following() {
		if err != nil {
			return err
		}
		if err := c.each(from, committed); err == errEnd {
			return nil
		} else if err != nil {
			return err
		}
	}
	return nil
}

// Record returns one record.
func (s *Store) Record(seq uint64) (journal.Record, error) {
	found, err := s.records([]uint64{seq})
	if err != nil {
		return journal.Record{}, err
	}
	return found[0], nil
}

// Transaction returns all records of one transaction, in order. Any of its records names it.
func (s *Store) Transaction(seq uint64) ([]journal.Record, error) {
	r, err := s.Record(seq)
	if err != nil {
		return nil, err
	}
	later, err := s.index.Records(r.Txn)
	if err != nil {
		return nil, err
	}
	end, err := s.ending(r.Txn)
	if err != nil {
		return nil, err
	}
	numbers := append([]uint64{r.Txn}, later...)
	if end > 0 {
		numbers = append(numbers, end)
		slices.Sort(numbers)
	}
	return s.records(slices.Compact(numbers))
}

// ending looks near the first record of a transaction for the one that closed it; 0: none.
func (s *Store) ending(txn uint64) (end uint64, err error) {
	limit := txn + index.Near
	err = s.Replay(txn, func(r *journal.Record) error {
		switch {
		case r.Seq > limit,
			r.Seq == txn && r.Kind != journal.Opened && r.Kind != journal.Originated:
			return errFound
		case r.Txn == txn && r.Kind == journal.Closed:
			end = r.Seq
			return errFound
		}
		return nil
	})
	if errors.Is(err, errFound) {
		err = nil
	}
	return end, err
}

// errFound ends a search.
var errFound = errors.New("found")

// Find returns the transaction that a question began, if it was asked within the retention.
func (s *Store) Find(k journal.Key) (txn uint64, ok bool, err error) {
	found, err := s.newest(1, func(int) ([]uint64, error) {
		return s.index.Question(k, s.first.Load())
	}, func(r *journal.Record) bool { return r.Key == k })
	if len(found) == 0 {
		return 0, false, err
	}
	return found[0], true, err
}

// FindCard returns the newest transactions of a card (HashPAN), newest first.
func (s *Store) FindCard(hash [16]byte, limit int) ([]uint64, error) {
	return s.newest(limit, func(limit int) ([]uint64, error) {
		return s.index.Card(hash, s.first.Load(), limit)
	}, func(r *journal.Record) bool { return r.Card == hash })
}

// FindReference returns the newest transactions with a retrieval reference number (DE 37), newest
// first.
func (s *Store) FindReference(rrn string, limit int) ([]uint64, error) {
	var reference [12]byte
	if rrn == "" || copy(reference[:], rrn) < len(rrn) {
		return nil, nil
	}
	return s.newest(limit, func(limit int) ([]uint64, error) {
		return s.index.Reference(reference, s.first.Load(), limit)
	}, func(r *journal.Record) bool { return r.Reference == reference })
}

// newest takes what the index finds, and of that what the records confirm.
func (s *Store) newest(limit int, find func(limit int) ([]uint64, error),
	is func(*journal.Record) bool) ([]uint64, error) {
	for ask := limit; ; ask *= 2 {
		txns, err := find(ask)
		if err != nil {
			return nil, err
		}
		asked := len(txns)
		txns = slices.DeleteFunc(txns, func(txn uint64) bool {
			r, e := s.Record(txn)
			if e != nil && !errors.Is(e, ErrNotFound) { // retention may just have dropped it
				err = e
			}
			return e != nil || !is(&r)
		})
		if err != nil || len(txns) >= limit || asked < ask {
			return txns[:min(limit, len(txns))], err
		}
	}
}

// records reads single records, in rising order of their numbers.
func (s *Store) records(numbers []uint64) (found []journal.Record, err error) {
	c, err := s.chunks(s.db)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.it.Close()) }()
	var r journal.Record
	last := s.last.Load()
	for _, seq := range numbers {
		if seq > last {
			return nil, fmt.Errorf("record %d: %w", seq, ErrNotFound)
		}
		if r.Seq >= seq || seq > c.chunk.Last() || c.chunk.Count == 0 {
			if ok, err := c.seek(seq); err != nil || !ok {
				return nil, errors.Join(err, fmt.Errorf("record %d: %w", seq, ErrNotFound))
			}
		}
		for ok := true; ok && r.Seq != seq; {
			if ok, err = c.chunk.Next(&r); err != nil {
				return nil, err
			}
		}
		found = append(found, r.Clone())
	}
	return found, nil
}
