package routing

import (
	"fmt"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"

	"cardswitch/routing/cardrange"
)

// entry reads one entry of ranges.
func (r *reader) entry(n *yaml.Node) {
	before := len(r.faults)
	fields := r.fields(n, "from", "to", "prefix", "any", "luhn", "scheme", "destinations",
		"effective", "until", "when")
	if fields == nil {
		return
	}
	cards := r.cards(n, fields)
	made := rule{
		digits:    cards.Digits,
		luhn:      r.truth(fields["luhn"]),
		to:        r.destinations(n, fields["destinations"]),
		effective: r.moment(fields["effective"], 0),
		until:     r.moment(fields["until"], forever),
		when:      r.conditions(fields["when"]),
	}
	if made.effective >= made.until {
		r.fault(fields["until"], "until isn't after effective", "exchange the two dates")
	}
	scheme := r.text(fields["scheme"])
	if len(r.faults) > before {
		return
	}
	r.table.rules = append(r.table.rules, made)
	r.table.origins = append(r.table.origins, origin{
		cards: cards, scheme: scheme, file: r.file, line: n.Line})
}

// cards reads the range, which is given in one of three ways. The digits aren't quoted in a fault:
// they could be a whole card number.
func (r *reader) cards(n *yaml.Node, fields map[string]*yaml.Node) cardrange.Range {
	from, to, prefix := fields["from"], fields["to"], fields["prefix"]
	any := fields["any"]
	var cards cardrange.Range
	var err error
	switch {
	case from != nil && to != nil && prefix == nil && any == nil:
		cards, err = cardrange.Parse(r.text(from), r.text(to))
	case prefix != nil && from == nil && to == nil && any == nil:
		from = prefix
		cards, err = cardrange.Prefix(r.text(prefix))
	case any != nil && from == nil && to == nil && prefix == nil:
		if !r.truth(any) {
			r.fault(any, "any is false", "leave it out, and give from and to, or prefix")
		}
		return cardrange.Any()
	default:
		r.fault(n, "the range isn't given in one way", "give from and to, or prefix, or any: true")
		return cards
	}
	if err != nil {
		r.fault(from, "range: "+err.Error(),
			`give as many digits of from as of to, 6 to 19, as "352800" and "358999"`)
	}
	return cards
}

func (r *reader) truth(n *yaml.Node) bool {
	if n == nil {
		return false
	}
	text := r.text(n)
	if text != "true" && text != "false" {
		r.fault(n, "neither true nor false", "write true or false")
	}
	return text == "true"
}

func (r *reader) destinations(entry, n *yaml.Node) []uint16 {
	if n == nil {
		r.fault(entry, "no destinations", "write destinations: [center]")
		return nil
	}
	return r.centers(n, r.Destinations, "destination")
}

// centers gives the places of centers in a list of their names.
func (r *reader) centers(n *yaml.Node, known []string, kind string) []uint16 {
	var places []uint16
	for _, entry := range r.list(n) {
		name := r.text(entry)
		if name == "" {
			continue
		}
		place := slices.Index(known, name)
		switch {
		case place < 0:
			hint := "known: " + join(known)
			r.fault(entry, fmt.Sprintf("unknown %s %q", kind, clip(name)), hint)
		case slices.Contains(places, uint16(place)):
			r.fault(entry, fmt.Sprintf("%s %q is given twice", kind, name), "keep the first")
		default:
			places = append(places, uint16(place))
		}
	}
	return places
}

// moment reads a time with its zone as seconds since 1970.
func (r *reader) moment(n *yaml.Node, otherwise int64) int64 {
	if n == nil {
		return otherwise
	}
	at, err := time.Parse(time.RFC3339, r.text(n))
	if err != nil {
		r.fault(n, "not a time with its zone", "write it as 2026-04-01T00:00:00+09:00")
		return otherwise
	}
	return at.Unix()
}
