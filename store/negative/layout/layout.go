// Package layout reads the lists of cards that issuers send: CSV and fixed-length text.
//
// A layout says where in a line the card number is, and where the action code, the reason, the
// first and the last day, as far as the issuer sends them. Header and trailer lines are known by
// how they begin; a trailer may have the number of entries and the sum of the card numbers, which
// must then be right. What is wrong with a line is reported by its number, never by what is in it.
package layout

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// The formats.
const (
	CSV   = "csv"
	Fixed = "fixed"
)

// The fields of an entry. A column of another name is passed over.
const (
	fieldPAN = iota
	fieldAction
	fieldReason
	fieldFrom
	fieldUntil
	fields
)

func fieldNamed(name string) int {
	return slices.Index([]string{"pan", "action", "reason", "from", "until"}, name)
}

// Spec is a layout as people write it.
type Spec struct {
	Format string // csv, fixed
	// Columns name the fields of a CSV line in their order: pan, action, reason, from, until; any
	// other name is passed over. None: the first line names them.
	Columns   []string
	Separator string // of CSV; "": a comma
	// Fields are the places in a fixed-length line, counted from 1: pan: 1-16.
	Fields map[string]string
	// Header and Trailer are how the first and the last line begin; "": there is none.
	Header, Trailer string
	// Count and Sum are where the trailer has the number of entries, and the sum of the card numbers
	// without what doesn't fit into its width: a column of CSV, a place of fixed-length text.
	Count, Sum string
	Luhn       bool // the last digit of a card number is a check digit
}

// Layout is a layout ready for use.
type Layout struct {
	fixed           bool
	columns         [fields]span // csv: the column in from
	named           bool         // the first line names the columns
	separator       byte
	header, trailer string
	count, sum      span
	luhn            bool
}

// span is a place in a line, or a column; to is 0 where there is none.
type span struct{ from, to int }

func (s span) none() bool { return s.to == 0 }

// mostColumn bounds where anything may be in a line.
const mostColumn = mostLine

// New makes a layout ready. The error says what is wrong with it.
func New(s Spec) (*Layout, error) {
	l := &Layout{header: s.Header, trailer: s.Trailer, luhn: s.Luhn, separator: ','}
	var err error
	switch s.Format {
	case CSV:
		err = l.ofCSV(&s)
	case Fixed:
		err = l.ofFixed(&s)
	default:
		err = fmt.Errorf("the format is csv or fixed, not %q", s.Format)
	}
	if err != nil {
		return nil, err
	}
	if (s.Count != "" || s.Sum != "") && s.Trailer == "" {
		return nil, errors.New("count and sum are in a trailer, so say how it begins")
	}
	if l.count, err = l.place("count", s.Count); err != nil {
		return nil, err
	}
	if l.sum, err = l.place("sum", s.Sum); err != nil {
		return nil, err
	}
	if l.fixed && l.sum.to-l.sum.from > 18 {
		return nil, errors.New("sum: use 18 digits at most")
	}
	return l, nil
}

func (l *Layout) ofCSV(s *Spec) error {
	if len(s.Fields) > 0 {
		return errors.New("fields are for fixed-length text; CSV has columns")
	}
	if len(s.Separator) > 1 || s.Separator == `"` {
		return errors.New("a separator is one character")
	}
	if s.Separator != "" {
		l.separator = s.Separator[0]
	}
	if l.named = len(s.Columns) == 0; l.named {
		return nil
	}
	return l.name(s.Columns)
}

// name takes the names of the columns.
func (l *Layout) name(columns []string) error {
	for i, name := range columns {
		f := fieldNamed(strings.ToLower(strings.TrimSpace(name)))
		if f < 0 {
			continue
		}
		if !l.columns[f].none() {
			return fmt.Errorf("column %s is there twice", columns[i])
		}
		l.columns[f] = span{i, i + 1}
	}
	if l.columns[fieldPAN].none() {
		return errors.New("no column is called pan")
	}
	return nil
}

func (l *Layout) ofFixed(s *Spec) error {
	l.fixed = true
	if len(s.Columns) > 0 || s.Separator != "" {
		return errors.New("columns and a separator are for CSV; fixed-length text has fields")
	}
	for name, text := range s.Fields {
		f := fieldNamed(name)
		if f < 0 {
			return fmt.Errorf("no field is called %q: use pan, action, reason, from, until", name)
		}
		var err error
		if l.columns[f], err = l.place(name, text); err != nil {
			return err
		}
	}
	if l.columns[fieldPAN].none() {
		return errors.New("say where the card number is, as pan: 1-16")
	}
	return nil
}

// place reads a column as 3, or a place as 1-16.
func (l *Layout) place(name, text string) (span, error) {
	if text == "" {
		return span{}, nil
	}
	first, last, isRange := strings.Cut(text, "-")
	if !isRange {
		last = first
	}
	from, err := strconv.Atoi(first)
	to, err2 := strconv.Atoi(last)
	if err != nil || err2 != nil || from < 1 || to < from || to > mostColumn ||
		!l.fixed && to != from {
		return span{}, fmt.Errorf("%s: %q is no place in a line (as 1-16, or 3 of CSV)", name, text)
	}
	return span{from - 1, to}, nil
}
