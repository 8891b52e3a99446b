package reconcile

import (
	"testing"

	"cardswitch/switch/txn"
)

// What is answered (reference iso8583-1993 section 5.6).
func TestRequest(t *testing.T) {
	for _, c := range []struct {
		name   string
		q      txn.Request
		act    txn.Act
		action uint16
	}{
		{"equal", txn.Request{Function: Final, Period: txn.PeriodEnded, Balance: txn.InBalance},
			txn.Compare, 500},
		{"amounts differ",
			txn.Request{Function: Final, Period: txn.PeriodEnded, Balance: txn.AmountsDiffer},
			txn.Compare, 502},
		{"numbers differ",
			txn.Request{Function: Checkpoint, Period: txn.PeriodEnded, Balance: txn.NumbersDiffer},
			txn.Compare, 504},
		{"other convention",
			txn.Request{Function: Final, Period: txn.PeriodEnded, Balance: txn.OtherConvention},
			txn.Compare, 504},
		{"open", txn.Request{Function: Final, Period: txn.PeriodOpen, Balance: txn.InBalance},
			txn.Compare, 503},
		{"advices are owed", txn.Request{Function: Final, Period: txn.PeriodOwed}, txn.Compare, 503},
		{"unknown", txn.Request{Function: Final}, txn.Refuse, 915},
		{"just the totals",
			txn.Request{Function: Totals, Period: txn.PeriodEnded, Balance: txn.InBalance},
			txn.Compare, 504},
		{"asked without figures", txn.Request{Function: Final, Period: txn.PeriodEnded},
			txn.Compare, 504},
		{"agreed, asked again without figures",
			txn.Request{Function: Final, Period: txn.PeriodAgreed}, txn.Compare, 500},
		{"agreed, told again",
			txn.Request{Function: Final, Period: txn.PeriodAgreed, Balance: txn.InBalance},
			txn.Compare, 500},
		{"repeat", txn.Request{Function: Final, Asked: txn.Answered}, txn.Repeat, 0},
		{"same number, other question", txn.Request{Function: Final, Asked: txn.Differs}, txn.Refuse,
			913},
		{"another function", txn.Request{Function: 580, Period: txn.PeriodEnded}, txn.Refuse, 902},
	} {
		if d := Request(c.q); d.Act != c.act || d.Action != c.action {
			t.Errorf("%s: %+v, want act %d code %d", c.name, d, c.act, c.action)
		}
	}
}

func TestAnswer(t *testing.T) {
	for _, c := range []struct {
		name string
		a    txn.Answer
		act  txn.Act
		why  txn.Reason
	}{
		{"500", txn.Answer{Action: 500}, txn.Done, txn.TotalsAgree},
		{"501", txn.Answer{Action: 501}, txn.Done, txn.TotalsDiffer},
		{"502", txn.Answer{Action: 502, Balance: txn.AmountsDiffer}, txn.Done, txn.TotalsDiffer},
		{"504, and they differ", txn.Answer{Action: 504, Balance: txn.NumbersDiffer}, txn.Done,
			txn.TotalsDiffer},
		{"504, and they are equal", txn.Answer{Action: 504, Balance: txn.InBalance}, txn.Done,
			txn.TotalsAgree},
		{"a private code of out of balance", txn.Answer{Action: 580}, txn.Done, txn.TotalsDiffer},
		{"not yet", txn.Answer{Action: 503}, txn.Done, txn.TotalsNotReady},
		{"unknown period", txn.Answer{Action: 915}, txn.Done, txn.PeriodNotThere},
		{"busy", txn.Answer{Action: 907, Retry: true}, txn.Retry, txn.AdviceUnanswered},
		{"no code", txn.Answer{Action: -1}, txn.Retry, txn.AdviceUnanswered},
		{"refused", txn.Answer{Action: 904}, txn.Shelve, txn.AdviceRefused},
	} {
		if d := Answer(c.a); d.Act != c.act || d.Reason != c.why {
			t.Errorf("%s: %+v, want act %d for %v", c.name, d, c.act, c.why)
		}
	}
}

func TestTells(t *testing.T) {
	for _, c := range []struct {
		advice bool
		action uint16
		want   bool
	}{
		{true, 500, false}, {false, 500, true}, {true, 502, true}, {false, 504, true},
		{true, 503, false}, {false, 503, false}, {false, 915, false},
	} {
		if Tells(c.advice, c.action) != c.want {
			t.Errorf("advice %v, action %d", c.advice, c.action)
		}
	}
}
