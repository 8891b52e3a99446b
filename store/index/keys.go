package index

import (
	"encoding/binary"

	"cardswitch/store/journal"
)

// indexVersion changes with the keys or with what they mean: an index of another version is thrown
// away and rebuilt from the journal.
const indexVersion = 2

// The keys of the index. Everything carries a record's sequence number early, so that what is
// written together lies together, flushed tables seldom overlap, and retention drops ranges.
//
//	c<bucket 4><first entry 8>        a piece of a bucket's list of cards
//	f                                 how far the index is, and where a restart must begin
//	l<local time 4><bucket 4>         in this bucket there are questions of these ten minutes
//	n<center 2>                       newest local time among a center's questions
//	q<bucket 4><first entry 8>        a piece of its list of questions
//	r<bucket 4><first entry 8>        a piece of its list of retrieval reference numbers
//	t<txn 8><seq 8>                   the later records of a transaction
//	v                                 the version of all this
const (
	familyCard      = 'c'
	familyFloor     = 'f'
	familyTimes     = 'l'
	familyNewest    = 'n'
	familyQuestion  = 'q'
	familyReference = 'r'
	familyRecords   = 't'
	familyVersion   = 'v'
)

func pieceKey(family byte, bucket uint32, entry uint64) []byte {
	b := binary.BigEndian.AppendUint32([]byte{family}, bucket)
	return binary.BigEndian.AppendUint64(b, entry)
}

func appendRecordKey(b []byte, txn, seq uint64) []byte {
	b = binary.BigEndian.AppendUint64(append(b, familyRecords), txn)
	return binary.BigEndian.AppendUint64(b, seq)
}

func appendTimes(b []byte, minutes, bucket uint32) []byte {
	b = binary.BigEndian.AppendUint32(append(b, familyTimes), minutes)
	return binary.BigEndian.AppendUint32(b, bucket)
}

func newestKey(center uint16) []byte {
	return binary.BigEndian.AppendUint16([]byte{familyNewest}, center)
}

// minutesOf is the ten minutes of a question's local time: YYMMDDhhm.
func minutesOf(k *journal.Key) uint32 { return uint32(k.LocalTime() / 1000) }
