package settle

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"cardswitch/spec"
	"cardswitch/store/total"
)

// Leg names a message on the leg between the switch and a center: what was asked first (a repeat is
// its original), under which trace number (DE 11), at what local time (DE 12).
type Leg struct {
	MTI       spec.MTI
	STAN      uint32
	LocalTime uint64 // YYMMDDhhmmss
}

// String is as people write it.
func (l Leg) String() string { return fmt.Sprintf("%v %06d %012d", l.MTI, l.STAN, l.LocalTime) }

// Entry is one transaction in a center's book.
type Entry struct {
	Leg
	Processing uint32
	Original   spec.MTI // what a reversal reverses
	Amount     uint64   // in the smallest unit, of a partial reversal what it takes back
	Currency   uint16   // 0: that of the period
	Day        Day      // 0: that of the period
	Slice      uint16   // 0: not told
	Reference  string   // DE 37
	Line       int      // where it stands in the listing
}

// Kind is the total that the entry moves.
func (e *Entry) Kind() total.Kind {
	if e.MTI.Class() == 4 {
		return total.KindOf(e.Original, e.Processing).Reversal()
	}
	return total.KindOf(e.MTI, e.Processing)
}

// mostEntries bounds what one comparison holds in memory: some 600 MB.
const mostEntries = 2_000_000

// ReadListing reads the book of a center, as CSV or JSON, up to an error that names the line.
//
// CSV has a line of names first, then a line for each transaction; JSON is a list of objects, or
// one object a line, with the same names: mti, stan, local_time and amount must be there,
// processing (else 000000), original_mti (of a reversal; else 1200), currency, day, slice and
// reference may be. Others are passed over. Digits may be numbers in JSON. No card number is ever
// needed.
func ReadListing(from io.Reader, each func(Entry) error) error {
	r := bufio.NewReaderSize(from, 1<<16)
	first, err := firstByte(r)
	if errors.Is(err, io.EOF) {
		return errors.New("the listing is empty")
	}
	if err != nil {
		return err
	}
	if first == '[' || first == '{' {
		return readJSON(r, first == '[', each)
	}
	return readCSV(r, each)
}

// firstByte looks for the first that is no space, and leaves it.
func firstByte(r *bufio.Reader) (byte, error) {
	if mark, err := r.Peek(3); err == nil && bytes.Equal(mark, []byte("\xef\xbb\xbf")) {
		_, _ = r.Discard(3)
	}
	for {
		b, err := r.ReadByte()
		if err != nil {
			return 0, err
		}
		if !bytes.ContainsAny([]byte{b}, " \t\r\n") {
			return b, r.UnreadByte()
		}
	}
}

func readCSV(r io.Reader, each func(Entry) error) error {
	lines := csv.NewReader(r)
	lines.ReuseRecord = true
	head, err := lines.Read()
	if err != nil {
		return fmt.Errorf("line 1: %w", err)
	}
	names := make([]string, len(head))
	for i, name := range head {
		names[i] = strings.ToLower(strings.TrimSpace(name))
	}
	for n := 1; ; n++ {
		record, err := lines.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", n+1, err)
		}
		line, _ := lines.FieldPos(0) // there is none of a line that can't be read
		value := func(name string) string {
			for i := range names {
				if names[i] == name {
					return strings.TrimSpace(record[i])
				}
			}
			return ""
		}
		if err := give(n, line, value, each); err != nil {
			return err
		}
	}
}

func readJSON(r io.Reader, list bool, each func(Entry) error) error {
	d := json.NewDecoder(r)
	d.UseNumber()
	if list {
		if _, err := d.Token(); err != nil {
			return err
		}
	}
	for n := 1; d.More(); n++ {
		var object map[string]any
		if err := d.Decode(&object); err != nil {
			return fmt.Errorf("entry %d: %w", n, err)
		}
		value := func(name string) string {
			if v, ok := object[name]; ok && v != nil {
				return fmt.Sprint(v)
			}
			return ""
		}
		if err := give(n, n, value, each); err != nil {
			return err
		}
	}
	if list {
		if _, err := d.Token(); err != nil {
			return fmt.Errorf("the list doesn't end: %w", err)
		}
	}
	return nil
}

// give makes an entry of its values, the n-th, and hands it on.
func give(n, line int, value func(string) string, each func(Entry) error) error {
	if n > mostEntries {
		return fmt.Errorf("more than %d entries (hint: list slice by slice)", mostEntries)
	}
	e, err := entryOf(value)
	if err != nil {
		return fmt.Errorf("line %d: %w", line, err)
	}
	e.Line = line
	return each(e)
}

func entryOf(value func(string) string) (e Entry, err error) {
	digits := func(name, otherwise string, most uint64) uint64 {
		text := cmp.Or(value(name), otherwise)
		if text == "" && err == nil {
			err = fmt.Errorf("%s is missing", name)
		}
		v, bad := strconv.ParseUint(text, 10, 64)
		if (bad != nil || v > most) && err == nil {
			err = fmt.Errorf("%s isn't a number, or too large", name)
		}
		return v
	}
	e.STAN = uint32(digits("stan", "", 999_999))
	e.LocalTime = digits("local_time", "", 999_999_999_999)
	e.Amount = digits("amount", "", 9_999_999_999_999_999)
	e.Processing = uint32(digits("processing", "0", 999_999))
	e.Currency = uint16(digits("currency", "0", 999))
	e.Slice = uint16(digits("slice", "0", 999))
	e.Reference = value("reference")
	if err != nil {
		return e, err
	}
	if e.MTI, err = messageType(value("mti"), ""); err != nil {
		return e, fmt.Errorf("mti: %w", err)
	}
	if e.Original, err = messageType(value("original_mti"), "1200"); err != nil {
		return e, fmt.Errorf("original_mti: %w", err)
	}
	if text := value("day"); text != "" && text != "0" {
		if e.Day, err = ParseDay(text); err != nil {
			return e, fmt.Errorf("day: %w", err)
		}
	}
	return e, nil
}

// messageType reads an MTI; a repeat, or an answer, is what it repeats or answers.
func messageType(text, otherwise string) (spec.MTI, error) {
	m, err := spec.ParseMTI(cmp.Or(text, otherwise))
	if err != nil {
		return 0, err
	}
	m = m.Original()
	if m.IsResponse() {
		m -= 0x10
	}
	return m, nil
}
