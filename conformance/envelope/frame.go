package envelope

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Suite is a way of sealing frames, section 6.
type Suite byte

// The suites.
const (
	GCM  Suite = 0x01 // AES-256-GCM
	TDES Suite = 0x81 // three-key TDES-CBC and the MAC of X9.19, where an old peer has nothing else
)

func (s Suite) String() string {
	switch s {
	case GCM:
		return "AES-256-GCM"
	case TDES:
		return "TDES-CBC with X9.19"
	}
	return fmt.Sprintf("suite %02x", byte(s))
}

const (
	magic      = 0xe8
	headerSize = 24
	maxFrame   = 65535
	maxHello   = 2048
)

// kind is a type of frame.
type kind byte

const (
	data     kind = 0
	hello    kind = 1
	helloAck kind = 2
	finished kind = 3
	closing  kind = 4
	raising  kind = 5
)

// header is the first 24 bytes of a frame.
type header struct {
	kind       kind
	suite      Suite
	direction  byte // 0 from the initiator, 1 from the acceptor
	generation uint16
	epoch      uint16
	session    [8]byte
	sequence   uint64
}

func (h header) bytes() []byte {
	b := make([]byte, 0, headerSize)
	b = append(b, magic, 1<<4|byte(h.kind), byte(h.suite), h.direction)
	b = binary.BigEndian.AppendUint16(b, h.generation)
	b = binary.BigEndian.AppendUint16(b, h.epoch)
	b = append(b, h.session[:]...)
	return binary.BigEndian.AppendUint64(b, h.sequence)
}

// split takes a frame apart. It refuses what no frame of version 1 can have.
func split(frame []byte) (header, []byte, error) {
	if len(frame) < headerSize {
		return header{}, nil, fmt.Errorf("a frame of %d bytes", len(frame))
	}
	if len(frame) > maxFrame {
		return header{}, nil, errors.New("a frame that is too long")
	}
	h := header{
		kind:       kind(frame[1] & 0xf),
		suite:      Suite(frame[2]),
		direction:  frame[3],
		generation: binary.BigEndian.Uint16(frame[4:]),
		epoch:      binary.BigEndian.Uint16(frame[6:]),
		session:    [8]byte(frame[8:]),
		sequence:   binary.BigEndian.Uint64(frame[16:]),
	}
	switch {
	case frame[0] != magic:
		return h, nil, errors.New("the magic is another")
	case frame[1]>>4 != 1:
		return h, nil, fmt.Errorf("version %d", frame[1]>>4)
	case h.kind > raising:
		return h, nil, fmt.Errorf("frame type %d", h.kind)
	case h.direction > 1:
		return h, nil, errors.New("unknown flags")
	}
	return h, frame[headerSize:], nil
}

// clearAlert is the alert of an end that has no keys yet, section 11.
func clearAlert(direction byte) []byte {
	return append([]byte{magic, 0x14, 0, direction}, make([]byte, 20)...)
}
