package standin

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"cardswitch/routing/cardrange"
)

// Rules are when stand-in approves for one issuer. They never change.
type Rules struct {
	rules  []rule
	ranges []cardrange.Range
	owners []int // the rule of each range
	index  *cardrange.Index
	zone   *time.Location
	home   uint16
	days   int
}

// rule is one entry of a rule file.
type rule struct {
	name          string
	excluded      bool
	transactions  [100]bool // of DE 3, positions 1 and 2
	pin           bool
	checkDigit    bool
	expiry        expiry
	categories    []span
	notCategories []span
	entry         string
	foreign       bool
	currency      uint16
	floor, most   uint64
	limits        []limit
	least         uint64 // what a card without approvals may always have
}

// limit bounds what is approved for a card in the last days, today included.
type limit struct {
	days   int
	count  uint32
	amount uint64
}

type span struct{ low, high uint32 }

type expiry uint8

const (
	expiryRequired expiry = iota
	expiryKnown           // is looked at where it is known
	expiryIgnored
)

// Place is where the rules hold.
type Place struct {
	Home uint16         // country of the issuer, ISO 3166 numeric
	Zone *time.Location // of its days
}

// Names are the rules' names in the order of the file.
func (r *Rules) Names() []string {
	var names []string
	for i := range r.rules {
		names = append(names, r.rules[i].name)
	}
	return names
}

// Name is a decision's rule; empty if it has none.
func (r *Rules) Name(d Decision) string {
	if d.Rule < 0 || d.Rule >= len(r.rules) {
		return ""
	}
	return r.rules[d.Rule].name
}

// Days is how many days the longest limit looks back, today included.
func (r *Rules) Days() int { return r.days }

// file is how a rule file is written.
type file struct {
	Currency string  `yaml:"currency"`
	Rules    []entry `yaml:"rules"`
}

type entry struct {
	Name         string       `yaml:"name"`
	Ranges       []string     `yaml:"ranges"`
	Excluded     bool         `yaml:"excluded"`
	Transactions []string     `yaml:"transactions"`
	PIN          bool         `yaml:"pin_unchecked"`
	NoCheckDigit bool         `yaml:"no_check_digit"`
	Expiry       string       `yaml:"expiry"`
	Categories   []string     `yaml:"categories"`
	Except       []string     `yaml:"except_categories"`
	Entry        []string     `yaml:"entry"`
	Foreign      bool         `yaml:"foreign"`
	Floor        uint64       `yaml:"floor"`
	Most         uint64       `yaml:"most"`
	Limits       []entryLimit `yaml:"limits"`
}

type entryLimit struct {
	Days   int    `yaml:"days"`
	Count  uint32 `yaml:"count"`
	Amount uint64 `yaml:"amount"`
}

// MaxDays is how far a limit may look back.
const MaxDays = 31

// Parse reads a rule file. The error names every fault of its contents.
func Parse(name string, text []byte, at Place) (*Rules, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	var f file
	if err := decoder.Decode(&f); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: more than one document; put all rules into one", name)
	}
	r := reader{name: name, rules: &Rules{zone: at.Zone, home: at.Home}}
	r.read(&f)
	if len(r.faults) > 0 {
		return nil, errors.Join(r.faults...)
	}
	var err error
	if r.rules.index, err = cardrange.Build(r.rules.ranges); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return r.rules, nil
}

// reader makes rules of entries and gathers what is wrong with them.
type reader struct {
	name   string
	at     string
	rules  *Rules
	faults []error
}

func (r *reader) fault(field, hint, what string, args ...any) {
	r.faults = append(r.faults, fmt.Errorf("%s: %s%s: %s (hint: %s)", r.name, r.at, field,
		fmt.Sprintf(what, args...), hint))
}

func (r *reader) read(f *file) {
	currency, err := strconv.ParseUint(f.Currency, 10, 16)
	if f.Currency == "" {
		currency = 392
	} else if err != nil || len(f.Currency) != 3 {
		r.fault("currency", `write three digits in quotes, as "392"`, "%q is none", f.Currency)
	}
	if len(f.Rules) == 0 {
		r.fault("rules", "write at least one entry under rules:", "there are none")
	}
	for i := range f.Rules {
		e := &f.Rules[i]
		r.at = fmt.Sprintf("rules[%d](%s).", i, e.Name)
		if e.Name == "" || slices.Contains(r.rules.Names(), e.Name) {
			r.fault("name", "give each rule its own name", "%q is none or taken", e.Name)
		}
		one := rule{name: e.Name, excluded: e.Excluded, pin: e.PIN, checkDigit: !e.NoCheckDigit,
			foreign: e.Foreign, currency: uint16(currency), floor: e.Floor, most: e.Most}
		r.ranges(e, i)
		if !e.Excluded {
			r.tests(e, &one)
			r.limits(e, &one)
		}
		r.rules.rules = append(r.rules.rules, one)
	}
}

