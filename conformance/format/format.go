// Package format reads and writes 1993 messages with moov's codec.
//
// It's the simulators' own codec: their own copy of the table, moov's packing, and on top of it
// the strictness moov leaves out (character classes, trailing bytes, one way to write a message).
package format

import (
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/moov-io/iso8583"
	moov "github.com/moov-io/iso8583/errors"
)

// Format is one dialect of the 1993 edition. It's immutable and safe for concurrent use.
type Format struct {
	name     string
	spec     *iso8583.MessageSpec
	forms    map[int]form
	katakana bool
}

// Fault is a message that can't be read. It names the element and never quotes the message,
// because the message holds a card number.
type Fault struct {
	Element int // 0: the MTI, 1: the bitmap, -1: behind the last element
	Reason  string
}

func (f *Fault) Error() string {
	switch f.Element {
	case -1:
		return "the message: " + f.Reason
	case 0:
		return "the MTI: " + f.Reason
	case 1:
		return "the bitmap: " + f.Reason
	}
	return fmt.Sprintf("element %d: %s", f.Element, f.Reason)
}

// Name is the dialect's name.
func (f *Format) Name() string { return f.name }

// Spec is the moov definition, for whoever wants to talk moov with it.
func (f *Format) Spec() *iso8583.MessageSpec { return f.spec }

// Fixed is the length of a fixed element, 0 if it's variable or unknown.
func (f *Format) Fixed(n int) int {
	if fm := f.forms[n]; fm.prefix == 0 {
		return fm.length
	}
	return 0
}

// IsBinary reports whether element n holds bytes instead of characters.
func (f *Format) IsBinary(n int) bool { return f.forms[n].class == binary }

// Katakana reports whether text may hold half-width katakana.
func (f *Format) Katakana() bool { return f.katakana }

// Pad fills a value to the length of a fixed element: zeros before digits, spaces after text.
func (f *Format) Pad(n int, v string) string {
	missing := f.Fixed(n) - len(v)
	switch {
	case missing <= 0 || f.forms[n].class == binary || f.forms[n].class == signed:
		return v
	case f.forms[n].class == digits:
		return strings.Repeat("0", missing) + v
	}
	return v + strings.Repeat(" ", missing)
}

// Pack writes the message.
func (f *Format) Pack(m *Message) ([]byte, error) {
	spec := f.spec
	if len(m.wires) > 0 {
		spec = &iso8583.MessageSpec{Name: f.name, Fields: maps.Clone(f.spec.Fields)}
		for n, wire := range m.wires {
			spec.Fields[n] = raw(wire)
		}
	}
	out := iso8583.NewMessage(spec)
	out.MTI(m.MTI)
	for n, v := range m.elements {
		if n < 2 || spec.Fields[n] == nil {
			return nil, fmt.Errorf("element %d is not in the table of the 1993 edition", n)
		}
		if err := out.BinaryField(n, []byte(v)); err != nil {
			return nil, fmt.Errorf("element %d doesn't take this value", n)
		}
	}
	wire, err := out.Pack()
	if err != nil {
		return nil, fmt.Errorf("packing %s: %w", m.MTI, err)
	}
	return append(wire, m.tail...), nil
}

// Wire is one element as a message has it, with the prefix of its length.
func (f *Format) Wire(n int, value string) ([]byte, error) {
	m := iso8583.NewMessage(f.spec)
	if f.spec.Fields[n] == nil || m.BinaryField(n, []byte(value)) != nil {
		return nil, fmt.Errorf("element %d doesn't take this value", n)
	}
	return m.GetField(n).Pack()
}

// Unpack reads the message, strictly.
func (f *Format) Unpack(wire []byte) (*Message, error) {
	in := iso8583.NewMessage(f.spec)
	if err := in.Unpack(wire); err != nil {
		return nil, fault(err)
	}
	mti, err := in.GetMTI()
	if err != nil || len(mti) != 4 || !digits.holds(mti, false) {
		return nil, &Fault{0, "it must be four digits"}
	}
	m := New(mti)
	for n := range in.GetFields() {
		if n < 2 {
			continue
		}
		v, err := in.GetBytes(n)
		if err != nil {
			return nil, &Fault{n, "it has no value"}
		}
		if !f.forms[n].class.holds(string(v), f.katakana) {
			return nil, &Fault{n, "a character is outside its class"}
		}
		m.elements[n] = string(v)
	}
	// moov stops behind the last element and says nothing of what follows; packing again tells.
	again, err := in.Pack()
	if err != nil {
		return nil, &Fault{-1, "it can't be written again"}
	}
	if len(again) != len(wire) {
		return nil, &Fault{-1, fmt.Sprintf("%d bytes where %d are due", len(wire), len(again))}
	}
	return m, nil
}

// fault keeps the element of moov's error and drops the rest, which may quote the message.
func fault(err error) error {
	f := &Fault{-1, "it can't be read"}
	if u, ok := errors.AsType[*moov.UnpackError](err); ok {
		if _, scan := fmt.Sscan(u.FieldID, &f.Element); scan == nil {
			f.Reason = "its length or its content is wrong"
		}
	}
	return f
}
