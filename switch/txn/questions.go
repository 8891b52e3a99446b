package txn

import (
	"cardswitch/spec"
	"cardswitch/store/journal"
)

// Question is what is remembered of a question that was asked: enough to know it again, to find
// its transaction, and to find what a reversal names by DE 56. It holds no pointer, so that a
// million of them cost the garbage collector nothing.
type Question struct {
	Txn         uint64 // journal number of its first record
	Fingerprint uint32 // of its content
	STAN        uint32 // ours, where it was forwarded or is owed
	Card        uint32 // the beginning of its card's hash; 0: none
	Currency    uint16 // DE 49; 0: none
	Type        uint8  // DE 3, positions 1 and 2
	Amount      uint64 // DE 4
	Dest        uint16 // center it went to; zero for none
	Action      uint16 // DE 39 of its answer
	MTI         spec.MTI
	Flags       Flags
}

// Flags of a question.
type Flags uint8

const (
	// Ended: it has its answer.
	Ended Flags = 1 << iota
	// Reversing: a reversal of it is owed or delivered.
	Reversing
	// Foretold: only its reversal has come; the question itself has not been asked.
	Foretold
	// StoodIn: stand-in has decided; the issuer knows it as the advice of that.
	StoodIn
	// Adjusted: its amount isn't what is left of it, the journal has the rest.
	Adjusted
	// Void: an advice of what was denied, so there is nothing to undo.
	Void
)

// Has tells whether the flag is set.
func (f Flags) Has(flag Flags) bool { return f&flag != 0 }

// Standing tells what a reversal finds of it.
func (q Question) Standing() Original {
	switch {
	case q.Flags.Has(Foretold):
		return Awaited
	case q.Flags.Has(Reversing):
		return Reversed
	case !q.Flags.Has(Ended):
		return Waiting
	case q.Flags.Has(Void):
		return Declined
	case q.Dest != 0 && (Approves(int(q.Action)) || q.Action == 900):
		return Approved
	}
	return Declined
}

// Questions remembers the newest questions, oldest forgotten first; what it forgets the journal's
// index still knows. They lie in a ring.
type Questions struct {
	places places
	ring   []asked
	head   int
	count  int
}

// Place is where a question lies in the ring.
type Place uint32

type asked struct {
	key journal.Key
	Question
}

// NewQuestions remembers so many questions.
func NewQuestions(limit int) *Questions {
	return &Questions{
		places: newPlaces(limit),
		ring:   make([]asked, limit),
	}
}

// Len counts what is remembered.
func (q *Questions) Len() int { return q.count }

// Find gives what is known of a question.
func (q *Questions) Find(k journal.Key) (Question, bool) {
	place, ok := q.places.find(k, q.ring)
	if !ok {
		return Question{}, false
	}
	return q.ring[place].Question, true
}

// At gives what is remembered of a question that was added at place, to be changed; nil if it is
// remembered no more.
func (q *Questions) At(k journal.Key, place Place) *Question {
	if q.ring[place].key == k {
		return &q.ring[place].Question
	}
	place, ok := q.places.find(k, q.ring)
	if !ok {
		return nil
	}
	return &q.ring[place].Question
}

// Update changes what is known of a question already remembered; others are left alone.
func (q *Questions) Update(k journal.Key, to Question) {
	if place, ok := q.places.find(k, q.ring); ok {
		q.ring[place].Question = to
	}
}

// Full tells that a question must be forgotten before another can be added.
func (q *Questions) Full() bool { return q.count == len(q.ring) }

// Oldest gives the question that would be forgotten first.
func (q *Questions) Oldest() (journal.Key, Question) {
	return q.ring[q.head].key, q.ring[q.head].Question
}

// Forget drops the oldest.
func (q *Questions) Forget() {
	q.places.drop(q.ring[q.head].key, Place(q.head))
	q.ring[q.head] = asked{}
	q.head = (q.head + 1) % len(q.ring)
	q.count--
}

// Defer moves the oldest behind all others: it is still needed.
func (q *Questions) Defer() {
	oldest := q.ring[q.head]
	q.Forget()
	q.Add(oldest.key, oldest.Question)
}

// Add remembers a question; there must be room (see Full).
func (q *Questions) Add(k journal.Key, known Question) Place {
	if place, again := q.places.find(k, q.ring); again {
		q.ring[place].Question = known
		return place
	}
	place := Place((q.head + q.count) % len(q.ring))
	q.ring[place] = asked{k, known}
	q.places.put(k, place)
	q.count++
	return place
}

// Fingerprint is a short digest of a question's content: card, amount and processing code (DE 3). A
// repeat is the same message with another last digit of the MTI and nothing else (reference
// iso8583-1993 section 1.2), so a sale's trace number on a return asks something else: the same
// trace number with another fingerprint is another question (action code 913, section 3.5).
func Fingerprint(card [16]byte, amount uint64, processing uint32) uint32 {
	h := (amount ^ uint64(processing)<<40) * 0x9E3779B97F4A7C15 // an amount has twelve digits
	for i := range 8 {
		h = (h ^ uint64(card[i])) * 0x100000001B3
	}
	h ^= h >> 29
	return uint32(h ^ h>>32)
}
