package negative

import "encoding/binary"

// The keys of the tables beside the journal, behind the byte that the store puts before them. The
// other table there is the vault's, see vault/keys.go.
//
//	ne<issuer 2><hash 16>        an emergency entry: its terms, then of a release its generation 8
//	nf<issuer 2><generation 8>   what is known of a regular file: Meta
//	nl<issuer 2>                 the load by messages that is under way, or was the last: Load
//	ns<issuer 2><serial 4><number 8>  an entry that a load has brought: hash and terms
const (
	family       = 'n'
	familyEntry  = 'e'
	familyFile   = 'f'
	familyLoad   = 'l'
	familyStaged = 's'
)

func prefix(kind byte, issuer uint16) []byte {
	return binary.BigEndian.AppendUint16([]byte{family, kind}, issuer)
}

func entryKey(issuer uint16, card *Hash) []byte {
	return append(prefix(familyEntry, issuer), card[:]...)
}

func numbered(kind byte, issuer uint16, n uint64) []byte {
	return binary.BigEndian.AppendUint64(prefix(kind, issuer), n)
}

func stagedKey(issuer uint16, serial uint32, number uint64) []byte {
	return binary.BigEndian.AppendUint64(
		binary.BigEndian.AppendUint32(prefix(familyStaged, issuer), serial), number)
}

// allOf bounds the keys of a kind that belong to an issuer.
func allOf(kind byte, issuer uint16) (from, to []byte) {
	from = prefix(kind, issuer)
	if issuer == 1<<16-1 {
		return from, []byte{family, kind + 1}
	}
	return from, prefix(kind, issuer+1)
}
