package cardswitch

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"

	"cardswitch/routing"
	"cardswitch/store/journal"
)

// The routing tables that were in use are kept beside the journal, each under the number of the
// record that says since when, so that `journal explain` can ask the table of the time. They cost
// the path nothing. Those that no record in the journal is from any more are dropped.

// familyRoutes begins their keys, among those beside the journal: k<first seq 8>.
const familyRoutes = 'k'

func routesKey(seq uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{familyRoutes}, seq)
}

// Books are what is kept beside the journal.
type Books interface {
	Scan(from, to []byte, fn func(key, value []byte) bool) error
}

// RoutesAt is the routing table that was in use when a record was written, and since which record.
// ok is false if the books don't know it.
func RoutesAt(b Books, seq uint64) (t *routing.Table, since uint64, ok bool, err error) {
	var value []byte
	err = b.Scan(routesKey(0), routesKey(seq+1), func(k, v []byte) bool {
		since, value = binary.BigEndian.Uint64(k[1:]), append(value[:0], v...)
		return true
	})
	if err != nil || value == nil {
		return nil, 0, false, err
	}
	var kept routing.Kept
	if err = json.Unmarshal(value, &kept); err == nil {
		t, err = kept.Table()
	}
	if err != nil {
		return nil, since, false, fmt.Errorf("the routing table since record %d: %w", since, err)
	}
	return t, since, true, nil
}

// noteTables journals an event since which the present tables are in use, and keeps the routing
// table with it if it is another one than before.
func (s *Switch) noteTables(text string) {
	now, gone, err := s.routesChanged()
	if err != nil {
		s.log.Error("the routing table can't be kept for `journal explain`", "error", err)
	}
	s.mu.Lock()
	s.rec = journal.Record{At: s.now(), Kind: journal.Event, Text: text}
	seq := s.pending.batch.Append(&s.rec)
	if now != nil {
		s.pending.batch.Set(routesKey(seq), now)
	}
	for _, since := range gone {
		s.pending.batch.Delete(routesKey(since))
	}
	s.mu.Unlock()
	s.kick()
}

// routesChanged gives what the present routing table was made of if it isn't what was kept last,
// and since when those were in use that can be dropped.
func (s *Switch) routesChanged() (now []byte, gone []uint64, err error) {
	if now, err = json.Marshal(s.tables.Load().routes.Kept()); err != nil {
		return nil, nil, err
	}
	same, kept := false, []uint64(nil)
	err = s.store.Scan(routesKey(0), []byte{familyRoutes + 1}, func(k, v []byte) bool {
		kept, same = append(kept, binary.BigEndian.Uint64(k[1:])), bytes.Equal(v, now)
		return true
	})
	if same || err != nil {
		now = nil
	}
	return now, outlived(kept, s.store.FirstSeq()), err
}

// outlived are the tables that ended, because the next one began, before the journal's first record
// or with it. since is in rising order.
func outlived(since []uint64, first uint64) []uint64 {
	for len(since) > 1 && since[len(since)-1] > first {
		since = since[:len(since)-1]
	}
	return since[:max(len(since)-1, 0)]
}
