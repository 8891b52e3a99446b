package vault

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
)

// The keys of the vault's tables, behind the byte that the store puts before them. A card's hash is
// HMAC-SHA-256 over its digits; no key holds a number.
//
//	a                          about the vault: version 1, serial of the key file 8
//	m<card's hash 32><scope>   the token of a card in a scope, for as long as it isn't deleted
//	o<card's hash 32><token>   a single-use token of the card
//	r                          how far a re-keying is: its data key 4, the last token done
//	t<token>                   what stands behind a token, see entry.go
//	x<expires 8><token>        when a single-use token ends: unix seconds
const (
	familyAbout   = 'a'
	familyMulti   = 'm'
	familyOnce    = 'o'
	familyRekey   = 'r'
	familyToken   = 't'
	familyExpires = 'x'
)

func tokenKey(t Token) []byte { return append([]byte{familyToken}, t...) }

func multiKey(card [sha256.Size]byte, scope string) string {
	return string(append(append([]byte{familyMulti}, card[:]...), scope...))
}

func onceKey(card [sha256.Size]byte, t Token) []byte {
	return append(append([]byte{familyOnce}, card[:]...), t...)
}

func expiresKey(at int64, t Token) []byte {
	return append(binary.BigEndian.AppendUint64([]byte{familyExpires}, uint64(at)), t...)
}

// ofCard bounds the keys of a family that belong to a card.
func ofCard(family byte, card [sha256.Size]byte) (from, to []byte) {
	from = append([]byte{family}, card[:]...)
	to = append([]byte(nil), from...)
	for i := len(to) - 1; i >= 0; i-- {
		if to[i]++; to[i] != 0 {
			break
		}
	}
	return from, to
}

// allOf bounds the keys of a family.
func allOf(family byte) (from, to []byte) { return []byte{family}, []byte{family + 1} }

// expiredBy bounds the keys of the tokens that have ended at a time.
func expiredBy(now int64) (from, to []byte) {
	return []byte{familyExpires}, expiresKey(min(now, math.MaxInt64-1)+1, "")
}
