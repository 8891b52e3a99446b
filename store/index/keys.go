package index

import (
	"encoding/binary"

	"cardswitch/store/journal"
)

// The keys of the index. Everything carries a record's sequence number early, so that what is
// written together lies together, flushed tables seldom overlap, and retention drops ranges.
//
//	c<bucket 4><first entry 8>        a piece of a bucket's list of cards
//	d<local date 4><segment 8>        in this segment there are questions with this local date
//	f                                 how far the index is, and where a restart must begin
//	k<segment 8><time 6><rest 17>     a question; value: txn 8
//	n<center 2>                       newest local time among a center's questions
//	r<bucket 4><first entry 8>        a piece of its list of retrieval reference numbers
//	t<txn 8><seq 8>                   the later records of a transaction
const (
	familyCard      = 'c'
	familyDate      = 'd'
	familyFloor     = 'f'
	familyQuestion  = 'k'
	familyNewest    = 'n'
	familyReference = 'r'
	familyRecords   = 't'
)

func pieceKey(family byte, bucket uint32, entry uint64) []byte {
	b := binary.BigEndian.AppendUint32([]byte{family}, bucket)
	return binary.BigEndian.AppendUint64(b, entry)
}

// appendQuestion puts the local time before the center: it then grows with the segment.
func appendQuestion(b []byte, segment uint64, k *journal.Key) []byte {
	b = binary.BigEndian.AppendUint64(append(b, familyQuestion), segment)
	b = append(b, k[2:8]...)
	b = append(b, k[0:2]...)
	return append(b, k[8:23]...)
}

func appendRecordKey(b []byte, txn, seq uint64) []byte {
	b = binary.BigEndian.AppendUint64(append(b, familyRecords), txn)
	return binary.BigEndian.AppendUint64(b, seq)
}

func appendDate(b []byte, date uint32, segment uint64) []byte {
	b = binary.BigEndian.AppendUint32(append(b, familyDate), date)
	return binary.BigEndian.AppendUint64(b, segment)
}

func newestKey(center uint16) []byte {
	return binary.BigEndian.AppendUint16([]byte{familyNewest}, center)
}

// dateOf is the YYMMDD of a question's local time.
func dateOf(k *journal.Key) uint32 { return uint32(k.LocalTime() / 1_000_000) }
