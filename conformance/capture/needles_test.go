package capture

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"cardswitch/conformance/format"
	"cardswitch/conformance/wire"
)

// shortest is how many bytes in a row must not be seen, of a value of an element, and of the bytes
// of a message as they stood in clear. Fewer are met by chance among some megabytes.
const shortest, window = 6, 8

// needles are what must not be found, by their first six bytes.
type needles struct {
	values  map[[shortest]byte]map[string]string // value → which element it is
	windows map[[window]byte]bool
	types   map[string]bool // MTI and bitmap as they stood
	count   int
}

func newNeedles() *needles {
	return &needles{values: make(map[[shortest]byte]map[string]string),
		windows: make(map[[window]byte]bool), types: make(map[string]bool)}
}

// message adds all of a message: its bytes, its type with the bitmap behind, and its elements in
// every shape in which they may be written.
func (n *needles) message(
	t *testing.T, f *format.Format, framing wire.Framing, clear []byte,
) string {
	t.Helper()
	n.add(clear)
	before := len(framing.Header) / 2
	if framing.TPDU {
		before += 5
	}
	body := clear[before:]
	m, err := f.Unpack(body)
	if err != nil {
		t.Fatal(err)
	}
	n.types[string(body[:12])] = true
	for _, e := range m.Elements() {
		name := fmt.Sprintf("element %d of a %s", e, m.MTI)
		for _, v := range shapes(m.Get(e)) {
			n.value(name, v)
		}
	}
	return m.MTI
}

func (n *needles) add(clear []byte) {
	for i := range len(clear) - window + 1 {
		n.windows[[window]byte(clear[i:])] = true
	}
}

func (n *needles) value(name, v string) {
	if len(v) < shortest {
		return
	}
	key := [shortest]byte([]byte(v))
	if n.values[key] == nil {
		n.values[key] = make(map[string]string)
	}
	if n.values[key][v] == "" {
		n.values[key][v] = name
		n.count++
	}
}

// shapes are a value as text, in EBCDIC, and packed two digits a byte from either end.
func shapes(v string) []string {
	ebcdic, packed, digits := make([]byte, len(v)), make([]byte, 0, len(v)/2), len(v)%2 == 0
	for i := range len(v) {
		c := v[i]
		switch {
		case c >= '0' && c <= '9':
			ebcdic[i] = 0xf0 + c - '0'
		case c >= 'A' && c <= 'I':
			ebcdic[i] = 0xc1 + c - 'A'
		case c >= 'J' && c <= 'R':
			ebcdic[i] = 0xd1 + c - 'J'
		case c >= 'S' && c <= 'Z':
			ebcdic[i] = 0xe2 + c - 'S'
		default:
			ebcdic[i] = 0x40
		}
		digits = digits && c >= '0' && c <= '9'
	}
	out := []string{v, string(ebcdic)}
	for i := 0; digits && i < len(v); i += 2 {
		packed = append(packed, (v[i]-'0')<<4|v[i+1]-'0')
	}
	if digits && !bytes.HasPrefix(packed, make([]byte, shortest)) {
		out = append(out, string(packed))
	}
	return out
}

// found lists what of the needles is in b, without showing it.
func (n *needles) found(b []byte) (list []string) {
	for i := range len(b) - shortest + 1 {
		for v, name := range n.values[[shortest]byte(b[i:])] {
			if bytes.HasPrefix(b[i:], []byte(v)) {
				list = append(list, fmt.Sprintf("%s at byte %d", name, i))
			}
		}
		if i+window <= len(b) && n.windows[[window]byte(b[i:])] {
			list = append(list, fmt.Sprintf("%d bytes of a message at byte %d", window, i))
		}
		if i+12 <= len(b) && n.types[string(b[i:i+12])] {
			list = append(list, fmt.Sprintf("a type and its bitmap at byte %d", i))
		}
	}
	return list
}

// header takes the header of a frame off. It must be what the paper says and nothing else: then
// nothing of a message is in it.
func header(
	t *testing.T, s *stream, frame []byte, session []byte, next uint64, direction byte,
) []byte {
	t.Helper()
	if frame[0] != 0xe8 || frame[1]>>4 != 1 || frame[3] != direction ||
		frame[4] != 0 || frame[5] != 1 || frame[6] != 0 || frame[7] != 0 ||
		!bytes.Equal(frame[8:16], session) || binary.BigEndian.Uint64(frame[16:24]) != next {
		t.Errorf("%s: a header with something else: % x", s.door, frame[:24])
	}
	return bytes.TrimSuffix(frame[24:], noTerm)
}

// noTerm ends the hellos of both ends here, which are no clusters. A message, too, may have zeros.
var noTerm = []byte{3, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0}
