package reversal

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
		{"of an approved one", txn.Request{Original: txn.Approved}, txn.Keep, 400},
		{"before the answer", txn.Request{Original: txn.Waiting}, txn.Keep, 400},
		{"of one whose issuer is gone", txn.Request{Original: txn.Approved,
			Path: txn.NoDestination}, txn.Refuse, 908},
		{"of a declined one", txn.Request{Original: txn.Declined}, txn.Acknowledge, 400},
		{"of a reversed one", txn.Request{Original: txn.Reversed}, txn.Acknowledge, 400},
		{"of nothing", txn.Request{Original: txn.NotFound}, txn.Refuse, 914},
		{"that names nothing", txn.Request{}, txn.Refuse, 914},
		{"of nothing, tolerated", txn.Request{Original: txn.NotFound, TolerateUnknown: true},
			txn.Acknowledge, 400},
		{"of a part of nothing", txn.Request{Original: txn.NotFound, TolerateUnknown: true,
			Sequel: txn.ReversesPart}, txn.Refuse, 914},
		{"of what it overtook", txn.Request{Original: txn.Awaited}, txn.Refuse, 914},
		{"of what it overtook, tolerated", txn.Request{Original: txn.Awaited, TolerateUnknown: true},
			txn.Acknowledge, 400},
		{"overtaken by its own", txn.Request{Asked: txn.Overtaken}, txn.Acknowledge, 400},
		{"again", txn.Request{Asked: txn.Answered, Original: txn.Reversed}, txn.Repeat, 0},
		{"other content", txn.Request{Asked: txn.Differs}, txn.Refuse, 913},
	} {
		if d := Request(c.q); d.Act != c.act || d.Action != c.code {
			t.Errorf("%s: %+v, want act %d code %d", c.name, d, c.act, c.code)
		}
	}
}
