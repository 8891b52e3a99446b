// Package reconcile decides on messages that compare the totals of two centers: 15xx.
//
// Both sides tell their figures of a period (DE 28, and DE 29 of a checkpoint). What is answered is
// in reference iso8583-1993 section 5.6: 500 where all are equal, 502 where amounts differ, 504
// where numbers do or nothing was compared, both with the answerer's own figures, 503 while the
// period is open or something of it is still owed, 915 of a period that isn't there.
package reconcile

import "cardswitch/switch/txn"

// Function codes (DE 24).
const (
	Final              = 500
	Checkpoint         = 501
	FinalCurrency      = 502
	CheckpointCurrency = 503
	Totals             = 504 // asks for totals only
)

// IsCheckpoint tells whether a function code is about one slice of a period.
func IsCheckpoint(function int) bool {
	return function == Checkpoint || function == CheckpointCurrency
}

// Action codes (DE 39).
const (
	inBalance      = 500
	outOfBalance   = 501
	amountsDiffer  = 502
	notAvailable   = 503
	totalsProvided = 504
)

// Request decides on a 1500, 1502, 1520, 1522 or a repeat of one.
func Request(q txn.Request) txn.Decision {
	switch q.Asked {
	case txn.Answered, txn.Pending:
		return txn.Decision{Act: txn.Repeat}
	case txn.Differs:
		return refuse(txn.QuestionDiffers)
	case txn.Overtaken:
		return refuse(txn.QuestionDiffers) // reconciliation is never reversed
	}
	if q.Function < Final || q.Function > Totals {
		return refuse(txn.Unsupported)
	}
	switch q.Period {
	case txn.PeriodUnknown:
		return refuse(txn.PeriodNotThere)
	case txn.PeriodOpen, txn.PeriodOwed:
		return tell(txn.TotalsNotReady, notAvailable)
	}
	if q.Function == Totals {
		return tell(txn.TotalsTold, totalsProvided)
	}
	switch q.Balance {
	case txn.InBalance:
		return tell(txn.TotalsAgree, inBalance)
	case txn.AmountsDiffer:
		return tell(txn.TotalsDiffer, amountsDiffer)
	case txn.NumbersDiffer, txn.OtherConvention:
		return tell(txn.TotalsDiffer, totalsProvided)
	}
	if q.Period == txn.PeriodAgreed {
		return tell(txn.TotalsAgree, inBalance)
	}
	return tell(txn.TotalsTold, totalsProvided)
}

func refuse(r txn.Reason) txn.Decision {
	return txn.Decision{Act: txn.Refuse, Reason: r, Action: r.Action()}
}

func tell(r txn.Reason, action uint16) txn.Decision {
	return txn.Decision{Act: txn.Compare, Reason: r, Action: action}
}

// Tells whether an answer with this action code carries the answerer's totals: an advice says them
// only where they aren't equal, a request always, where there are any.
func Tells(advice bool, action uint16) bool {
	switch action {
	case inBalance:
		return !advice
	case amountsDiffer, totalsProvided:
		return true
	}
	return false
}

// Answer decides on the answer to an own 15xx: Done with the reason says how the figures compare,
// Retry that the other side can't say yet, Shelve that people must look.
func Answer(a txn.Answer) txn.Decision {
	d := txn.Decision{Act: txn.Done, Action: uint16(max(a.Action, 0))}
	switch {
	case a.Action == inBalance || a.Balance == txn.InBalance && a.Action == totalsProvided:
		d.Reason = txn.TotalsAgree
	case a.Action == outOfBalance, a.Action == amountsDiffer, a.Action == totalsProvided,
		a.Action >= 580 && a.Action <= 587:
		d.Reason = txn.TotalsDiffer
	case a.Action == notAvailable:
		d.Reason = txn.TotalsNotReady
	case a.Action == 915:
		d.Reason = txn.PeriodNotThere
	case a.Retry || a.Action < 0:
		return txn.Decision{Act: txn.Retry, Reason: txn.AdviceUnanswered}
	default:
		return txn.Decision{Act: txn.Shelve, Reason: txn.AdviceRefused, Action: d.Action}
	}
	return d
}
