package explain

import (
	"fmt"
	"strings"
	"time"

	"cardswitch/spec"
	"cardswitch/store/journal"
	"cardswitch/switch/txn"
)

// what is what a record asks or tells, in words: type, amount, card.
func what(r *journal.Record) string {
	text := r.MTI.String()
	if name := r.MTI.Name(); name != "" {
		text += " " + name
	}
	if amount := spec.AmountText(r.Amount, digits(uint64(r.Currency), 3)); r.Amount != 0 {
		if amount == "" {
			amount = fmt.Sprintf("amount %d", r.Amount)
		}
		text += ", " + amount
	}
	if !r.PAN.IsZero() {
		text += ", card " + r.PAN.String()
	}
	return text
}

// action is an action code with its name.
func action(code uint16) string {
	text := fmt.Sprintf("%03d", code)
	if name := spec.ActionName(int(code)); name != "" {
		text += " (" + name + ")"
	}
	return text
}

// span is so many microseconds as people say it.
func span(us int64) string {
	d := time.Duration(us) * time.Microsecond
	switch {
	case d < time.Millisecond:
		return fmt.Sprintf("%d µs", us)
	case d < time.Second:
		return fmt.Sprintf("%.1f ms", float64(us)/1e3)
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", float64(us)/1e6)
	case d < 48*time.Hour:
		return strings.TrimSuffix(d.Round(time.Second).String(), "0s")
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

// day is a business day, YYMMDD, with dashes.
func day(yymmdd uint32) string {
	return fmt.Sprintf("20%02d-%02d-%02d", yymmdd/10000, yymmdd/100%100, yymmdd%100)
}

func digits(n uint64, width int) string { return fmt.Sprintf("%0*d", width, n) }

// summarize says the whole in a few sentences: what it was, how it ended, what is to be done.
func (s *story) summarize() {
	t := s.told
	say := func(format string, args ...any) {
		t.Summary = append(t.Summary, fmt.Sprintf(format, args...))
	}
	asker := s.center(s.first.Center)
	if s.first.MTI != 0 {
		say("%s, from %s on %s.", what(s.first), asker, t.Began.Format("2006-01-02 15:04:05 -07:00"))
	}
	if reference := strings.Trim(string(s.first.Reference[:]), " \x00"); reference != "" {
		t.Summary[0] = strings.TrimSuffix(t.Summary[0], ".") + ", RRN " + reference + "."
	}
	end := s.ended()
	switch {
	case end == nil && (s.first.Kind == journal.Opened || s.first.Kind == journal.Originated):
		t.Open = true
		say("It is OPEN: %s has not answered yet.", s.center(s.first.Dest))
	case end == nil:
	case s.first.Kind == journal.Originated:
		say("%s.", upper(s.closed(end, asker, s.center(s.first.Dest))[0]))
	case end.Kind == journal.StoodIn && txn.Approves(int(end.Action)):
		say("APPROVED by STAND-IN in the place of %s with %s: %s.", s.center(end.Dest),
			action(end.Action), txn.Reason(end.Reason))
	case end.Kind == journal.StoodIn:
		say("DECLINED by STAND-IN in the place of %s with %s: %s.", s.center(end.Dest),
			action(end.Action), txn.Reason(end.Reason))
	case txn.Reason(end.Reason) == txn.IssuerAnswered && txn.Approves(int(end.Action)):
		say("APPROVED by %s with %s.", s.center(end.Dest), action(end.Action))
	case txn.Reason(end.Reason) == txn.IssuerAnswered:
		say("DECLINED by %s with %s.", s.center(end.Dest), action(end.Action))
	case end.Kind == journal.Closed && !txn.Reason(end.Reason).Unsent():
		say("Outcome UNKNOWN, not declined: %s. %s was told %s.", txn.Reason(end.Reason), asker,
			action(end.Action))
	case end.Image(journal.Advice) != nil, !refuses(end):
		say("TAKEN by the switch with %s: %s.", action(end.Action), txn.Reason(end.Reason))
	default:
		say("REFUSED by the switch with %s: %s.", action(end.Action), txn.Reason(end.Reason))
	}
	if s.reversed() {
		say("Its merchant reversed it.")
	}
	if t.Left != nil {
		say("%v.", t.Left)
	}
	s.sumOfDebts(say)
}

// refuses tells whether the switch's own answer says no.
func refuses(r *journal.Record) bool {
	return r.Action >= 100 && r.Action < 300 || r.Action >= 902
}

// sumOfDebts says what is still to be done, by whom.
func (s *story) sumOfDebts(say func(string, ...any)) {
	all := s.debts
	for i := range s.others {
		all = append(all[:len(all):len(all)], s.others[i].Owed...)
	}
	for i := range all {
		d := &all[i]
		switch d.State {
		case Paid:
			say("%s was owed a %s and has accepted it.", d.Center, d.MTI)
		case Dropped:
			say("%s was owed a %s; a person dropped it.", d.Center, d.MTI)
		case Decides:
			s.told.Open = true
			say("A PERSON HAS TO DECIDE about the %s that is owed to %s: `cardswitch worklist list`, "+
				"then `worklist retry %d` or `drop`.", d.MTI, d.Center, d.ID)
		default:
			s.told.Open = true
			say("A %s is STILL OWED to %s; it is tried until it is accepted.", d.MTI, d.Center)
		}
	}
	if len(all) == 0 && !s.told.Open {
		say("Nothing is owed to anybody.")
	}
}

func upper(text string) string {
	if text == "" {
		return text
	}
	return strings.ToUpper(text[:1]) + text[1:]
}
