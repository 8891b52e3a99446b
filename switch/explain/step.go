package explain

import (
	"fmt"
	"time"

	"cardswitch/spec"
	"cardswitch/store/journal"
	"cardswitch/store/total"
	"cardswitch/switch/txn"
)

// step tells one record.
func (s *story) step(r *journal.Record) Step {
	out := Step{Seq: r.Seq, At: time.Unix(0, r.At), US: s.us(r.At), Kind: r.Kind.String(),
		Reason: r.Reason, Why: txn.Reason(r.Reason).String(), Hint: txn.Reason(r.Reason).Hint()}
	switch {
	case r.Action != 0, r.Kind == journal.StoodIn, r.Kind == journal.Delivered, r.Kind == journal.Late,
		r.Kind == journal.Closed && txn.Reason(r.Reason) != txn.NetworkTimeout:
		out.Action = fmt.Sprintf("%03d", r.Action)
	}
	out.Says = s.says(r)
	if r.Moves != 0 {
		out.Says = append(out.Says, s.counted(r)...)
	}
	return out
}

// counted says in which business days the record counts, at the issuer and at the merchant.
func (s *story) counted(r *journal.Record) (list []string) {
	kind := total.Kind(r.Moves)
	if r.Day != 0 {
		list = append(list, fmt.Sprintf("it counts as %s in the business day %s of %s", kind,
			day(r.Day), s.center(dest(s.records, r))))
	}
	if r.MerchantDay != 0 {
		list = append(list, fmt.Sprintf("it counts as %s in the business day %s of %s", kind,
			day(r.MerchantDay), s.center(s.first.Center)))
	}
	return list
}

// says are the sentences about a record. A kind that isn't known here is told by its reason.
func (s *story) says(r *journal.Record) []string {
	asker, issuer := s.center(s.first.Center), s.center(dest(s.records, r))
	switch r.Kind {
	case journal.Opened:
		asked := fmt.Sprintf("%s asked%s: %s", asker, s.over(r, journal.Request), what(r))
		if txn.Reason(r.Reason) == txn.HeldForCard {
			return []string{asked, fmt.Sprintf("it was held: something older is still owed to %s for "+
				"this card; trace number %s", issuer, digits(uint64(r.STAN), 6))}
		}
		return []string{asked,
			fmt.Sprintf("sent to %s%s as trace number %s; its answer was waited for until %s (%s)",
				issuer, s.over(r, journal.Forward), digits(uint64(r.STAN), 6),
				time.Unix(0, r.Deadline).Format("15:04:05.000"), span((r.Deadline-r.At)/1000))}
	case journal.Closed:
		return s.closed(r, asker, issuer)
	case journal.Settled:
		return s.settled(r, asker)
	case journal.StoodIn:
		return s.stoodIn(r, asker, issuer)
	case journal.Adjusted:
		text := txn.Reason(r.Reason).String()
		if r.Advice != 0 && r.Advice != s.first.Seq {
			text += fmt.Sprintf(": see transaction %d", r.Advice)
		}
		return []string{text}
	case journal.Delivered:
		return []string{fmt.Sprintf("%s accepted what it was owed (advice %d) with %s: paid",
			issuer, r.Advice, action(r.Action))}
	case journal.Shelved:
		return []string{fmt.Sprintf("advice %d went to the work list: %s; a person has to decide",
			r.Advice, shelvedFor(r))}
	case journal.Late:
		return s.late(r, issuer)
	case journal.Originated:
		return []string{fmt.Sprintf("the switch asked %s: %s %03d (%s)", issuer, r.MTI, r.Function,
			spec.FunctionName(int(r.Function)))}
	case journal.Sent:
		return []string{fmt.Sprintf("what was owed before it is paid: sent to %s over %s", issuer,
			r.Text)}
	case journal.Moved:
		return []string{fmt.Sprintf("not one byte of it had left, so it went over %s", r.Text)}
	case journal.Repeated:
		return []string{fmt.Sprintf("%s asked again and got the same answer again", asker)}
	case journal.Resolved:
		return []string{fmt.Sprintf("a person decided about advice %d: %s", r.Advice, r.Text)}
	case journal.Reversed:
		if r.Advice == s.first.Seq {
			return []string{"it was reversed before it came: it will be refused"}
		}
		return []string{fmt.Sprintf("%s reversed it: see transaction %d", asker, r.Advice)}
	}
	text := r.Kind.String()
	if why := txn.Reason(r.Reason).String(); why != "" {
		text += ": " + why
	}
	if r.Text != "" {
		text += ": " + r.Text
	}
	return []string{text}
}

