package wire

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// A frame is its length (4 bytes, of kind and body), its kind and its body.
const frameHead = 4

// MaxMessage bounds a message in bytes, before anything is allocated for it.
const MaxMessage = 16 << 20

type kind uint8

const (
	kindHello   kind = iota + 1
	kindVerdict      // on a hello
	kindMessage
	kindPing // eight bytes of the sender's
	kindPong // the same
	kindPart // of a stream
	kindEnd  // of a stream: why it isn't whole, empty if it is
)

// errFrame is that of bytes that are no frame.
var errFrame = errors.New("not a frame of a node")

// appendFrame appends a frame. The body's bytes are those of all parts.
func appendFrame(b []byte, k kind, parts ...[]byte) []byte {
	size := 1
	for _, p := range parts {
		size += len(p)
	}
	b = binary.BigEndian.AppendUint32(b, uint32(size))
	b = append(b, byte(k))
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

// frames reads frames, in one buffer that is used again.
type frames struct {
	in  *bufio.Reader
	buf []byte
}

func newFrames(r io.Reader) *frames { return &frames{in: bufio.NewReaderSize(r, 64<<10)} }

// next is the next frame; its body is valid until the following one is read. Most bounds the body.
func (f *frames) next(most int) (kind, []byte, error) {
	var head [frameHead]byte
	if _, err := io.ReadFull(f.in, head[:]); err != nil {
		return 0, nil, err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size == 0 || size > uint32(most)+1 {
		return 0, nil, fmt.Errorf("%w: its length is %d, at most %d may be", errFrame, size, most+1)
	}
	if int(size) > cap(f.buf) {
		f.buf = make([]byte, size)
	}
	f.buf = f.buf[:size]
	if _, err := io.ReadFull(f.in, f.buf); err != nil {
		return 0, nil, errors.Join(errFrame, err)
	}
	return kind(f.buf[0]), f.buf[1:], nil
}
