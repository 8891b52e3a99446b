package advice

import (
	"testing"

	"cardswitch/switch/txn"
)

func TestRequest(t *testing.T) {
	for _, c := range []struct {
		name string
		q    txn.Request
		act  txn.Act
		code uint16
	}{
		{"new", txn.Request{}, txn.Keep, 900},
		{"new, issuer away", txn.Request{Path: txn.Down}, txn.Keep, 900},
		{"told before", txn.Request{Asked: txn.Answered}, txn.Repeat, 0},
		{"other content", txn.Request{Asked: txn.Differs}, txn.Refuse, 913},
		{"after its reversal", txn.Request{Asked: txn.Overtaken}, txn.Acknowledge, 900},
		{"for nobody", txn.Request{Path: txn.NoDestination}, txn.Refuse, 908},
	} {
		if d := Request(c.q); d.Act != c.act || d.Action != c.code {
			t.Errorf("%s: %+v, want act %d code %d", c.name, d, c.act, c.code)
		}
	}
}

// An owed advice ends accepted or before people, and is otherwise sent again: it never just ends.
func TestAnswer(t *testing.T) {
	for _, c := range []struct {
		name string
		a    txn.Answer
		act  txn.Act
	}{
		{"900", txn.Answer{Action: 900, Accepted: Accepts(900)}, txn.Done},
		{"901", txn.Answer{Action: 901, Accepted: Accepts(901)}, txn.Done},
		{"400", txn.Answer{Action: 400, Accepted: Accepts(400)}, txn.Done},
		{"000, as many links answer", txn.Answer{Accepted: Accepts(0)}, txn.Done},
		{"914 to what may never have arrived", txn.Answer{Action: 914, MayBeUnknown: true},
			txn.Done},
		{"914 to what was approved", txn.Answer{Action: 914, Accepted: Accepts(914)}, txn.Shelve},
		{"retried by the profile", txn.Answer{Action: 911, Retry: true}, txn.Retry},
		{"no action code", txn.Answer{Action: -1}, txn.Retry},
		{"refused", txn.Answer{Action: 904, Accepted: Accepts(904)}, txn.Shelve},
		{"something unheard of", txn.Answer{Action: 999, Accepted: Accepts(999)}, txn.Shelve},
	} {
		if d := Answer(c.a); d.Act != c.act {
			t.Errorf("%s: %+v, want act %d", c.name, d, c.act)
		}
	}
	if Deadline().Act != txn.Retry {
		t.Error("silence ends an advice")
	}
}
