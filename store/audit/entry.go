package audit

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"cardswitch/spec"
)

// Entry is what somebody did, or tried to.
type Entry struct {
	Actor  string // who, by name
	Role   string // as what
	Source string // from where: the peer of a socket; empty: this machine
	Event  Event
	Object string // on what
	Reason string // why, in that person's words
	Result Result
}

// The bytes that a text may have.
const (
	mostName   = 128
	mostObject = 256
	mostReason = 1024
)

// check refuses what would be no evidence.
func (e *Entry) check() error {
	switch {
	case e.Event == 0 || e.Event >= afterEvents || e.Event.ours():
		return fmt.Errorf("%q (%d) is not an event that others record", e.Event, e.Event)
	case e.Result == 0 || e.Result >= afterResults:
		return errors.New("an audit record needs a result")
	case strings.TrimSpace(e.Actor) == "":
		return errors.New("an audit record needs an actor")
	}
	return nil
}

// cleaned is the entry as it is written.
func (e *Entry) cleaned() Entry {
	c := Entry{Actor: clean(e.Actor, mostName), Role: clean(e.Role, mostName),
		Source: clean(e.Source, mostName), Event: e.Event, Object: clean(e.Object, mostObject),
		Reason: clean(e.Reason, mostReason), Result: e.Result}
	if c.Source == "" {
		c.Source = "local"
	}
	return c
}

// clean makes of a text one line without cards, and without what a terminal would obey. It is cut
// last: a card that is cut would not look like one.
func clean(text string, most int) string {
	text = strings.ToValidUTF8(text, "\ufffd")
	text = strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, text))
	text = spec.MaskText(text)
	if len(text) <= most {
		return text
	}
	const rest = "…"
	cut := most - len(rest)
	for !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + rest
}