func (r *reader) ranges(e *entry, owner int) {
	if len(e.Ranges) == 0 {
		r.fault("ranges", `list leading digits, as "352801" or "352900-352999"`, "there are none")
	}
	for _, text := range e.Ranges {
		from, to, isSpan := strings.Cut(text, "-")
		if !isSpan {
			to = from
		}
		cards, err := cardrange.Parse(from, to)
		if err != nil {
			r.fault("ranges", `write leading digits, as "352801" or "352900-352999"`, "%s: %v",
				cardrange.Mask(from), err)
			continue
		}
		for i, other := range r.rules.ranges {
			if other.Clashes(cards) || other.From == cards.From && other.To == cards.To {
				r.fault("ranges", "give each card one narrowest range",
					"%s meets %s of rule %d", cards, other, r.rules.owners[i])
			}
		}
		r.rules.ranges = append(r.rules.ranges, cards)
		r.rules.owners = append(r.rules.owners, owner)
	}
}

func (r *reader) tests(e *entry, to *rule) {
	if len(e.Transactions) == 0 {
		to.transactions[0] = true // goods and services
	}
	for _, t := range e.Transactions {
		n, err := strconv.ParseUint(t, 10, 8)
		if err != nil || len(t) != 2 {
			r.fault("transactions", `write positions 1 and 2 of DE 3, as "00"`, "%q is none", t)
			continue
		}
		to.transactions[n] = true
	}
	switch e.Expiry {
	case "", "required":
	case "known":
		to.expiry = expiryKnown
	case "ignored":
		to.expiry = expiryIgnored
	default:
		r.fault("expiry", "use required, known or ignored", "%q is unknown", e.Expiry)
	}
	to.categories = r.spans("categories", e.Categories)
	to.notCategories = r.spans("except_categories", e.Except)
	for _, c := range e.Entry {
		if len(c) != 1 {
			r.fault("entry", `write position 7 of DE 22, as "2"`, "%q is none", c)
		}
		to.entry += c
	}
}

func (r *reader) spans(field string, list []string) (spans []span) {
	for _, text := range list {
		from, to, isSpan := strings.Cut(text, "-")
		if !isSpan {
			to = from
		}
		low, errLow := strconv.ParseUint(from, 10, 32)
		high, errHigh := strconv.ParseUint(to, 10, 32)
		if errLow != nil || errHigh != nil || len(from) != 4 || len(to) != 4 || low > high {
			r.fault(field, `write four digits of DE 26, as "5411" or "5300-5399"`, "%q is none", text)
			continue
		}
		spans = append(spans, span{uint32(low), uint32(high)})
	}
	return spans
}

// limits demands bounds: stand-in without any would approve whatever comes.
func (r *reader) limits(e *entry, to *rule) {
	if e.Most == 0 || e.Floor > e.Most {
		r.fault("most", "say how much one request may ask, not less than floor", "it is %d", e.Most)
	}
	if len(e.Limits) == 0 {
		r.fault("limits", "write at least one, as {days: 1, count: 5, amount: 100000}",
			"there are none")
	}
	to.least = e.Most
	for i, l := range e.Limits {
		if l.Days < 1 || l.Days > MaxDays {
			r.fault(fmt.Sprintf("limits[%d].days", i), fmt.Sprintf("use 1 to %d", MaxDays),
				"%d is out of range", l.Days)
		}
		if l.Count == 0 && l.Amount == 0 {
			r.fault(fmt.Sprintf("limits[%d]", i), "say count, amount or both", "it bounds nothing")
		}
		to.limits = append(to.limits, limit{l.Days, l.Count, l.Amount})
		if l.Amount > 0 {
			to.least = min(to.least, max(l.Amount, e.Floor))
		}
		r.rules.days = max(r.rules.days, l.Days)
	}
}
