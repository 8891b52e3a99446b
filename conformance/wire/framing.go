package wire

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// Framing is how a link marks where a message ends. Its fields are those of the switch's own
// configuration, so that one text describes both ends.
type Framing struct {
	Length    string `yaml:"length"`    // binary2 (default), binary4 or ascii4
	Inclusive bool   `yaml:"inclusive"` // the length counts itself
	TPDU      bool   `yaml:"tpdu"`      // five bytes in front, ends swapped in an answer
	Header    string `yaml:"header"`    // fixed bytes in front, in hex
}

// maxFrame bounds what a peer can make us allocate.
const maxFrame = 64 << 10

// framer is a Framing made ready.
type framer struct {
	width, extra int
	ascii, tpdu  bool
	header       []byte
}

func (f Framing) compile() (framer, error) {
	c := framer{width: 2, tpdu: f.TPDU}
	switch f.Length {
	case "", "binary2":
	case "binary4":
		c.width = 4
	case "ascii4":
		c.width, c.ascii = 4, true
	default:
		return c, fmt.Errorf("no length %q; choose binary2, binary4 or ascii4", f.Length)
	}
	if f.Inclusive {
		c.extra = c.width
	}
	header, err := hex.DecodeString(f.Header)
	if err != nil {
		return c, errors.New("header: write the bytes in hex")
	}
	c.header = header
	return c, nil
}

// frame puts length and headers in front of a message. tpdu is that of the question, or nil.
func (f framer) frame(message, tpdu []byte) []byte { return f.long(f.headed(message, tpdu)) }

// headed puts TPDU and header in front of a message.
func (f framer) headed(message, tpdu []byte) []byte {
	var out []byte
	if f.tpdu {
		out = append(out, answerTPDU(tpdu)...)
	}
	return append(append(out, f.header...), message...)
}

// long puts the length in front of what it counts.
func (f framer) long(body []byte) []byte {
	out := make([]byte, 0, f.width+len(body))
	n := uint64(len(body) + f.extra)
	switch {
	case f.ascii:
		out = fmt.Appendf(out, "%04d", n)
	case f.width == 4:
		out = binary.BigEndian.AppendUint32(out, uint32(n))
	default:
		out = binary.BigEndian.AppendUint16(out, uint16(n))
	}
	return append(out, body...)
}

// answerTPDU swaps destination and origin; a question of our own gets a neutral one.
func answerTPDU(tpdu []byte) []byte {
	if len(tpdu) != 5 {
		return []byte{0x60, 0, 0, 0, 0}
	}
	return []byte{tpdu[0], tpdu[3], tpdu[4], tpdu[1], tpdu[2]}
}

// next reads one frame and returns the message and its TPDU.
func (f framer) next(r io.Reader) (message, tpdu []byte, err error) {
	body, err := f.body(r, f.fixed())
	if err != nil {
		return nil, nil, err
	}
	return f.split(body)
}

// fixed is how many bytes stand before a message.
func (f framer) fixed() int {
	if f.tpdu {
		return 5 + len(f.header)
	}
	return len(f.header)
}

// split takes TPDU and header off a message.
func (f framer) split(body []byte) (message, tpdu []byte, err error) {
	if len(body) < f.fixed() {
		return nil, nil, fmt.Errorf("%d bytes, and no room for the header", len(body))
	}
	if f.tpdu {
		tpdu, body = body[:5], body[5:]
	}
	return body[len(f.header):], tpdu, nil
}

// body reads what a length counts, beside itself: least bytes at least.
func (f framer) body(r io.Reader, least int) ([]byte, error) {
	head := make([]byte, f.width)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	var n uint64
	switch {
	case f.ascii:
		var err error
		n, err = strconv.ParseUint(string(head), 10, 16)
		if err != nil {
			return nil, errors.New("the length isn't four digits")
		}
	case f.width == 4:
		n = uint64(binary.BigEndian.Uint32(head))
	default:
		n = uint64(binary.BigEndian.Uint16(head))
	}
	if n < uint64(f.extra+least) || n > maxFrame {
		return nil, fmt.Errorf("a length of %d bytes", n)
	}
	body := make([]byte, n-uint64(f.extra))
	if _, err := io.ReadFull(r, body); err != nil {
		return nil, fmt.Errorf("inside a message: %w", err)
	}
	return body, nil
}
