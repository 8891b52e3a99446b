package chaos

import (
	"math/rand/v2"
	"sync"

	"cardswitch/conformance/load/wire"
)

// question is what makes two messages the same to a bank: the type without its repeat flag, DE 11,
// DE 12 and DE 32.
type question struct {
	mti      int
	audit    uint64
	local    uint64
	acquirer string
}

// posting is one sale in a bank's book.
type posting struct {
	reference wire.Reference
	amount    uint64
	approved  bool
	reversed  bool
}

// live says whether the cardholder pays for it.
func (p *posting) live() bool { return p.approved && !p.reversed }

// book is what a bank keeps. It answers a question it has seen as it did before.
type book struct {
	mu        sync.Mutex
	postings  map[question]*posting
	reversals map[question]wire.Reference
	stopped   map[question]bool // originals that were reversed before they came
	counts    bookCounts
}

type bookCounts struct {
	Repeats    int // the same question again
	Collisions int // the same question about another sale: must never happen
	Ahead      int // reversals that came before their original
	Undone     int // reversals of what was posted
	Again      int // reversals of what was reversed already
	Malformed  int
}

func newBook() *book {
	return &book{
		postings:  map[question]*posting{},
		reversals: map[question]wire.Reference{},
		stopped:   map[question]bool{},
	}
}

func questionOf(m *wire.Message) question {
	return question{
		mti:      m.MTI() &^ 1, // a repeat differs from its original by the last digit, 1 from 0
		audit:    wire.Number(m.Data(11)),
		local:    wire.Number(m.Data(12)),
		acquirer: string(m.Data(32)),
	}
}

// originalOf reads DE 56: type, trace number, local time, length and acquirer.
func originalOf(data []byte) (question, bool) {
	if len(data) < 24 || int(wire.Number(data[22:24])) != len(data)-24 {
		return question{}, false
	}
	return question{
		mti:      int(wire.Number(data[:4])) &^ 1,
		audit:    wire.Number(data[4:10]),
		local:    wire.Number(data[10:22]),
		acquirer: string(data[24:]),
	}, true
}

// post books a sale or an offline sale and says whether it is approved. An offline sale was decided
// in the shop: the bank can only take note.
func (b *book) post(m *wire.Message, decline bool) (approved bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	reference, ok := wire.ParseReference(m.Data(37))
	if !ok {
		b.counts.Malformed++
		return false
	}
	q := questionOf(m)
	if known := b.postings[q]; known != nil {
		if known.reference != reference {
			b.counts.Collisions++
			return false
		}
		b.counts.Repeats++
		return known.approved
	}
	p := &posting{reference: reference, amount: wire.Number(m.Data(4)), approved: !decline}
	if b.stopped[q] {
		p.approved = false
	}
	b.postings[q] = p
	return p.approved
}

// reverse undoes a sale, or stops one that hasn't come yet.
func (b *book) reverse(m *wire.Message) {
	b.mu.Lock()
	defer b.mu.Unlock()
	reference, ok := wire.ParseReference(m.Data(37))
	original, named := originalOf(m.Data(56))
	if !ok || !named {
		b.counts.Malformed++
		return
	}
	q := questionOf(m)
	if known, again := b.reversals[q]; again {
		if known != reference {
			b.counts.Collisions++
			return
		}
		b.counts.Repeats++
		return
	}
	b.reversals[q] = reference
	p := b.postings[original]
	switch {
	case p == nil:
		b.stopped[original] = true
		b.counts.Ahead++
	case p.reference != reference:
		b.counts.Collisions++
	case p.reversed:
		b.counts.Again++
	default:
		p.reversed = true
		b.counts.Undone++
	}
}

// decline says whether the bank refuses a sale: one in twenty.
func decline(random *rand.Rand) bool { return random.IntN(20) == 0 }
