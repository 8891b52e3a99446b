package keying

import "encoding/binary"

// MACGeneration reads the generation of the MAC key (ZAK) from element 53 of any profile: the
// first six bytes mean the same in all of them. Network management may have other profiles, which
// say more behind these (the exchange of keys), and has a code like every message. False if it is
// too short.
func MACGeneration(value []byte) (zak uint16, ok bool) {
	if len(value) < head {
		return 0, false
	}
	return binary.BigEndian.Uint16(value[3:]), true
}

// SetMACGeneration writes it, in place.
func SetMACGeneration(value []byte, zak uint16) bool {
	if len(value) < head {
		return false
	}
	binary.BigEndian.PutUint16(value[3:], zak)
	return true
}
