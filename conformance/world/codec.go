package world

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"cardswitch/conformance/load/wire"
)

// elements are the data elements of a message by number, as text.
type elements map[int]string

// build makes a message with its length in front. Its parts are of our own making: it can't fail.
func build(mti string, e elements) []byte {
	list := make([]wire.Element, 0, len(e))
	for _, n := range slices.Sorted(maps.Keys(e)) {
		list = append(list, wire.Element{Number: n, Value: e[n]})
	}
	frame, err := wire.Build(mti, list...)
	if err != nil {
		panic(err)
	}
	return frame
}

// message is one that came.
type message struct {
	wire.Message
}

func (m *message) text(n int) string   { return string(m.Data(n)) }
func (m *message) number(n int) uint64 { return wire.Number(m.Data(n)) }

// kind is the type without its repeat digit: 1200 of a 1201.
func (m *message) kind() int { return m.MTI() &^ 1 }

// action is the action code, DE 39; -1 if there is none.
func (m *message) action() int {
	if !m.Has(39) {
		return -1
	}
	return int(m.number(39))
}

// answer makes the response: elements that are echoed if they are there, and more.
func (m *message) answer(echo []int, more elements) []byte {
	e := elements{}
	for _, n := range echo {
		if m.Has(n) {
			e[n] = m.text(n)
		}
	}
	for n, v := range more {
		if v != "" {
			e[n] = v
		}
	}
	return build(fmt.Sprint(m.kind()+10), e)
}

// question is what makes two messages the same to who gets them.
type question struct {
	kind     int
	stan     uint64
	local    uint64
	acquirer string
}

func (m *message) question() question {
	return question{m.kind(), m.number(11), m.number(12), m.text(32)}
}

// original reads DE 56.
func (m *message) original() (question, bool) {
	b := m.Data(56)
	if len(b) < 24 {
		return question{}, false
	}
	return question{int(wire.Number(b[:4])) &^ 1, wire.Number(b[4:10]), wire.Number(b[10:22]),
		string(b[24:])}, true
}

// localTime is DE 12 of a moment, in Tokyo.
func localTime(t time.Time) string {
	return t.UTC().Add(9 * time.Hour).Format("060102150405")
}
