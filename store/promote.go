package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"cardswitch/store/journal"

	"github.com/cockroachdb/pebble/v2"
)

// Promotion is how a site came to go on without those who would have had to agree. What they wrote
// after Last, which nobody here has, is the window.
type Promotion struct {
	Generation uint64
	At         time.Time
	Known      uint64    // the last record that was heard of, 0: nothing was
	Heard      time.Time // when the others were last heard, zero: they never were
	Last       uint64    // the last record that this node had
	Head       journal.Hash
}

const promotionSize = 5*8 + len(journal.Hash{})

func (p *Promotion) value() []byte {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, promotionSize), p.Generation)
	b = binary.BigEndian.AppendUint64(b, uint64(p.At.UnixNano()))
	b = binary.BigEndian.AppendUint64(b, p.Known)
	heard := uint64(0)
	if !p.Heard.IsZero() {
		heard = uint64(p.Heard.UnixNano())
	}
	b = binary.BigEndian.AppendUint64(b, heard)
	b = binary.BigEndian.AppendUint64(b, p.Last)
	return append(b, p.Head[:]...)
}

func parsePromotion(b []byte) (p Promotion, err error) {
	if len(b) != promotionSize {
		return p, errors.New("damaged promotion")
	}
	p.Generation = binary.BigEndian.Uint64(b)
	p.At = time.Unix(0, int64(binary.BigEndian.Uint64(b[8:])))
	p.Known = binary.BigEndian.Uint64(b[16:])
	if heard := int64(binary.BigEndian.Uint64(b[24:])); heard != 0 {
		p.Heard = time.Unix(0, heard)
	}
	p.Last, p.Head = binary.BigEndian.Uint64(b[32:]), journal.Hash(b[40:])
	return p, nil
}

// Promoted is the last promotion that the journal has seen; ok is false if there was none.
func (s *Store) Promoted() (p Promotion, ok bool, err error) {
	v, closer, err := s.db.Get([]byte(aboutPromotion))
	if errors.Is(err, pebble.ErrNotFound) {
		return p, false, nil
	}
	if err != nil {
		return p, false, err
	}
	p, err = parsePromotion(v)
	return p, true, errors.Join(err, closer.Close())
}

// Promote makes the node of a directory the only voter of its cluster, under a higher generation: a
// site goes on alone, without those who would have to agree. All that the node's log has counts
// from then on, also what nobody had told it to be agreed; where it ends is kept, see Promoted. No
// replica may run on the store; it must be closed, and opened anew before one does.
//
// Whoever lives on under the old generation must never be heard again: that no node of it still
// serves is for people to know.
func (s *Store) Promote(p Promotion) error {
	const op = "promote the site"
	if err := s.err(); err != nil {
		return err
	}
	s.applying.Lock()
	defer s.applying.Unlock()
	former, err := s.Former()
	if err != nil {
		return err
	}
	id := s.raft.Identity()
	switch before := max(id.Generation, former.Generation); {
	case id.Node == 0:
		return &Error{op, errors.New("the data directory is no node's"), "start the node first"}
	case s.logOnly:
		return &Error{op, errors.New("a witness has no journal"), "promote a node that has one"}
	case p.Generation <= before:
		return &Error{op, fmt.Errorf("generation %d isn't above %d", p.Generation, before),
			"take a higher one"}
	case s.position.index == 0:
		return &Error{op, errors.New("the node never had anything of the cluster's"),
			"restore a backup instead"}
	}
	if p.Last, p.Head, err = s.tail(); err != nil {
		return err
	}
	b := s.db.NewBatch()
	if err := s.raft.Promote(b, p.Generation, s.position.index, termsBy(p.At)); err != nil {
		return errors.Join(err, b.Close())
	}
	set(b, []byte(aboutPromotion), p.value())
	_ = b.Delete([]byte(aboutClaim), nil)
	if err := s.commitAside(b); err != nil {
		return err
	}
	return s.raft.Reload()
}

// tail is where the journal ends with all that the log has brought, agreed or not.
func (s *Store) tail() (uint64, journal.Hash, error) {
	it, err := s.db.NewIter(within([]byte{familyChunk}))
	if err != nil {
		return 0, journal.Hash{}, err
	}
	c := chunks{it: it, keys: s.keys}
	ok, err := c.moved(it.Last())
	if err = errors.Join(err, it.Close()); err != nil || !ok {
		return s.position.last, s.position.head, err
	}
	return c.chunk.Last(), c.chunk.Hash, nil
}

// Adopt puts the directory of a node that has nothing yet into a higher generation: its cluster was
// promoted before it joins. No replica may run on the store.
func (s *Store) Adopt(generation uint64) error {
	if err := s.err(); err != nil {
		return err
	}
	s.applying.Lock()
	defer s.applying.Unlock()
	id := s.raft.Identity()
	if id.Node == 0 || s.position.index > 0 || generation <= id.Generation {
		return &Error{"join the promoted site", errors.New("the data directory isn't a new node's"),
			"keep it for `cardswitch cluster window`, and begin with an empty one"}
	}
	id.Generation = generation
	b := s.db.NewBatch()
	if err := s.raft.Found(b, id, nil, 0); err != nil {
		return errors.Join(err, b.Close())
	}
	if err := s.commitAside(b); err != nil {
		return err
	}
	return s.raft.Reload()
}
