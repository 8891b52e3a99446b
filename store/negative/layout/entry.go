package layout

import (
	"bytes"

	"cardswitch/spec"
	"cardswitch/store/negative"
)

// entry reads a line.
func (r *reading) entry(text []byte) (pan spec.PAN, t negative.Terms, c Cause) {
	if c = r.split(text); c != "" {
		return pan, t, c
	}
	var at [fields][]byte
	for f := range at {
		var ok bool
		if at[f], ok = r.at(text, r.Layout.columns[f]); !ok {
			return pan, t, LineTooShort
		}
	}
	if len(at[fieldPAN]) < 8 {
		return pan, t, CardNumber
	}
	pan, err := spec.ParsePAN(string(at[fieldPAN]))
	if err != nil {
		return pan, t, CardNumber
	}
	number, _ := pan.Number()
	r.sum = (r.sum + number%r.width) % r.width
	if r.luhn && !checks(at[fieldPAN]) {
		return pan, t, CheckDigit
	}
	t, c = r.terms(at)
	return pan, t, c
}

// terms reads what a line says of its card.
func (r *reading) terms(at [fields][]byte) (t negative.Terms, c Cause) {
	t = r.defaults
	var ok bool
	if n, given := code(at[fieldAction], 3); given {
		if n < 100 || n > 299 {
			return t, ActionCode
		}
		t.Action = n
	}
	if n, given := code(at[fieldReason], 4); given {
		if n < 3000 || n > 3999 {
			return t, ReasonCode
		}
		t.Reason = n
	}
	if t.From, ok = day(at[fieldFrom], false); !ok {
		return t, FirstDay
	}
	if t.Until, ok = day(at[fieldUntil], true); !ok {
		return t, LastDay
	}
	if t.Until != 0 && t.Until < t.From {
		return t, DaysBackwards
	}
	return t, ""
}

// code reads a code of so many digits; given is false for blanks and zeros. One that is none is 1.
func code(text []byte, width int) (n uint16, given bool) {
	if len(text) == 0 {
		return 0, false
	}
	v, ok := decimal(text)
	if !ok || len(text) != width {
		return 1, true
	}
	return uint16(v), v != 0
}

// day reads YYMM, YYMMDD, YYYYMMDD or YYYY-MM-DD; blanks and zeros are none. A month without a day
// is its first, or as the end of something its last.
func day(text []byte, end bool) (negative.Day, bool) {
	if len(bytes.Trim(text, "0-/")) == 0 {
		return 0, true
	}
	var digits [8]byte
	n := 0
	for _, c := range text {
		if c == '-' || c == '/' {
			continue
		}
		if n == len(digits) {
			return 0, false
		}
		digits[n] = c
		n++
	}
	v, ok := decimal(digits[:n])
	if !ok {
		return 0, false
	}
	year, month, d := 0, 0, 1
	switch n {
	case 4:
		year, month = 2000+int(v/100), int(v%100)
		if end {
			d = 0
		}
	case 6:
		year, month, d = 2000+int(v/10000), int(v/100%100), int(v%100)
	case 8:
		year, month, d = int(v/10000), int(v/100%100), int(v%100)
	}
	if n > 4 && d == 0 {
		return 0, false
	}
	return negative.DayIn(year, month, d)
}

// checks tells whether the last digit is the check digit of those before it (ISO/IEC 7812-1, annex
// B).
func checks(digits []byte) bool {
	sum := 0
	for i := range digits {
		d := int(digits[len(digits)-1-i] - '0')
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}

// split cuts a CSV line into its columns.
func (r *reading) split(text []byte) Cause {
	r.columns = r.columns[:0]
	if r.fixed {
		return ""
	}
	if bytes.IndexByte(text, '"') >= 0 {
		return r.unquote(text)
	}
	for {
		at := bytes.IndexByte(text, r.separator)
		if at < 0 {
			r.columns = append(r.columns, text)
			return ""
		}
		r.columns = append(r.columns, text[:at])
		text = text[at+1:]
	}
}

// unquote cuts a line with quotation marks. A mark inside of them is doubled; there is none in what
// is read here, so it stays so.
func (r *reading) unquote(text []byte) Cause {
	for {
		if len(text) == 0 || text[0] != '"' {
			at := bytes.IndexByte(text, r.separator)
			if at < 0 {
				r.columns = append(r.columns, text)
				return ""
			}
			r.columns = append(r.columns, text[:at])
			text = text[at+1:]
			continue
		}
		end := closing(text)
		if end < 0 {
			return misplacedQuote
		}
		r.columns = append(r.columns, text[1:end])
		text = text[end+1:]
		if len(text) == 0 {
			return ""
		}
		if text[0] != r.separator {
			return misplacedQuote
		}
		text = text[1:]
	}
}

// closing is where the quotation that text begins with ends, or -1.
func closing(text []byte) int {
	for i := 1; i < len(text); i++ {
		if text[i] != '"' {
			continue
		}
		if i+1 < len(text) && text[i+1] == '"' {
			i++
			continue
		}
		return i
	}
	return -1
}
