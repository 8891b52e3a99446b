package admin

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// filter says which lines a reader wants. An empty field asks for nothing.
type filter struct {
	center, link, mti, action string
	last4, rrn, stan, kind    string
	least, most               uint64
	declined                  bool
}

func parseFilter(query url.Values) (filter, error) {
	f := filter{
		center:   query.Get("center"),
		link:     query.Get("link"),
		mti:      query.Get("mti"),
		action:   query.Get("action"),
		last4:    query.Get("last4"),
		rrn:      query.Get("rrn"),
		stan:     query.Get("stan"),
		kind:     query.Get("kind"),
		declined: query.Get("declined") == "1",
	}
	// More digits would be a search for a card in a log of requests.
	if len(f.last4) > 4 || strings.Trim(f.last4, "0123456789") != "" {
		return f, &misuseError{"last4 is the last four digits of a card",
			"nobody can search for a whole card number here"}
	}
	var err error
	if f.least, err = number(query, "min"); err != nil {
		return f, err
	}
	f.most, err = number(query, "max")
	return f, err
}

func number(query url.Values, name string) (uint64, error) {
	text := query.Get(name)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, &misuseError{fmt.Sprintf("%s: %q is not a number", name, text), "write digits only"}
	}
	return n, nil
}

// takes tells whether the line passes. MTI, action and kind match by how they begin, so that 12 is
// all financial messages and 9 all codes of trouble.
func (f *filter) takes(l *Line) bool {
	switch {
	case f.center != "" && f.center != l.Center && f.center != l.Dest:
	case f.link != "" && f.link != l.Link && f.link != l.DestLink:
	case f.mti != "" && !strings.HasPrefix(l.MTI, f.mti):
	case f.action != "" && !strings.HasPrefix(l.Action, f.action):
	case f.kind != "" && !strings.HasPrefix(l.Kind, f.kind):
	case f.last4 != "" && !strings.HasSuffix(l.PAN, f.last4):
	case f.rrn != "" && f.rrn != l.RRN:
	case f.stan != "" && f.stan != l.STAN:
	case f.least > 0 && l.Amount < f.least:
	case f.most > 0 && l.Amount > f.most:
	case f.declined && !declined(l.Action):
	default:
		return true
	}
	return false
}

// declined holds for 1xx and 2xx (denied) and from 902 up (not processed). 900 and 901 acknowledge
// an advice.
func declined(action string) bool {
	return action >= "100" && action < "300" || action >= "902"
}
