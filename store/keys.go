package store

import (
	"encoding/binary"

	"github.com/cockroachdb/pebble/v2"
)

// The keys of the journal's Pebble. The derived index has its own Pebble and its own keys.go.
//
//	a<name>           about the store: version, key, anchor, key store, position, promotion
//	j<first seq 8>    a chunk of records
//	n<id 2>           a name of the registry
//	r...              the log that the nodes agree by, see raftlog
//	q<center 2><id 8> an advice owed to a center
//	s<first seq 8>    a segment: from this record on it is the day of the value
//	t<total.Key 12>   the totals of a center's day
//	v<key>            a table beside the journal, see vault/keys.go and negative/keys.go
//	w<id 8>           an entry of the work list
const (
	familyAbout    = 'a'
	familyChunk    = 'j'
	familyName     = 'n'
	familyQueue    = 'q'
	familyRaft     = 'r'
	familySegment  = 's'
	familyTotals   = 't'
	familyBeside   = 'v'
	familyWorkList = 'w'
)

const (
	aboutVersion = "aversion"
	aboutKey     = "akey"
	aboutAnchor  = "aanchor"
	// aboutKeyStore is the version of the key store, which is elsewhere; see KeyWitness.
	aboutKeyStore = "akeystore"
	// aboutPosition is how far the log is applied; without one, nothing was ever agreed.
	aboutPosition = "aposition"
	// aboutFormer is whose the directory was before it was copied and brought back, see Disown.
	aboutFormer = "aformer"
	// aboutFormerMembers are those of the cluster then, see FormerMembers.
	aboutFormerMembers = "amembers"
	// aboutClaim is there until people have agreed that a journal that was brought back goes on.
	aboutClaim = "aclaim"
	// aboutPromotion is where the journal ended when its site was promoted, see Promotion.
	aboutPromotion = "apromotion"
)

func seqKey(family byte, seq uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{family}, seq)
}

func queueKey(center uint16, id uint64) []byte {
	return binary.BigEndian.AppendUint64(queuePrefix(center), id)
}

func queuePrefix(center uint16) []byte {
	return binary.BigEndian.AppendUint16([]byte{familyQueue}, center)
}

// after is the first key that doesn't begin with prefix. No prefix here is all 0xff.
func after(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}

// within bounds an iterator to the keys that begin with prefix.
func within(prefix []byte) *pebble.IterOptions {
	return &pebble.IterOptions{LowerBound: prefix, UpperBound: after(prefix)}
}
