package payshield

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const (
	lengthSize  = 2
	codeSize    = 2      // of a command, and of an error code
	mostMessage = 0xFFFF // bytes after the length
	// mostData is how much data a command carries here. Units take about 32,000 bytes.
	mostData = 30000
)

// errFormat is an answer that isn't one. What was wrong is in words, without a byte of it.
var errFormat = errors.New("the answer isn't of the form that the command's answer has")

// answer is what a unit said.
type answer struct {
	header string
	code   string // of the answer: the command's, its second character counted up
	result string // the error code, "00" is none
	rest   []byte // the fields
}

// appendMessage appends a command as it goes on the wire.
func appendMessage(dst []byte, header string, c command, fields []byte) ([]byte, error) {
	size := len(header) + codeSize + len(fields)
	if size > mostMessage {
		return dst, fmt.Errorf("a message of %d bytes is too long", size)
	}
	dst = binary.BigEndian.AppendUint16(dst, uint16(size))
	dst = append(dst, header...)
	dst = append(dst, c...)
	return append(dst, fields...), nil
}

// parseAnswer divides a message, which is without its length. The fields aren't copied.
func parseAnswer(headerSize int, message []byte) (answer, error) {
	if len(message) < headerSize+2*codeSize {
		return answer{}, fmt.Errorf("%w: it has %d bytes", errFormat, len(message))
	}
	at := headerSize
	a := answer{header: string(message[:at]), code: string(message[at : at+codeSize]),
		result: string(message[at+codeSize : at+2*codeSize]), rest: message[at+2*codeSize:]}
	if !alphanumeric(a.result) {
		return answer{}, fmt.Errorf("%w: its error code isn't one", errFormat)
	}
	return a, nil
}

// frames cuts messages from a stream. Answers may hold clear card data, so what was taken out is
// cleared behind.
type frames struct {
	from     io.Reader
	buf      []byte
	at, have int
}

func newFrames(from io.Reader) *frames { return &frames{from: from, buf: make([]byte, 4096)} }

// next gives the next message, without its length, as a copy of its own.
func (f *frames) next() ([]byte, error) {
	if err := f.fill(lengthSize); err != nil {
		return nil, err
	}
	size := int(binary.BigEndian.Uint16(f.buf[f.at:]))
	if err := f.fill(lengthSize + size); err != nil {
		return nil, err
	}
	frame := f.buf[f.at : f.at+lengthSize+size]
	message := append([]byte(nil), frame[lengthSize:]...)
	clear(frame)
	f.at += len(frame)
	return message, nil
}

// fill reads until n bytes are there. An end within a message is an io.ErrUnexpectedEOF.
func (f *frames) fill(n int) error {
	if f.at > 0 && f.at+n > len(f.buf) {
		moved := copy(f.buf, f.buf[f.at:f.have])
		clear(f.buf[moved:f.have])
		f.at, f.have = 0, moved
	}
	if n > len(f.buf) { // only then is there a message that needs it
		larger := make([]byte, lengthSize+mostMessage)
		copy(larger, f.buf[:f.have])
		clear(f.buf)
		f.buf = larger
	}
	for f.have-f.at < n {
		got, err := f.from.Read(f.buf[f.have:])
		f.have += got
		if err != nil && f.have-f.at < n {
			if err == io.EOF && f.have > f.at {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
	}
	return nil
}

// wipe clears what was read and not taken out.
func (f *frames) wipe() { clear(f.buf) }