// closed tells how a request that was sent on ended.
func (s *story) closed(r *journal.Record, asker, issuer string) []string {
	reason, after := txn.Reason(r.Reason), span(s.us(r.At))
	if s.first.Kind == journal.Originated {
		if reason == txn.NetworkTimeout {
			return []string{fmt.Sprintf("%s did not answer within %s", issuer, after)}
		}
		return []string{fmt.Sprintf("%s answered %s after %s", issuer, action(r.Action), after)}
	}
	var list []string
	if reason == txn.IssuerAnswered {
		list = append(list, fmt.Sprintf("%s answered %s after %s, and %s got that answer", issuer,
			action(r.Action), after, asker))
	} else {
		list = append(list, fmt.Sprintf("%s after %s: %s was answered %s", reason, after, asker,
			action(r.Action)))
	}
	switch {
	case r.Image(journal.Advice) != nil:
		list = append(list, fmt.Sprintf("whether %s has booked it isn't known, so a reversal is "+
			"owed to it (advice %d)", issuer, r.Seq))
	case reason.Unsent():
		list = append(list, "it never left, so there is nothing to reverse")
	case reason != txn.IssuerAnswered && s.reversed():
		list = append(list, "its merchant's own reversal is on the way already")
	}
	if r.Image(journal.Reply) == nil {
		list = append(list, "no answer could be written for "+asker)
	}
	if r.Text != "" {
		list = append(list, r.Text)
	}
	return list
}

// settled tells of what the switch answered at once.
func (s *story) settled(r *journal.Record, asker string) []string {
	list := []string{fmt.Sprintf("%s sent%s: %s", asker, s.over(r, journal.Request), what(r))}
	if r.Image(journal.Reply) == nil {
		list = append(list, fmt.Sprintf("not answered: %s", txn.Reason(r.Reason)))
	} else {
		list = append(list, fmt.Sprintf("answered at once with %s: %s", action(r.Action),
			txn.Reason(r.Reason)))
	}
	if r.Image(journal.Advice) != nil {
		list = append(list, fmt.Sprintf("it is owed to %s as trace number %s (advice %d)",
			s.center(r.Dest), digits(uint64(r.STAN), 6), r.Seq))
	}
	if r.Text != "" {
		list = append(list, r.Text)
	}
	return list
}

// stoodIn tells what stand-in decided in the place of an issuer.
func (s *story) stoodIn(r *journal.Record, asker, issuer string) (list []string) {
	if r.Seq == s.first.Seq {
		list = append(list, fmt.Sprintf("%s asked%s: %s", asker, s.over(r, journal.Request), what(r)))
	}
	list = append(list, fmt.Sprintf("stand-in decided in the place of %s: %s, %s", issuer,
		action(r.Action), txn.Reason(r.Reason)))
	if r.Image(journal.Advice) != nil {
		list = append(list, fmt.Sprintf("%s is to be told so (advice %d)", issuer, r.Seq))
	}
	return list
}

// late tells of an answer after the end.
func (s *story) late(r *journal.Record, issuer string) []string {
	text := fmt.Sprintf("%s answered %s only now, %s after it was asked", issuer, action(r.Action),
		span(s.us(r.At)))
	if txn.Reason(r.Reason) == txn.LateApproval {
		return []string{text + "; it is reversed already, so nothing more is to be done"}
	}
	return []string{text + "; it changes nothing"}
}

// reversed tells whether the merchant reversed it.
func (s *story) reversed() bool {
	for i := range s.records {
		if s.records[i].Kind == journal.Reversed {
			return true
		}
	}
	return false
}

// over says which link a message took, with a blank before it; "" if that isn't known.
func (s *story) over(r *journal.Record, role journal.Role) string {
	i := r.Image(role)
	if i == nil || s.Names.Name(i.Link) == "" {
		return ""
	}
	return " over " + s.Names.Name(i.Link)
}
