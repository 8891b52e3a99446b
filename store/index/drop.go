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
	for _, family := range []byte{familyCard, familyReference, familyQuestion} {
		from := []byte{family, 0, 0, 0, 0}
		drop(from, binary.BigEndian.AppendUint32([]byte{family}, bucketOf(segment)))
	}
	drop(append([]byte{familyRecords}, zero[:8]...),
		binary.BigEndian.AppendUint64([]byte{familyRecords}, segment))
	x.mu.Lock()
	for minutes, buckets := range x.times {
		buckets = slices.DeleteFunc(buckets, func(number uint32) bool {
			old := number < bucketOf(segment)
			if old {
				_ = b.Delete(appendTimes(nil, minutes, number), nil)
			}
			return old
		})
		if x.times[minutes] = buckets; len(buckets) == 0 {
			delete(x.times, minutes)
		}
	}
	x.mu.Unlock()
	return b.Commit(pebble.NoSync)
}
