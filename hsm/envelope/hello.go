package envelope

import (
	"encoding/binary"
	"slices"
)

// hello is what the initiator says first.
type hello struct {
	generation uint16 // proposed
	session    [8]byte
	nonce      [nonceSize]byte
	link       string
	suites     []Suite
	options
}

// options are those of a hello or its answer.
type options struct {
	padding bool
	share   []byte  // nil if there is none
	term    *uint64 // nil if it isn't said
	standby bool    // the session waits for the initiator's term
}

// ack is the acceptor's answer.
type ack struct {
	suite      Suite  // chosen
	generation uint16 // chosen
	session    [8]byte
	nonce      [nonceSize]byte
	options
}

// validLink tells whether a link id may be one: 1 to 64 printable characters without blanks.
func validLink(link string) bool {
	if len(link) == 0 || len(link) > MaxLink {
		return false
	}
	for i := range len(link) {
		if link[i] <= ' ' || link[i] > '~' {
			return false
		}
	}
	return true
}

func (h *hello) frame() []byte {
	b := make([]byte, headerSize, MaxHello)
	head := header{kind: typeHello, from: initiator, generation: h.generation, session: h.session}
	head.put(b)
	b = append(b, h.nonce[:]...)
	b = append(b, byte(len(h.link)))
	b = append(b, h.link...)
	b = append(b, byte(len(h.suites)))
	for _, s := range h.suites {
		b = append(b, byte(s))
	}
	return h.options.append(b)
}

func (a *ack) frame() []byte {
	b := make([]byte, headerSize, MaxHello)
	head := header{
		kind: typeAck, suite: a.suite, from: acceptor, generation: a.generation, session: a.session,
	}
	head.put(b)
	b = append(b, a.nonce[:]...)
	return a.options.append(b)
}

func (o *options) append(b []byte) []byte {
	if o.padding {
		b = append(b, optionPadding, 0, 0)
	}
	if o.share != nil {
		b = append(b, optionShare)
		b = binary.BigEndian.AppendUint16(b, uint16(len(o.share)))
		b = append(b, o.share...)
	}
	if o.term != nil {
		b = append(b, optionTerm, 0, termSize)
		b = binary.BigEndian.AppendUint64(b, *o.term)
	}
	if o.standby {
		b = append(b, optionStandby, 0, 0)
	}
	return b
}

// readHello takes a hello apart. The share refers to the frame.
func readHello(frame []byte) (hello, Cause) {
	var h hello
	head, fault := readOpening(frame, typeHello, initiator)
	switch {
	case fault != None:
		return h, fault
	case head.suite != 0:
		return h, WrongSuite
	}
	h.generation, h.session = head.generation, head.session
	b := frame[headerSize+copy(h.nonce[:], frame[headerSize:]):]
	link, b, ok := counted(b)
	if !ok || !validLink(string(link)) {
		return h, BadHello
	}
	h.link = string(link)
	suites, b, ok := counted(b)
	if !ok || len(suites) == 0 || len(suites) > mostSuites {
		return h, BadHello
	}
	for _, s := range suites {
		if slices.Contains(h.suites, Suite(s)) {
			return h, BadHello
		}
		h.suites = append(h.suites, Suite(s))
	}
	// Options that we don't know are of a later time: they change nothing here, and both sides
	// prove that they saw them.
	h.options, ok = readOptions(b, helloShareSize, false)
	if !ok || h.standby && (h.term == nil || *h.term != 0) {
		return h, BadHello
	}
	return h, None
}

// readAck takes the answer to a hello apart. The share refers to the frame.
func readAck(frame []byte) (ack, Cause) {
	var a ack
	head, fault := readOpening(frame, typeAck, acceptor)
	if fault != None {
		return a, fault
	}
	a.suite, a.generation, a.session = head.suite, head.generation, head.session
	b := frame[headerSize+copy(a.nonce[:], frame[headerSize:]):]
	var ok bool
	a.options, ok = readOptions(b, ackShareSize, true)
	if !ok || a.standby && a.term == nil {
		return a, BadHello
	}
	return a, None
}

// readOpening takes the header of a frame in clear, which also has a nonce.
func readOpening(frame []byte, kind uint8, from side) (header, Cause) {
	if len(frame) > MaxHello {
		return header{}, TooLong
	}
	head, fault := readHeader(frame)
	switch {
	case fault != None:
		return head, fault
	case head.kind != kind:
		return head, WrongType
	case head.from != from:
		return head, WrongDirection
	case head.epoch != 0:
		return head, WrongEpoch
	case head.sequence != 0:
		return head, WrongSequence
	case len(frame) < headerSize+nonceSize:
		return head, Short
	}
	return head, None
}

// counted cuts a byte of length, and what it counts.
func counted(b []byte) (value, rest []byte, ok bool) {
	if len(b) == 0 || len(b)-1 < int(b[0]) {
		return nil, nil, false
	}
	n := 1 + int(b[0])
	return b[1:n], b[n:], true
}

// readOptions reads options to the end: type, length of two bytes, value; types ascend. Strict
// takes none that it doesn't know.
func readOptions(b []byte, shareSize int, strict bool) (o options, ok bool) {
	last := byte(0)
	for len(b) > 0 {
		if len(b) < 3 || b[0] <= last {
			return options{}, false
		}
		last = b[0]
		n := 3 + int(binary.BigEndian.Uint16(b[1:]))
		if len(b) < n {
			return options{}, false
		}
		value := b[3:n]
		b = b[n:]
		switch {
		case last == optionPadding && len(value) == 0:
			o.padding = true
		case last == optionShare && len(value) == shareSize:
			o.share = value
		case last == optionTerm && len(value) == termSize:
			o.term = new(binary.BigEndian.Uint64(value))
		case last == optionStandby && len(value) == 0:
			o.standby = true
		case last <= optionStandby, strict:
			return options{}, false
		}
	}
	return o, true
}
