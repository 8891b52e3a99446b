package store

import (
	"encoding/binary"
	"errors"
	"fmt"

	"cardswitch/store/entry"
	"cardswitch/store/index"
	"cardswitch/store/journal"
	"cardswitch/store/registry"

	"github.com/cockroachdb/pebble/v2"
)

// position is how far the log is applied. Chunks behind it may lie in the journal already, as the
// log keeps them there; nobody may see them.
type position struct {
	index, term uint64
	last        uint64 // Seq of the last record
	head        journal.Hash
}

const positionSize = 24 + len(journal.Hash{})

func (p *position) value() []byte {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, positionSize), p.index)
	b = binary.BigEndian.AppendUint64(b, p.term)
	b = binary.BigEndian.AppendUint64(b, p.last)
	return append(b, p.head[:]...)
}

// readPosition returns false if nothing was ever agreed.
func readPosition(db pebble.Reader) (p position, ok bool, err error) {
	v, closer, err := db.Get([]byte(aboutPosition))
	if errors.Is(err, pebble.ErrNotFound) {
		return p, false, nil
	}
	if err != nil {
		return p, false, err
	}
	p, err = parsePosition(v)
	return p, true, errors.Join(err, closer.Close())
}

func parsePosition(v []byte) (position, error) {
	if len(v) != positionSize {
		return position{}, errors.New("damaged position")
	}
	return position{binary.BigEndian.Uint64(v), binary.BigEndian.Uint64(v[8:]),
		binary.BigEndian.Uint64(v[16:]), journal.Hash(v[24:])}, nil
}

// Applied is the index of the last entry that is applied.
func (s *Store) Applied() uint64 {
	s.applying.Lock()
	defer s.applying.Unlock()
	return s.position.index
}

// Apply writes an agreed entry, in order, on every node; empty ones count too. Its chunks lie in
// the journal already, from the log. Nothing is synced: the log has it, and after a crash it is
// applied again.
func (s *Store) Apply(index, term uint64, data []byte) error {
	if err := s.err(); err != nil {
		return err
	}
	s.applying.Lock()
	defer s.applying.Unlock()
	if index <= s.position.index {
		return nil
	}
	made := s.mine.Load()
	if made != nil && (made.count == 0 || made.epoch != term || made.first != entry.First(data)) {
		made = nil
	}
	did, err := s.apply(index, term, data, made)
	if err != nil {
		return fmt.Errorf("apply entry %d of term %d: %w", index, term, err)
	}
	s.absorb(did)
	return nil
}

// apply writes an entry to the journal's Pebble, and returns what is to be kept in memory of it.
// Made is known of an entry that this node made: in an epoch there is no other with its records.
func (s *Store) apply(index, term uint64, data []byte, made *sealed) (*sealed, error) {
	e := entry.Entry{}
	if len(data) > 0 && !s.logOnly {
		var err error
		if e, err = entry.Parse(data); err != nil {
			return nil, err
		}
	}
	var err error
	if made == nil {
		made, err = s.examine(&e)
	}
	if err == nil && made.count > 0 && made.first != s.position.last+1 {
		err = fmt.Errorf("it begins with record %d, the journal ends with %d", made.first,
			s.position.last)
	}
	if err != nil {
		return nil, err
	}
	at := position{index, term, s.position.last + uint64(made.count), made.head}
	if made.count == 0 {
		at.head = s.position.head
	}
	b := s.db.NewBatchWithSize(len(e.Changes) + 256)
	err = e.Changes.Each(func(key, value []byte) { set(b, key, value) },
		func(key []byte) { _ = b.Delete(key, nil) })
	if err != nil {
		return nil, errors.Join(err, b.Close())
	}
	set(b, []byte(aboutPosition), at.value())
	if err := s.commit(b, pebble.NoSync); err != nil {
		return nil, err
	}
	s.position = at
	if made.level != 0 {
		s.level.Store(uint32(made.level))
		s.log.Info("the journal is of a new level", "level", made.level)
	}
	return made, nil
}

// absorb brings what is kept in memory up to what was written.
func (s *Store) absorb(made *sealed) {
	s.segments.add(made.begun)
	if made.count > 0 {
		s.last.Add(uint64(made.count))
		s.index.Add(made.notes)
		s.feed.wake()
	}
}

// examine reads from an entry of another node what the node that made it knows, and checks that it
// goes on where this journal ends.
func (s *Store) examine(e *entry.Entry) (*sealed, error) {
	made := &sealed{head: s.position.head}
	var fault error
	err := e.Changes.Each(func(key, value []byte) {
		switch key[0] {
		case familySegment:
			g, err := parseSegment(key[1:], value)
			fault = errors.Join(fault, err)
			made.begun = append(made.begun, g)
		case familyName:
			fault = errors.Join(fault, s.learn(key, value))
		case familyAbout:
			if string(key) == aboutVersion {
				level, err := s.levelOf(value)
				made.level, fault = level, errors.Join(fault, err)
			}
		case familyRaft:
			fault = errors.Join(fault, fmt.Errorf("%w: it changes the log", entry.ErrDamaged))
		}
	}, func([]byte) {})
	if err = errors.Join(err, fault); err != nil {
		return nil, err
	}
	for i := range e.Chunks {
		if err := s.examineChunk(&e.Chunks[i], made); err != nil {
			return nil, err
		}
	}
	return made, nil
}

func (s *Store) examineChunk(c *entry.Chunk, made *sealed) error {
	if err := s.follower.Open(c.Sealed, s.keys); err != nil {
		return err
	}
	h := &s.follower
	next := made.first + uint64(made.count)
	if made.count == 0 {
		made.first, next = c.First, c.First
	}
	if h.First != c.First || c.First != next || h.Previous != made.head {
		return fmt.Errorf("the chunk of record %d doesn't go on where the journal ends", c.First)
	}
	made.head = h.Hash
	var r journal.Record
	for {
		ok, err := s.follower.Next(&r)
		if !ok || err != nil {
			return err
		}
		made.notes = append(made.notes, index.NoteOf(&r))
		made.count++
	}
}

// learn takes a name that another node has numbered.
func (s *Store) learn(key, value []byte) error {
	if len(key) != 3 {
		return entry.ErrDamaged
	}
	e, err := registry.Parse(binary.BigEndian.Uint16(key[1:]), value)
	if err == nil && s.registry != nil {
		err = s.registry.Learn(e)
	}
	return err
}

// catchUp applies at a start what the log has and is surely agreed, so that whoever opens the
// directory sees all that was ever acknowledged. The index may know more than the position in the
// journal, which isn't synced; what it knows was agreed.
func (s *Store) catchUp(indexed uint64) error {
	agreed := s.raft.Agreed()
	for {
		next := s.position.index + 1
		if next > agreed && s.position.last >= indexed {
			return nil
		}
		e, err := s.raft.Entry(next)
		if err != nil {
			return err
		}
		if e == nil || e.Conf { // a change of the members is the replica's to apply
			return nil
		}
		if _, err := s.apply(next, e.Term, e.Data, nil); err != nil {
			return fmt.Errorf("apply entry %d of term %d: %w", next, e.Term, err)
		}
	}
}
