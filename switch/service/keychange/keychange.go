// Package keychange is what 1804 messages with function code 811 say about keys that they bring.
//
// Element 53 of the request names the key, element 96 holds it, as an X9.143 key block under the
// key block protection key of the two centers. The answer repeats element 53, and its element 96 is
// the check value that the receiver has computed: only when the sender has compared it is the key
// used. The layout is cardswitch's own (ISO 13492 isn't public), so partners find it here:
//
//	element 53 of 1804/811 and 1814: 6 bytes
//	0     1, this layout
//	1     purpose: 1 PIN key, 2 MAC key, 3 link key, 4 data key
//	2     direction: 1 what the sender of the 1804 protects, 2 what its receiver protects,
//	      3 both ways (a link key)
//	3     0
//	4..5  generation of the key, the highest byte first; each key's is higher than the one before
//
//	element 96 of 1804/811: the key block, in its own characters; absent, it asks the other side for
//	      a new key, and byte 4..5 are 0
//	element 96 of 1814: the check value in hexadecimal capitals: of an AES key CMAC of a block of
//	      zeros, its first five bytes; of a TDES key a block of zeros encrypted, its first three
//
// A key block is of version D (from partners also B and E), its header says what the key is for,
// and nothing else is taken: usage and mode are P0 B (PIN key), M6 C or of TDES M3 C (MAC key),
// B3 X (link key, of AES), D0 B (data key); key version 00; exportability N (also E and S are
// taken); key context 2, exchange. A link key has 32 bytes, or 16. The 1804 also has elements 11,
// 12, 24, 93 and 94.
//
// An order may come again, also over another connection, since answers get lost: it is the same key
// and gets the same answer. Other orders are refused, and change nothing:
//
//	904  elements 53 and 96 don't bring a key; this answer has no element 53
//	917  the generation is there and is another key
//	918  there is no key block protection key, or there are no keys
//	921  the block is wrong or not of this purpose, the generation is not higher than those before,
//	     or the receiver doesn't make the key that is asked for
//
// Who makes a key that the other side protects with accepts it from the moment that it leaves: the
// other side may use it with its answer. Where messages have codes, element 53 is that of package
// keying with this order behind it, and the code is under the key that it names, old or new.
//
// A link key comes over the link that it is for. Its receiver installs it on every connection of
// the link before it answers; each side then changes over when it likes, with any frame. A side
// whose key was taken by nobody forgets it: a connection whose handshake chose a generation before
// the newest begins under that.
package keychange

import (
	"encoding/binary"
	"errors"

	"cardswitch/hsm/keyring"
)

// Size is the bytes of element 53.
const Size = 6

// layout is the first byte.
const layout = 1

// Order is what element 53 says.
type Order struct {
	Purpose    keyring.Purpose
	Direction  Direction
	Generation uint16 // 0 asks for a key
}

// Direction says whose data a key protects, seen from the sender of the 1804.
type Direction uint8

// The directions.
const (
	Sender   Direction = 1
	Receiver Direction = 2
	BothWays Direction = 3
)

// purposes in the order of their numbers, from 1.
func purposes() []keyring.Purpose {
	return []keyring.Purpose{keyring.ZPK, keyring.ZAK, keyring.ZEK, keyring.Data}
}

// What can be wrong with element 53.
var (
	ErrLayout  = errors.New("not six bytes of layout 1")
	ErrPurpose = errors.New("no such purpose")
	ErrWay     = errors.New("no such direction for this purpose")
)

// Append writes element 53.
func (o Order) Append(dst []byte) []byte {
	number := byte(0)
	for i, p := range purposes() {
		if p == o.Purpose {
			number = byte(i + 1)
		}
	}
	return binary.BigEndian.AppendUint16(append(dst, layout, number, byte(o.Direction), 0),
		o.Generation)
}

// Parse reads element 53.
func Parse(b []byte) (Order, error) {
	if len(b) != Size || b[0] != layout || b[3] != 0 {
		return Order{}, ErrLayout
	}
	known := purposes()
	if b[1] == 0 || int(b[1]) > len(known) {
		return Order{}, ErrPurpose
	}
	o := Order{known[b[1]-1], Direction(b[2]), binary.BigEndian.Uint16(b[4:])}
	both := o.Purpose == keyring.ZEK
	if both != (o.Direction == BothWays) || o.Direction < Sender || o.Direction > BothWays {
		return Order{}, ErrWay
	}
	return o, nil
}

// Sent is the order for a key of ours that goes to its center.
func Sent(id keyring.ID) Order {
	o := Order{Purpose: id.Slot.Purpose, Generation: id.Generation, Direction: BothWays}
	switch id.Slot.Direction {
	case keyring.Out:
		o.Direction = Sender
	case keyring.In:
		o.Direction = Receiver
	}
	return o
}

// Slot is the place of the key of an order that a center sent over one of its links.
func (o Order) Slot(center, link string) keyring.Slot {
	slot := keyring.Slot{Purpose: o.Purpose, Center: center}
	switch o.Direction {
	case Sender:
		slot.Direction = keyring.In
	case Receiver:
		slot.Direction = keyring.Out
	default:
		slot.Link = link
	}
	return slot
}
