package envelope

import "encoding/binary"

// The layout of a frame; doc.go draws it.
const (
	headerSize = 24
	tagSize    = 16 // AES-GCM
	magic      = 0xE8
	version    = 1

	typeData     = 0
	typeHello    = 1
	typeAck      = 2
	typeFinished = 3
	typeClose    = 4
	typeTerm     = 5

	nonceSize = 32
	// MaxLink is the longest link id.
	MaxLink = 64
	// MaxHello bounds a hello or its answer, before anything of it is looked at.
	MaxHello = 2048
	// MaxFrame bounds every frame: it fits a length of two bytes.
	MaxFrame = 1<<16 - 1
	// hardStop is the number of frames that no key outlives.
	hardStop = 1 << 32

	optionPadding = 1
	optionShare   = 2
	optionTerm    = 3
	optionStandby = 4
	termSize      = 8
	mostSuites    = 16

	// What a close says.
	closeOrderly = 0
	closeAlert   = 1
)

// side is who speaks; also bit 0 of the flags.
type side uint8

const (
	initiator side = 0
	acceptor  side = 1
)

func (s side) other() side { return s ^ 1 }

// letter names the side in the finished proof.
func (s side) letter() string {
	if s == initiator {
		return "i"
	}
	return "a"
}

// way names the direction of what the side sends.
func (s side) way() string {
	if s == initiator {
		return "i2a"
	}
	return "a2i"
}

// Suite is a choice of algorithms.
type Suite uint8

// The suites.
const (
	// GCM is AES-256-GCM.
	GCM Suite = 1
	// TDES is three-key TDES-CBC with an X9.19 MAC. It is for peers that have nothing better: NIST
	// disallows it for encryption since 2024. Whoever allows it should warn and show it.
	TDES Suite = 0x81
)

// String is the suite's name.
func (s Suite) String() string {
	switch s {
	case GCM:
		return "AES-256-GCM"
	case TDES:
		return "TDES-CBC+X9.19"
	}
	return "unknown suite"
}

// header is the first 24 bytes of a frame.
type header struct {
	kind       uint8
	suite      Suite
	from       side
	generation uint16
	epoch      uint16
	session    [8]byte
	sequence   uint64
}

func (h *header) put(b []byte) {
	_ = b[headerSize-1]
	b[0], b[1], b[2], b[3] = magic, version<<4|h.kind, byte(h.suite), byte(h.from)
	binary.BigEndian.PutUint16(b[4:], h.generation)
	binary.BigEndian.PutUint16(b[6:], h.epoch)
	copy(b[8:], h.session[:])
	binary.BigEndian.PutUint64(b[16:], h.sequence)
}

// readHeader takes the header of a frame that has one.
func readHeader(b []byte) (header, Cause) {
	if len(b) < headerSize {
		return header{}, Short
	}
	h := header{
		kind:       b[1] & 0x0F,
		suite:      Suite(b[2]),
		from:       side(b[3] & 1),
		generation: binary.BigEndian.Uint16(b[4:]),
		epoch:      binary.BigEndian.Uint16(b[6:]),
		session:    [8]byte(b[8:16]),
		sequence:   binary.BigEndian.Uint64(b[16:]),
	}
	switch {
	case b[0] != magic:
		return h, WrongMagic
	case b[1]>>4 != version:
		return h, WrongVersion
	case b[3]>>1 != 0:
		return h, WrongFlags
	}
	return h, None
}

// alert is the one frame that says, in clear, that the handshake is refused: always these bytes.
func alert(from side) []byte {
	b := make([]byte, headerSize)
	h := header{kind: typeClose, from: from}
	h.put(b)
	return b
}

// isAlert tells whether a frame is the other side's alert in clear. Anyone can send it, so it is
// only a word for the log: the connection would end without it too.
func isAlert(b []byte, from side) bool {
	h, fault := readHeader(b)
	return fault == None && len(b) == headerSize && h == header{kind: typeClose, from: from}
}
