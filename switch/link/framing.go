package link

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
)

const tpduSize = 5

// lengthKind is how a length header is written; its value is the header's size where that tells
// them apart.
type lengthKind uint8

const (
	binary2 lengthKind = iota + 1
	binary4
	ascii4
)

var lengthKinds = map[string]lengthKind{"binary2": binary2, "binary4": binary4, "ascii4": ascii4}

// limit is the largest length that the header can write.
func (k lengthKind) limit() int {
	switch k {
	case binary2:
		return 1<<16 - 1
	case ascii4:
		return 9999
	}
	return 1<<31 - 1
}

// framing is a Framing compiled.
type framing struct {
	length    lengthKind
	head      int // bytes of the length header
	own       int // bytes that the length counts of itself
	tpdu      bool
	header    []byte // the fixed header, or our own TPDU
	max       int    // bytes after the length header, once an envelope is opened
	wire      int    // the same as it travels
	keepAlive bool
}

// compile checks the framing; bound is the one on a frame, to which an envelope adds extra bytes.
func (f *Framing) compile(bound, extra int, keepAlive bool) (framing, error) {
	out := framing{head: 4, tpdu: f.TPDU, max: bound, wire: bound + extra, keepAlive: keepAlive}
	var ok bool
	if out.length, ok = lengthKinds[f.Length]; !ok {
		return out, fmt.Errorf("length %q is unknown; use binary2, binary4 or ascii4", f.Length)
	}
	if out.length == binary2 {
		out.head = 2
	}
	if f.Inclusive {
		out.own = out.head
	}
	header, err := hex.DecodeString(f.Header)
	if err != nil {
		return out, fmt.Errorf("header %q is not hex; write two digits a byte", f.Header)
	}
	if f.TPDU && len(header) == 0 {
		header = []byte{0x60, 0, 0, 0, 0}
	}
	if f.TPDU && len(header) != tpduSize {
		return out, fmt.Errorf("a TPDU has 5 bytes, header has %d; it is our own TPDU", len(header))
	}
	out.header = header
	if top := out.length.limit() - out.own - extra; bound > top {
		return out, fmt.Errorf("frames of %d bytes don't fit a length of %s; use at most %d",
			bound, f.Length, top)
	}
	if bound <= len(header) {
		return out, fmt.Errorf("frames of %d bytes have no room for a message", bound)
	}
	return out, nil
}

// cut finds the first frame in b. Size is how many bytes it takes with its length header, 0 if b
// doesn't hold all of it yet; body is what follows the length header.
func (f *framing) cut(b []byte) (body []byte, size int, fault Cause) {
	if len(b) < f.head {
		return nil, 0, 0
	}
	n, ok := f.read(b)
	switch {
	case !ok || n < f.own:
		return nil, 0, LengthFault
	case n-f.own > f.wire:
		return nil, 0, TooLong
	}
	size = f.head + n - f.own
	if len(b) < size {
		return nil, 0, 0
	}
	return b[f.head:size], size, 0
}

// read is the value of the length header.
func (f *framing) read(b []byte) (int, bool) {
	switch f.length {
	case binary2:
		return int(binary.BigEndian.Uint16(b)), true
	case binary4:
		n := binary.BigEndian.Uint32(b)
		return int(n), n < 1<<31
	}
	n := 0
	for _, c := range b[:4] {
		// Digits only: a sign or a blank that a number parser would take is a lost stream.
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}

// split takes TPDU or header off a body that isn't empty.
func (f *framing) split(body []byte) (Prefix, []byte, Cause) {
	if len(body) < len(f.header) {
		return Prefix{}, nil, ShortFrame
	}
	if f.tpdu {
		return Prefix(body[:tpduSize]), body[tpduSize:], 0
	}
	if !bytes.Equal(body[:len(f.header)], f.header) {
		return Prefix{}, nil, WrongHeader
	}
	return Prefix{}, body[len(f.header):], 0
}

// overhead is how many bytes append writes before the message.
func (f *framing) overhead() int { return f.head + len(f.header) }

// append writes frame with all that goes before it. A prefix that isn't zero is the TPDU of the
// message that frame answers.
func (f *framing) append(dst, frame []byte, prefix Prefix) []byte {
	dst = f.appendLength(dst, len(f.header)+len(frame))
	if f.tpdu && prefix != (Prefix{}) {
		answer := prefix.answer()
		dst = append(dst, answer[:]...)
	} else {
		dst = append(dst, f.header...)
	}
	return append(dst, frame...)
}

// appendLength writes the length header before n bytes.
func (f *framing) appendLength(dst []byte, n int) []byte {
	n += f.own
	switch f.length {
	case binary2:
		return binary.BigEndian.AppendUint16(dst, uint16(n))
	case binary4:
		return binary.BigEndian.AppendUint32(dst, uint32(n))
	}
	return append(dst, byte('0'+n/1000), byte('0'+n/100%10), byte('0'+n/10%10), byte('0'+n%10))
}
