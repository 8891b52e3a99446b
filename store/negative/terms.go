package negative

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

var errTerms = errors.New("that isn't how terms are written")

// String writes terms as the journal keeps them: "action 200 reason 3000 from - until 2027-01-31".
func (t Terms) String() string {
	date := func(d Day) string {
		if d == 0 {
			return "-"
		}
		return d.String()
	}
	return fmt.Sprintf("action %03d reason %04d from %s until %s", t.Action, t.Reason, date(t.From),
		date(t.Until))
}

// ParseTerms reads what String wrote.
func ParseTerms(s string) (Terms, error) {
	var t Terms
	words := strings.Split(s, " ")
	if len(words) != 8 || words[0] != "action" || words[2] != "reason" || words[4] != "from" ||
		words[6] != "until" {
		return t, errTerms
	}
	var errs [4]error
	t.Action, errs[0] = parseCode(words[1], 3)
	t.Reason, errs[1] = parseCode(words[3], 4)
	t.From, errs[2] = ParseDay(words[5])
	t.Until, errs[3] = ParseDay(words[7])
	return t, errors.Join(errs[:]...)
}

func parseCode(s string, digits int) (uint16, error) {
	if len(s) != digits {
		return 0, errTerms
	}
	n, err := strconv.ParseUint(s, 10, 16)
	return uint16(n), err
}

// ParseDay reads a date as 2026-11-26; - is none.
func ParseDay(s string) (Day, error) {
	if s == "-" {
		return 0, nil
	}
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return 0, err
	}
	d := Date(t.Date())
	if d == 0 {
		return 0, errTerms
	}
	return d, nil
}
