package format

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Message is one message as values: digits and text as characters, binary elements as bytes.
type Message struct {
	MTI      string
	elements map[int]string
	wires    map[int]string
	tail     string
}

// New returns an empty message.
func New(mti string) *Message {
	return &Message{MTI: mti, elements: make(map[int]string, 24)}
}

// Set gives element n a value and returns m, so that messages read as a list.
func (m *Message) Set(n int, v string) *Message {
	m.elements[n] = v
	return m
}

// SetWire makes element n appear on the wire as exactly these bytes, prefix included.
// It's how a test sends an element that breaks its own format.
func (m *Message) SetWire(n int, wire string) *Message {
	if m.wires == nil {
		m.wires = make(map[int]string, 1)
	}
	m.wires[n] = wire
	return m.Set(n, wire)
}

// SetTail adds bytes behind the last element, which no honest message has.
func (m *Message) SetTail(tail string) *Message {
	m.tail = tail
	return m
}

// Remove takes element n out.
func (m *Message) Remove(n int) *Message {
	delete(m.elements, n)
	delete(m.wires, n)
	return m
}

// As changes the MTI.
func (m *Message) As(mti string) *Message {
	m.MTI = mti
	return m
}

// Get is the value of element n, empty if it's absent.
func (m *Message) Get(n int) string { return m.elements[n] }

// Has reports whether element n is present.
func (m *Message) Has(n int) bool {
	_, ok := m.elements[n]
	return ok
}

// Number is the value of a numeric element, 0 if it's absent or no number.
func (m *Message) Number(n int) int64 {
	v, err := strconv.ParseInt(m.elements[n], 10, 64)
	if err != nil {
		return 0
	}
	return v
}

// Elements lists the elements present, in order.
func (m *Message) Elements() []int {
	return slices.Sorted(maps.Keys(m.elements))
}

// Clone is an independent copy.
func (m *Message) Clone() *Message {
	c := *m
	c.elements, c.wires = maps.Clone(m.elements), maps.Clone(m.wires)
	return &c
}

// Copy takes the listed elements from another message, where that has them.
func (m *Message) Copy(from *Message, elements ...int) *Message {
	for _, n := range elements {
		if v, ok := from.elements[n]; ok {
			m.elements[n] = v
		}
	}
	return m
}

// IsRequest reports whether the sender expects an answer.
func (m *Message) IsRequest() bool {
	return len(m.MTI) == 4 && (m.MTI[2] == '0' || m.MTI[2] == '2')
}

// IsResponse reports whether the message answers another.
func (m *Message) IsResponse() bool {
	return len(m.MTI) == 4 && (m.MTI[2] == '1' || m.MTI[2] == '3')
}

// String shows the message without anything that may not be shown.
func (m *Message) String() string {
	var b strings.Builder
	b.WriteString(m.MTI)
	for _, n := range m.Elements() {
		fmt.Fprintf(&b, " %d=%s", n, m.Shown(n))
	}
	return b.String()
}

// GoString keeps %#v from showing what String hides.
func (m *Message) GoString() string { return m.String() }

// Shown is the value of element n as it may be printed: no card number, no track, no PIN.
func (m *Message) Shown(n int) string {
	v := m.elements[n]
	switch n {
	case 2, 34:
		return Mask(v)
	case 35, 36, 45, 52:
		return "(hidden)"
	case 53, 55, 64, 96, 128:
		return fmt.Sprintf("(%d bytes)", len(v))
	}
	pan := m.elements[2]
	if pan != "" {
		v = strings.ReplaceAll(v, pan, Mask(pan))
	}
	return strconv.Quote(v)
}

// Mask keeps the first six and last four digits of a card number.
func Mask(pan string) string {
	if len(pan) < 13 {
		return strings.Repeat("*", len(pan))
	}
	return pan[:6] + strings.Repeat("*", len(pan)-10) + pan[len(pan)-4:]
}
