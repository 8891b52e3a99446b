package network

import (
	"testing"

	"cardswitch/switch/txn"
)

func TestRequest(t *testing.T) {
	for function, want := range map[int]txn.Decision{
		SignOn:    {Act: txn.Acknowledge, Reason: txn.NetworkDone, Action: 800, Next: txn.SignOn},
		SignOff:   {Act: txn.Acknowledge, Reason: txn.NetworkDone, Action: 800, Next: txn.SignOff},
		Echo:      {Act: txn.Acknowledge, Reason: txn.NetworkDone, Action: 800},
		KeyChange: {Act: txn.TakeKey},
		812:       {Act: txn.Refuse, Reason: txn.Unsupported, Action: 902},
		-1:        {Act: txn.Refuse, Reason: txn.Unsupported, Action: 902},
	} {
		if d := Request(txn.Request{Function: function}); d != want {
			t.Errorf("%d: %+v, want %+v", function, d, want)
		}
	}
}

// Only an accepted sign-on signs a link on.
func TestAnswer(t *testing.T) {
	if d := Answer(SignOn, 800); d.Next != txn.SignOn || d.Reason != txn.NetworkDone {
		t.Errorf("sign-on accepted: %+v", d)
	}
	for _, action := range []int{-1, 0, 100, 902, 907} {
		if d := Answer(SignOn, action); d.Next != txn.Stay || d.Reason != txn.NetworkRefused {
			t.Errorf("sign-on answered %d: %+v", action, d)
		}
	}
}
