package routing

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"cardswitch/spec"
)

// conditions reads the conditions of an entry; nil if it has none.
func (r *reader) conditions(n *yaml.Node) *conditions {
	if n == nil {
		return nil
	}
	fields := r.fields(n, "mti", "processing", "acquirers", "amount", "categories", "company",
		"kid", "merchants")
	if fields != nil && len(fields) == 0 {
		r.fault(n, "when has no condition", "leave it out")
	}
	c := &conditions{
		mtis:       r.mtis(fields["mti"]),
		processing: r.processing(fields["processing"]),
		amount:     r.amount(fields["amount"]),
		companies:  narrow(r.numbers(fields["company"], 5, 5)),
		kids:       narrow(r.numbers(fields["kid"], 3, 3)),
		categories: narrow(r.numbers(fields["categories"], 4, 4)),
		acquirers:  r.numbers(fields["acquirers"], 1, 11),
	}
	if merchants := fields["merchants"]; merchants != nil {
		c.merchants = r.centers(merchants, r.Merchants, "merchant")
		slices.Sort(c.merchants)
	}
	return c
}

func (r *reader) mtis(n *yaml.Node) []spec.MTI {
	var mtis []spec.MTI
	for _, entry := range r.list(n) {
		mti, err := spec.ParseMTI(r.text(entry))
		switch {
		case err != nil || !mti.Valid():
			r.fault(entry, "unknown message type", `write it as "1200"`)
		case mti.IsRepeat():
			r.fault(entry, mti.String()+" is a repeat, which goes where its first message went",
				fmt.Sprintf("write %q", mti.Original()))
		default:
			mtis = append(mtis, mti)
		}
	}
	return sorted(mtis)
}

// processing reads leading digits of processing codes: 2 (what is done), 4 or all 6.
func (r *reader) processing(n *yaml.Node) []span {
	var spans []span
	for _, entry := range r.list(n) {
		text := r.text(entry)
		code, ok := number(text, 2, 6)
		if !ok || len(text)%2 != 0 {
			r.fault(entry, "not a processing code", `give its first 2, 4 or all 6 digits, as "20"`)
			continue
		}
		unit := uint64(math.Pow10(6 - len(text)))
		spans = append(spans, span{low: code * unit, high: code*unit + unit - 1})
	}
	slices.SortFunc(spans, func(a, b span) int {
		return cmp.Or(cmp.Compare(a.low, b.low), cmp.Compare(a.high, b.high))
	})
	return slices.Compact(spans)
}

func (r *reader) amount(n *yaml.Node) span {
	s := span{high: math.MaxUint64}
	if n == nil {
		return s
	}
	fields := r.fields(n, "min", "max")
	for key, bound := range map[string]*uint64{"min": &s.low, "max": &s.high} {
		if fields[key] == nil {
			continue
		}
		value, ok := number(r.text(fields[key]), 1, 12)
		if !ok {
			r.fault(fields[key], key+" isn't an amount", "give minor units, at most 12 digits")
		}
		*bound = value
	}
	if s.low > s.high {
		r.fault(n, "min is above max", "exchange the two")
	}
	return s
}

// numbers reads a list of identifiers of least to most digits.
func (r *reader) numbers(n *yaml.Node, least, most int) []uint64 {
	var list []uint64
	for _, entry := range r.list(n) {
		value, ok := number(r.text(entry), least, most)
		if !ok || value == 0 {
			r.fault(entry, "not an identifier", "give "+howMany(least, most)+" in quotes")
			continue
		}
		list = append(list, value)
	}
	return sorted(list)
}

func howMany(least, most int) string {
	if least == most {
		return fmt.Sprintf("%d digits", least)
	}
	return fmt.Sprintf("%d to %d digits", least, most)
}

// number reads least to most digits, and nothing else.
func number(text string, least, most int) (uint64, bool) {
	if len(text) < least || len(text) > most || strings.Trim(text, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseUint(text, 10, 64)
	return n, err == nil
}

func sorted[N cmp.Ordered](list []N) []N {
	slices.Sort(list)
	return slices.Compact(list)
}

func narrow(list []uint64) []uint32 {
	var short []uint32
	for _, n := range list {
		short = append(short, uint32(n))
	}
	return short
}

// clip shortens what a fault quotes from a file, and hides digits that could be a card number.
func clip(text string) string {
	if digits := strings.Count(strings.Map(onlyDigits, text), "0"); digits > 8 {
		return "…"
	}
	if len(text) > 40 {
		return text[:40] + "…"
	}
	return text
}

func onlyDigits(c rune) rune {
	if c >= '0' && c <= '9' {
		return '0'
	}
	return -1
}

func join(names []string) string { return strings.Join(names, ", ") }
