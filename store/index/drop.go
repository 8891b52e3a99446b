package index

import (
	"encoding/binary"
	"slices"

	"github.com/cockroachdb/pebble/v2"
)

// DropBefore forgets the transactions that began before a segment.
func (x *Index) DropBefore(segment uint64) error {
	b := x.db.NewBatch()
	var zero [16]byte
	drop := func(from, to []byte) { _ = b.DeleteRange(from, to, nil) }
	for _, family := range []byte{familyCard, familyReference} {
		from := []byte{family, 0, 0, 0, 0}
		drop(from, binary.BigEndian.AppendUint32([]byte{family}, bucketOf(segment)))
	}
	for _, family := range []byte{familyQuestion, familyRecords} {
		drop(append([]byte{family}, zero[:8]...), binary.BigEndian.AppendUint64([]byte{family}, segment))
	}
	x.mu.Lock()
	for date, segments := range x.dates {
		for _, s := range segments {
			if s < segment {
				_ = b.Delete(appendDate(nil, date, s), nil)
			}
		}
		segments = slices.DeleteFunc(segments, func(s uint64) bool { return s < segment })
		if x.dates[date] = segments; len(segments) == 0 {
			delete(x.dates, date)
		}
	}
	x.mu.Unlock()
	return b.Commit(pebble.NoSync)
}
