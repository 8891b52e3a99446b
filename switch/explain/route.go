package explain

import (
	"fmt"
	"slices"
	"strings"

	"cardswitch/routing"
	"cardswitch/routing/cardrange"
	"cardswitch/store/journal"
	cardswitch "cardswitch/switch"
	"cardswitch/switch/txn"
)

// decision is why this issuer was asked: by the routing table that was in use then. nil for what
// has no route, such as network management.
func (s *story) decision() *Decision {
	request := s.image(journal.Request)
	if s.first.Kind == journal.Originated || s.first.MTI.Class() == 8 || s.first.MTI == 0 ||
		request == nil || request.kept.Message.Dialect() == nil || request.kept.Err != nil {
		return nil
	}
	if dest := s.followed(); dest != "" {
		return &Decision{Why: "it goes where its original went: to " + dest}
	}
	table, since, ok, err := cardswitch.RoutesAt(s.Books, s.first.Seq)
	switch {
	case err != nil:
		return &Decision{Why: "the routing table of that time can't be read: " + err.Error()}
	case !ok:
		return &Decision{Why: s.asked() + "; the routing table of that time wasn't kept"}
	}
	q := routing.QueryOf(&request.kept.Message, s.first.At/1e9)
	if pan := s.first.PAN; !pan.IsZero() { // the image has none
		number, length := pan.Number()
		q.PAN, q.PANLen = cardrange.Align(number, length), uint8(length)
	}
	place := slices.Index(table.Kept().Merchants, s.center(s.first.Center))
	q.Merchant = uint16(place) // -1 is none of them
	d := &Decision{Since: since, Rules: table.Explain(&q)}
	d.Why = s.agrees(d.Rules)
	return d
}

// followed names the issuer of the original that a reversal or an advice refers to.
func (s *story) followed() string {
	if s.first.Dest == 0 || len(s.others) == 0 || s.first.MTI.Class() != 4 &&
		s.first.MTI.Function() != 2 {
		return ""
	}
	for i := range s.others {
		records, err := s.Books.Transaction(s.others[i].Txn)
		if err == nil && records[0].Dest == s.first.Dest {
			return s.center(s.first.Dest)
		}
	}
	return ""
}

// asked is who was asked, in words.
func (s *story) asked() string {
	if s.first.Dest == 0 {
		return "no issuer was asked"
	}
	return s.center(s.first.Dest) + " was asked"
}

// agrees compares what the rules say with what was done.
func (s *story) agrees(e routing.Explanation) string {
	taken := ""
	for _, c := range e.Candidates {
		if c.Taken {
			taken = fmt.Sprintf("%s (%s)", c.Where, strings.TrimSpace(c.Range+" "+c.Scheme))
		}
	}
	dest := s.center(s.first.Dest)
	at := slices.Index(e.To, dest)
	switch {
	case s.first.Kind == journal.StoodIn && at >= 0:
		return fmt.Sprintf("%s names %s, in whose place stand-in decided", taken, dest)
	case len(e.To) == 0 && s.first.Dest == 0:
		return "no rule takes it, so it has no issuer"
	case s.first.Dest == 0:
		return fmt.Sprintf("%s names %s, but it was not sent there: %s", taken,
			strings.Join(e.To, ", then "), txn.Reason(s.first.Reason))
	case at == 0:
		return fmt.Sprintf("%s was asked because of %s", dest, taken)
	case at > 0:
		return fmt.Sprintf("%s was asked because of %s: before it %s could not take it then", dest,
			taken, strings.Join(e.To[:at], ", "))
	}
	return fmt.Sprintf("%s was asked, though the rules say otherwise: the table was changed in "+
		"that moment", dest)
}
