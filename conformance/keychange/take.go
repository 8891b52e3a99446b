package keychange

import (
	"encoding/binary"
	"errors"

	"cardswitch/conformance/envelope"
	"cardswitch/conformance/format"
	"cardswitch/conformance/keyblock"
	"cardswitch/conformance/wire"
)

// Answer says what a partner answers to a 1804 with function code 811, and what it does when the
// answer has left. A key is on all connections of the link before it returns. Without a key block
// protection key, nothing is taken; a nil zone takes none of codes and PINs.
func Answer(kbpk keyblock.Protection, e *wire.Envelope, z Zone, m *format.Message) (
	*format.Message, Then) {
	o, err := parseOrder(m.Get(53))
	switch {
	case err != nil || m.Has(96) == (o.generation == 0):
		return format.Answer(m, Malformed), Nothing
	case len(kbpk) == 0:
		return reply(m, NoKeys), Nothing
	case o.zoned() && z != nil && o.generation != 0:
		check, err := takeZone(kbpk, z, o, m)
		return outcome(m, check, err, Took)
	case o.purpose != linkKey || e == nil:
		return reply(m, Refused), Nothing
	case o.generation == 0:
		return reply(m, Done), Make
	}
	k, err := Take(kbpk, e, m.Get(53), m.Get(96))
	return outcome(m, k.Check, err, Use)
}

// outcome is the answer to a key that was taken, or not.
func outcome(m *format.Message, check string, err error, then Then) (*format.Message, Then) {
	switch {
	case errors.Is(err, wire.ErrAnotherKey):
		return reply(m, OutOfStep), Nothing
	case err != nil:
		return reply(m, Refused), Nothing
	}
	return reply(m, Done).Set(96, check), then
}

// reply has element 53 as it came, as every answer has whose order could be read.
func reply(m *format.Message, action string) *format.Message {
	return format.Answer(m, action).Set(53, m.Get(53))
}

// Generation is that of the key that a 1804 with function code 811 is about.
func Generation(m *format.Message) uint16 {
	o, _ := parseOrder(m.Get(53))
	return o.generation
}

// open gives a link key out of its block, if it says that it is one.
func open(kbpk keyblock.Protection, block string) (envelope.Key, error) {
	h, key, err := keyblock.Open(kbpk, block)
	if err != nil {
		return nil, err
	}
	if h.Usage != header().Usage || h.Algorithm != header().Algorithm || h.Mode != header().Mode {
		return nil, errors.New("a key for something else")
	}
	return key, nil
}

// header is that of a link key: it derives keys of AES, and nobody passes it on.
func header() keyblock.Header {
	return keyblock.Header{Usage: "B3", Algorithm: 'A', Mode: 'X', Version: "00", Export: 'N',
		Context: '2'}
}

// order is what element 53 says.
type order struct {
	purpose    byte
	direction  byte
	generation uint16 // 0 asks for a key
}

const (
	layout   = 1
	linkKey  = 3
	bothWays = 3
)

func parseOrder(v string) (order, error) {
	if len(v) != 6 || v[0] != layout || v[3] != 0 || v[1] < 1 || v[1] > 4 || v[2] < 1 || v[2] > 3 ||
		(v[1] == linkKey) != (v[2] == bothWays) {
		return order{}, errors.New("element 53 is no order of a key")
	}
	return order{v[1], v[2], binary.BigEndian.Uint16([]byte(v[4:]))}, nil
}

// zoned tells whether it is about a key of codes or PINs.
func (o order) zoned() bool { return o.purpose == pinKey || o.purpose == macKey }

func (o order) text() string {
	return string([]byte{layout, o.purpose, o.direction, 0, byte(o.generation >> 8),
		byte(o.generation)})
}
