package txn_test

import (
	"testing"

	"pgregory.net/rapid"

	"cardswitch/spec"
	"cardswitch/store/journal"
	"cardswitch/switch/txn"
)

func TestSequelOf(t *testing.T) {
	for _, c := range []struct {
		mti        spec.MTI
		function   int
		processing uint32
		want       txn.Sequel
	}{
		{0x1200, 200, 0, txn.NoSequel},
		{0x1200, -1, 0, txn.NoSequel},
		{0x1200, 201, 0, txn.Completes},
		{0x1220, 202, 0, txn.Completes},
		{0x1221, 202, 200000, txn.Completes},
		{0x1200, 200, 200000, txn.Returns},
		{0x1220, 200, 203000, txn.Returns},
		{0x1200, 200, 210000, txn.Credits}, // a deposit
		{0x1220, 200, 223000, txn.Credits}, // an adjustment
		{0x1200, 200, 300000, txn.NoSequel},
		{0x1100, 100, 200000, txn.NoSequel},
		{0x1100, 106, 0, txn.Raises},
		{0x1101, 107, 0, txn.Raises},
		{0x1100, 201, 0, txn.NoSequel},
		{0x1420, 400, 0, txn.Reverses},
		{0x1421, 441, 0, txn.Reverses},
		{0x1420, 401, 0, txn.ReversesPart},
		{0x1804, 801, 0, txn.NoSequel},
	} {
		if got := txn.SequelOf(c.mti, c.function, c.processing); got != c.want {
			t.Errorf("%s %d %06d: %d, want %d", c.mti, c.function, c.processing, got, c.want)
		}
	}
}

// Whatever follows, and whatever comes of it, never more is taken than was approved; what comes to
// nothing gives back what it took.
func TestNeverMoreThanApproved(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		left := txn.Remainder{}.After(&journal.Record{Seq: 1, Txn: 1, Kind: journal.Opened,
			Amount: rapid.Uint64Range(1, 1000).Draw(t, "approved")})
		var reversed, spent uint64
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			q := txn.Request{Original: txn.Approved, OriginalMTI: 0x1200, Left: left,
				OriginalAmount: left.Approved,
				Amount:         rapid.Uint64Range(0, 1000).Draw(t, "amount")}
			rec := journal.Record{Seq: 2, Txn: 1, Kind: journal.Adjusted}
			var why txn.Reason
			switch rapid.IntRange(0, 2).Draw(t, "what") {
			case 0:
				q.Sequel = txn.ReversesPart
				q.Rules.Partial = txn.Partial(rapid.IntRange(0, 1).Draw(t, "way"))
				rec.Amount, why = q.Reversal()
				rec.Reason = uint16(txn.PartReversed)
				if why == txn.None {
					reversed += rec.Amount
				}
			case 1:
				q.Sequel = txn.Returns
				rec.Amount, why = q.Follow()
				rec.Reason = uint16(txn.SpentOf)
				if why == txn.None {
					spent += rec.Amount
				}
			case 2:
				if spent == 0 {
					continue
				}
				rec.Amount = rapid.Uint64Range(1, spent).Draw(t, "undone")
				rec.Reason = uint16(txn.SpentUndone)
				spent -= rec.Amount
			}
			if why != txn.None {
				continue
			}
			left = left.After(&rec)
			if reversed+spent > left.Approved {
				t.Fatalf("%d reversed and %d given back of %d", reversed, spent, left.Approved)
			}
			if left.Left() != left.Approved-reversed-spent {
				t.Fatalf("left %d of %d after %d and %d", left.Left(), left.Approved, reversed, spent)
			}
		}
	})
}

func TestFollow(t *testing.T) {
	hold := txn.Remainder{Approved: 1000}
	for _, c := range []struct {
		name  string
		q     txn.Request
		moves uint64
		why   txn.Reason
	}{
		{"completes", txn.Request{Sequel: txn.Completes, Original: txn.Approved, Amount: 900,
			OriginalMTI: 0x1100, Left: hold}, 900, txn.None},
		{"completes the same", txn.Request{Sequel: txn.Completes, Original: txn.Approved, Amount: 1000,
			Function: 201, OriginalMTI: 0x1100, Left: hold}, 1000, txn.None},
		{"another for the same", txn.Request{Sequel: txn.Completes, Original: txn.Approved,
			Amount: 900, Function: 201, OriginalMTI: 0x1100, Left: hold}, 0, txn.OtherAmount},
		{"beyond", txn.Request{Sequel: txn.Completes, Original: txn.Approved, Amount: 1001,
			OriginalMTI: 0x1100, Left: hold}, 0, txn.MoreThanLeft},
		{"beyond, agreed", txn.Request{Sequel: txn.Completes, Original: txn.Approved, Amount: 1200,
			OriginalMTI: 0x1100, Left: hold, Rules: txn.Adjustments{Over: 20}}, 1200, txn.None},
		{"expired", txn.Request{Sequel: txn.Completes, Original: txn.Approved, Amount: 900,
			OriginalMTI: 0x1100, Left: txn.Remainder{Approved: 1000, Expired: true}}, 900, txn.None},
		{"expired, refused", txn.Request{Sequel: txn.Completes, Original: txn.Approved, Amount: 900,
			OriginalMTI: 0x1100, Left: txn.Remainder{Approved: 1000, Expired: true},
			Rules: txn.Adjustments{ExpiredRefuse: true}}, 0, txn.AuthorizationExpired},
		{"completed", txn.Request{Sequel: txn.Completes, Original: txn.Approved, Amount: 1,
			OriginalMTI: 0x1100, Left: txn.Remainder{Approved: 1000, Closed: true}}, 0,
			txn.NothingLeft},
		{"another card", txn.Request{Sequel: txn.Completes, Original: txn.OtherCard, Amount: 1,
			Rules: txn.Adjustments{UnknownKept: true}}, 0, txn.OriginalUnknown},
		{"return of an authorization", txn.Request{Sequel: txn.Returns, Original: txn.Approved,
			Amount: 1, OriginalMTI: 0x1100, Left: hold}, 0, txn.MoreThanLeft},
		{"return of what is reversed", txn.Request{Sequel: txn.Returns, Original: txn.Reversed,
			Amount: 1, OriginalMTI: 0x1200, Left: hold}, 0, txn.NothingLeft},
		{"supplement", txn.Request{Sequel: txn.Raises, Original: txn.Approved, Amount: 500,
			OriginalMTI: 0x1100, Left: hold}, 500, txn.None},
		{"supplement of a sale", txn.Request{Sequel: txn.Raises, Original: txn.Approved, Amount: 500,
			OriginalMTI: 0x1200, Left: hold}, 0, txn.NothingLeft},
		{"supplement of nothing known", txn.Request{Sequel: txn.Raises, Original: txn.NotFound,
			Amount: 500}, 0, txn.None},
	} {
		if moves, why := c.q.Follow(); moves != c.moves || why != c.why {
			t.Errorf("%s: %d, %s; want %d, %s", c.name, moves, why, c.moves, c.why)
		}
	}
}
