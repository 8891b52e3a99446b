package store

import (
	"encoding/binary"
	"errors"
	"fmt"

	"cardswitch/store/journal"

	"github.com/cockroachdb/pebble/v2"
)

// Report is what Verify found out about a sound journal.
type Report struct {
	Chunks  uint64 `json:"chunks"`
	Records uint64 `json:"records"`
	First   uint64 `json:"first"` // Seq of the first record; above 1 by retention
	Last    uint64 `json:"last"`
	Bytes   uint64 `json:"bytes"` // of the chunks as stored
	// Head is the hash of the last chunk; kept elsewhere, it proves this journal's past.
	Head journal.Hash `json:"head"`
}

// anchor is where the chain begins: after retention, with the hash of the last chunk dropped.
type anchor struct {
	first    uint64
	previous journal.Hash
}

func (a *anchor) value() []byte {
	return append(binary.BigEndian.AppendUint64(nil, a.first), a.previous[:]...)
}

func readAnchor(db pebble.Reader) (anchor, error) {
	v, closer, err := db.Get([]byte(aboutAnchor))
	if err != nil {
		return anchor{}, err
	}
	defer closer.Close()
	if len(v) != 8+len(journal.Hash{}) {
		return anchor{}, errors.New("damaged anchor")
	}
	return anchor{binary.BigEndian.Uint64(v), journal.Hash(v[8:])}, nil
}

// Verify reads the whole journal: every seal, every record, the numbers without a gap, and the
// chain from the anchor to the newest chunk. It tells progress now and then how many records it has
// read.
func (s *Store) Verify(progress func(records uint64)) (report Report, err error) {
	known := s.last.Load()
	snapshot := s.db.NewSnapshot()
	defer func() { err = errors.Join(err, snapshot.Close()) }()
	at, err := readAnchor(snapshot)
	if err != nil {
		return report, err
	}
	c, err := s.chunks(snapshot)
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, c.it.Close()) }()
	report = Report{First: at.first, Last: at.first - 1, Head: at.previous}
	for ok, err := c.first(); ok || err != nil; ok, err = c.following() {
		if err != nil {
			return report, err
		}
		if err := report.chunk(c, report.Chunks%64 == 0, progress); err != nil {
			return report, err
		}
	}
	if report.Last < known {
		return report, fmt.Errorf("%w: records %d to %d are missing at the end",
			journal.ErrDamaged, report.Last+1, known)
	}
	return report, nil
}

// chunk checks the open chunk against what came before.
func (r *Report) chunk(c *chunks, tell bool, progress func(uint64)) error {
	h := &c.chunk
	if h.First != r.Last+1 {
		return fmt.Errorf("%w: records %d to %d are missing", journal.ErrDamaged, r.Last+1, h.First-1)
	}
	if h.Previous != r.Head {
		return fmt.Errorf("%w: the chunk at record %d doesn't continue the one before",
			journal.ErrDamaged, h.First)
	}
	if err := c.each(0, func(*journal.Record) error { r.Records++; return nil }); err != nil {
		return err
	}
	r.Chunks++
	r.Bytes += uint64(len(c.it.Value()))
	r.Last, r.Head = h.Last(), h.Hash
	if tell && progress != nil {
		progress(r.Records)
	}
	return nil
}
