package layout

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"cardswitch/spec"
	"cardswitch/store/negative"
)

// mostLine is how long a line may be.
const mostLine = 4096

// mostFaults is how many bad lines are named; all are counted.
const mostFaults = 100

// Cause is what is wrong with a line.
type Cause string

// What may be wrong with a line.
const (
	LineTooLong    Cause = "the line is too long"
	LineTooShort   Cause = "the line is too short"
	CardNumber     Cause = "no card number of 8 to 19 digits"
	CheckDigit     Cause = "the check digit is wrong"
	ActionCode     Cause = "no action code of 100 to 299"
	ReasonCode     Cause = "no reason of 3000 to 3999"
	FirstDay       Cause = "the first day is no date"
	LastDay        Cause = "the last day is no date"
	DaysBackwards  Cause = "the last day is before the first"
	BehindTrailer  Cause = "it stands behind the trailer"
	misplacedQuote Cause = "its quotation marks don't match"
)

// Fault is a bad line.
type Fault struct {
	Line  uint64 `json:"line"`
	Cause Cause  `json:"cause"`
}

// Report says what was read.
type Report struct {
	Lines    uint64           `json:"lines"` // entries, good and bad
	Rejected uint64           `json:"rejected"`
	Causes   map[Cause]uint64 `json:"causes,omitempty"`
	Faults   []Fault          `json:"faults,omitempty"` // the first ones
}

func (r *Report) reject(line uint64, c Cause) {
	r.Rejected++
	if r.Causes == nil {
		r.Causes = make(map[Cause]uint64)
	}
	r.Causes[c]++
	if len(r.Faults) < mostFaults {
		r.Faults = append(r.Faults, Fault{line, c})
	}
}

// reading is a file that is being read.
type reading struct {
	*Layout
	Report
	defaults negative.Terms
	line     uint64
	sum      uint64 // of the card numbers, without what is above width
	width    uint64 // 10 to the digits of the sum
	ended    bool   // the trailer was there
	columns  [][]byte
}

// Read reads entries and hands them on. An entry has the default terms where the file says nothing.
// Bad lines are in the report; an error says that the file isn't whole: a header or trailer lacks,
// or what the trailer says isn't so. take ends the reading by an error of its own.
func (l *Layout) Read(from io.Reader, defaults negative.Terms,
	take func(spec.PAN, negative.Terms) error) (Report, error) {
	own := *l
	r := &reading{Layout: &own, defaults: defaults, width: 1}
	for range min(l.sum.to-l.sum.from, 18) {
		r.width *= 10
	}
	if !l.fixed {
		r.width = 1e18
	}
	lines := bufio.NewReaderSize(from, 64<<10)
	for {
		text, long, err := nextLine(lines)
		if errors.Is(err, io.EOF) {
			return r.Report, r.whole()
		}
		if err != nil {
			return r.Report, err
		}
		r.line++
		if err := r.take(text, long, take); err != nil {
			return r.Report, err
		}
	}
}

// nextLine reads a line without its end. One that is too long is passed over.
func nextLine(r *bufio.Reader) (text []byte, long bool, err error) {
	text, err = r.ReadSlice('\n')
	for errors.Is(err, bufio.ErrBufferFull) {
		long = true
		_, err = r.ReadSlice('\n')
	}
	if errors.Is(err, io.EOF) && (len(text) > 0 || long) {
		err = nil
	}
	if long {
		return nil, true, err
	}
	text = bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r"))
	return text, len(text) > mostLine, err
}

func (r *reading) take(text []byte, long bool,
	take func(spec.PAN, negative.Terms) error) error {
	if r.line == 1 {
		text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	}
	switch {
	case r.line == 1 && r.header != "" && !bytes.HasPrefix(text, []byte(r.header)):
		return fmt.Errorf("line 1 isn't a header: it doesn't begin with %q", r.header)
	case r.line == 1 && r.header != "":
		return nil
	case len(text) == 0 && !long, len(text) == 1 && text[0] == 0x1a: // the end of files of old
		return nil
	case r.named:
		r.named = false
		return r.name(strings.Split(string(text), string(r.separator)))
	case r.trailer != "" && !r.ended && bytes.HasPrefix(text, []byte(r.trailer)):
		r.ended = true
		return r.trailing(text)
	}
	r.Lines++
	if r.ended {
		r.reject(r.line, BehindTrailer)
		return nil
	}
	if long {
		r.reject(r.line, LineTooLong)
		return nil
	}
	pan, terms, cause := r.entry(text)
	if cause != "" {
		r.reject(r.line, cause)
		return nil
	}
	return take(pan, terms)
}

// whole says whether the file had its end.
func (r *reading) whole() error {
	switch {
	case r.line == 0 && (r.header != "" || r.named):
		return errors.New("the file is empty: even its first line lacks")
	case r.trailer != "" && !r.ended:
		return fmt.Errorf("no line begins with %q: the trailer lacks, so the file may be cut",
			r.trailer)
	}
	return nil
}

// trailing holds the file to what its trailer says.
func (r *reading) trailing(text []byte) error {
	if !r.count.none() {
		n, ok := r.number(text, r.count)
		if !ok || n != r.Lines {
			return fmt.Errorf("the trailer in line %d tells of another number of entries: "+
				"%d were read", r.line, r.Lines)
		}
	}
	if !r.Layout.sum.none() {
		n, ok := r.number(text, r.Layout.sum)
		if !ok || n != r.sum%r.width {
			return fmt.Errorf("the trailer in line %d has another sum of the card numbers", r.line)
		}
	}
	return nil
}

// number reads digits at a place of a line.
func (r *reading) number(text []byte, at span) (uint64, bool) {
	if cause := r.split(text); cause != "" {
		return 0, false
	}
	digits, ok := r.at(text, at)
	if !ok || len(digits) == 0 || len(digits) > 18 {
		return 0, false
	}
	return decimal(digits)
}

func decimal(digits []byte) (n uint64, ok bool) {
	for _, c := range digits {
		if c-'0' > 9 {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	return n, true
}

// at is what stands at a place, without blanks around it; false if the line ends before.
func (r *reading) at(text []byte, where span) ([]byte, bool) {
	switch {
	case where.none():
		return nil, true
	case !r.fixed && where.from >= len(r.columns):
		return nil, false
	case !r.fixed:
		return bytes.TrimSpace(r.columns[where.from]), true
	case where.to > len(text):
		return nil, false
	}
	return bytes.TrimSpace(text[where.from:where.to]), true
}
