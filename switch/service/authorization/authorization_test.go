package authorization

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
		{"new, path clear", txn.Request{}, txn.Forward, 0},
		{"pending", txn.Request{Asked: txn.Pending, Path: txn.Down}, txn.Wait, 0},
		{"answered", txn.Request{Asked: txn.Answered, Path: txn.Down}, txn.Repeat, 0},
		{"differs", txn.Request{Asked: txn.Differs}, txn.Refuse, 913},
		{"after its reversal", txn.Request{Asked: txn.Overtaken}, txn.Refuse, 902},
		{"no route", txn.Request{Path: txn.NoDestination}, txn.Refuse, 908},
		{"signed off", txn.Request{Path: txn.SignedOff}, txn.Refuse, 910},
		{"down", txn.Request{Path: txn.Down}, txn.Refuse, 912},
		{"full", txn.Request{Path: txn.Full}, txn.Refuse, 907},
	} {
		if d := Request(c.q); d.Act != c.act || d.Action != c.code || d.Owe != 0 {
			t.Errorf("%s: %+v, want act %d code %d and nothing owed", c.name, d, c.act, c.code)
		}
	}
}

func TestAnswer(t *testing.T) {
	valid := txn.Answer{Valid: true, Reachable: true}
	with := func(change func(*txn.Answer)) txn.Answer {
		a := valid
		change(&a)
		return a
	}
	for _, c := range []struct {
		name string
		a    txn.Answer
		want txn.Decision
	}{
		{"approved", valid, txn.Decision{Act: txn.Relay, Reason: txn.IssuerAnswered}},
		{"declined", with(func(a *txn.Answer) { a.Action = 116 }),
			txn.Decision{Act: txn.Relay, Reason: txn.IssuerAnswered, Action: 116}},
		{"declined, merchant gone",
			with(func(a *txn.Answer) { a.Action, a.Reachable = 116, false }),
			txn.Decision{Act: txn.Relay, Reason: txn.IssuerAnswered, Action: 116}},
		{"approved, merchant gone", with(func(a *txn.Answer) { a.Reachable = false }),
			txn.Decision{Act: txn.Close, Reason: txn.Undeliverable, Action: 907, Owe: 4013}},
		{"invalid", with(func(a *txn.Answer) { a.Valid = false }),
			txn.Decision{Act: txn.Close, Reason: txn.InvalidAnswer, Action: 909, Owe: 4020}},
		{"invalid, already reversed by the merchant",
			with(func(a *txn.Answer) { a.Valid, a.Cancelled = false, true }),
			txn.Decision{Act: txn.Close, Reason: txn.InvalidAnswer, Action: 909}},
		{"late approval", with(func(a *txn.Answer) { a.Closed = true }),
			txn.Decision{Act: txn.Note, Reason: txn.LateApproval}},
		{"late denial", with(func(a *txn.Answer) { a.Closed, a.Action = true, 100 }),
			txn.Decision{Act: txn.Note, Reason: txn.LateDenial}},
	} {
		if d := Answer(c.a); d != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, d, c.want)
		}
	}
}

// Silence is never a denial: it ends in a reversal, once.
func TestDeadline(t *testing.T) {
	for _, r := range []txn.Reason{txn.IssuerTimedOut, txn.LinkLost, txn.Restarted} {
		if d := Deadline(r, false); d.Owe != txn.ReverseTimeout || d.Action != 911 {
			t.Errorf("%s: %+v, want 911 and a reversal", r, d)
		}
		if d := Deadline(r, true); d.Owe != 0 || d.Action != 911 {
			t.Errorf("%s, reversed by the merchant: %+v, want no second reversal", r, d)
		}
	}
	if d := NeverSent(txn.NeverLeft); d.Owe != 0 || d.Action != 912 {
		t.Errorf("never sent: %+v, want 912 and nothing to reverse", d)
	}
}
