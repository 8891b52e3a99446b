package txn

import (
	"testing"

	"cardswitch/store/journal"
)

func key(n uint32) journal.Key { return journal.KeyOf(1, 0x1200, 261122000000, n, 7, 1) }

func TestQuestionsForgetOldestFirst(t *testing.T) {
	q := NewQuestions(4)
	for n := range uint32(4) {
		q.Add(key(n), Question{Txn: uint64(n + 1)})
	}
	if !q.Full() {
		t.Fatal("four of four are not full")
	}
	q.Defer() // question 0 is still open
	if k, known := q.Oldest(); k != key(1) || known.Txn != 2 {
		t.Fatalf("oldest is %v %v, want question 1", k, known)
	}
	q.Forget()
	q.Add(key(9), Question{Txn: 10})
	for _, n := range []uint32{2, 3, 0, 9} {
		k, _ := q.Oldest()
		if k != key(n) {
			t.Fatalf("oldest is %v, want question %d", k, n)
		}
		q.Forget()
	}
	if _, ok := q.Find(key(2)); ok || q.Len() != 0 {
		t.Fatal("something is left")
	}
}

// What a reversal finds of its original, for every way that one can stand.
func TestStanding(t *testing.T) {
	for _, c := range []struct {
		name string
		q    Question
		want Original
	}{
		{"open", Question{Dest: 2}, Waiting},
		{"approved", Question{Dest: 2, Flags: Ended, Action: 0}, Approved},
		{"approved in part", Question{Dest: 2, Flags: Ended, Action: 2}, Approved},
		{"declined", Question{Dest: 2, Flags: Ended, Action: 116}, Declined},
		{"advice kept", Question{Dest: 2, Flags: Ended, Action: 900}, Approved},
		{"refused at the door", Question{Flags: Ended, Action: 908}, Declined},
		{"timed out, reversal owed", Question{Dest: 2, Flags: Ended | Reversing, Action: 911},
			Reversed},
		{"cancelled while open", Question{Dest: 2, Flags: Reversing}, Reversed},
	} {
		if got := c.q.Standing(); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

func TestStates(t *testing.T) {
	for _, c := range []struct {
		from State
		on   Event
		to   State
		ok   bool
	}{
		{Open, AnswerCame, Closed, true}, {Open, TimeIsUp, Closed, true},
		{Open, MerchantReversed, Cancelled, true}, {Cancelled, MerchantReversed, Cancelled, true},
		{Cancelled, AnswerCame, Closed, true}, {Cancelled, TimeIsUp, Closed, true},
		{Closed, AnswerCame, Closed, true}, {Closed, TimeIsUp, Closed, false},
		{Closed, MerchantReversed, Closed, false},
	} {
		if to, ok := c.from.After(c.on); to != c.to || ok != c.ok {
			t.Errorf("%s on %d: %s %v, want %s %v", c.from, c.on, to, ok, c.to, c.ok)
		}
	}
}
