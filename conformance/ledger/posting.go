package ledger

import (
	"cmp"
	"encoding/json"
	"fmt"
	"hash/maphash"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"cardswitch/conformance/format"
)

// State is where a posting or a receipt stands.
type State string

const (
	Open      State = "open"      // asked, not yet answered
	Approved  State = "approved"  // the money stands
	Declined  State = "declined"  // no money moved
	Cancelled State = "cancelled" // the shop took it back
	Reversed  State = "reversed"  // undone because its outcome wasn't known
	Unknown   State = "unknown"   // nobody could say in the time there was
	Forestall State = "forestall" // an issuer was told to undo it before it came
	Noted     State = "noted"     // a reversal, which posts nothing of its own
)

// Posting is what an issuer wrote down about one message.
type Posting struct {
	Key        string    `json:"key"` // the message's MTI, STAN, local time and acquirer
	Original   string    `json:"original,omitempty"`
	RRN        string    `json:"rrn"`
	MTI        string    `json:"mti"`
	Processing string    `json:"processing"`
	Card       string    `json:"card"` // masked
	Amount     int64     `json:"amount"`
	Live       int64     `json:"live"` // what stands on the account now, without sign
	State      State     `json:"state"`
	Action     string    `json:"action"`
	Approval   string    `json:"approval,omitempty"`
	Repeats    int       `json:"repeats,omitempty"`   // answered again, not posted again
	Conflicts  int       `json:"conflicts,omitempty"` // same key, other content
	Undone     int       `json:"undone,omitempty"`    // reversals that named it
	At         time.Time `json:"at"`

	Day      string `json:"day,omitempty"`      // business day in which it counts, YYMMDD
	Slice    int    `json:"slice,omitempty"`    // of the day, between two checkpoints
	Counts   Bucket `json:"counts,omitempty"`   // the total that it adds to; "": none
	Moves    int64  `json:"moves,omitempty"`    // by how much
	Currency string `json:"currency,omitempty"` // DE 49
	Reason   string `json:"reason,omitempty"`   // DE 25 of an advice or reversal
	Agent    string `json:"agent,omitempty"`    // DE 58: who decided in the issuer's place

	content uint64
	dropped bool // not in the book, though it was answered
}

// Money reports whether the posting moves money, as opposed to holding or noting.
func (p *Posting) Money() bool { return strings.HasPrefix(p.MTI, "12") }

// Credit reports whether the money goes to the cardholder.
func (p *Posting) Credit() bool { return strings.HasPrefix(p.Processing, "2") }

// Decision is what an issuer wants to do with a message it hasn't seen before.
type Decision struct {
	Action   string
	Approval string
	Amount   int64 // approved, when it's less than asked
}

// Verdict says how a message was booked.
type Verdict uint8

const (
	First    Verdict = iota // new: decided now
	Again                   // seen before: the kept answer
	Conflict                // seen before with other content
	TooLate                 // its reversal came first
	Missing                 // a reversal that names nothing known
)

// Postings is the ledger of one issuer center, shared by all its links.
type Postings struct {
	// Keep bounds the ledger for endless runs: the oldest are forgotten. 0 keeps all.
	Keep int

	// Assign says in which business day a new message counts that names one (DE 28), or none. nil:
	// there are no days.
	Assign func(named string) (day string, slice int)

	mu        sync.Mutex
	seed      maphash.Seed
	byKey     map[string]*Posting
	byRRN     map[string][]*Posting
	forestall map[string]bool // originals undone before they came
	order     []string
	counts    Counts
	repairs   []func() // of what Falsify did
}

// Counts is what happened to a ledger in a run.
type Counts struct {
	Asked, Repeats, Conflicts, Reversals, Forestalled int
}

// NewPostings returns an empty ledger.
func NewPostings() *Postings {
	return &Postings{
		seed:      maphash.MakeSeed(),
		byKey:     make(map[string]*Posting),
		byRRN:     make(map[string][]*Posting),
		forestall: make(map[string]bool),
	}
}

// Key is what makes two messages the same question.
func Key(m *format.Message) string {
	return key(format.Original(m.MTI), m.Get(11), m.Get(12), m.Get(32))
}

func key(mti, stan, local, acquirer string) string {
	return mti + "/" + stan + "/" + local + "/" + acquirer
}

// OriginalKey reads element 56: MTI, STAN, local time, then the acquirer with or without its
// two-digit length. Empty if it can't be read.
func OriginalKey(de56 string) string {
	if len(de56) < 24 || len(de56) > 35 {
		return ""
	}
	acquirer := de56[22:]
	if fmt.Sprintf("%02d", len(acquirer)-2) == acquirer[:2] {
		acquirer = acquirer[2:]
	}
	return key(format.Original(de56[:4]), de56[4:10], de56[10:22], acquirer)
}

// Original writes element 56 for a message.
func Original(m *format.Message) string {
	return fmt.Sprintf("%s%s%s%02d%s", format.Original(m.MTI), m.Get(11), m.Get(12),
		len(m.Get(32)), m.Get(32))
}

// Ask books a request or an advice. decide is called only for one that is new and may still
// be posted.
func (l *Postings) Ask(m *format.Message, decide func() Decision) (Posting, Verdict) {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := Key(m)
	if p, v := l.known(k, m); p != nil {
		return *p, v
	}
	p := l.add(k, m)
	l.counts.Asked++
	if l.forestall[k] {
		l.counts.Forestalled++
		p.State, p.Action = Forestall, "100"
		if p.MTI[2] == '2' {
			p.Action = "900"
		}
		return *p, TooLate
	}
	d := decide()
	p.Action, p.Approval, p.State = d.Action, d.Approval, Declined
	if approves(p, m) {
		p.State, p.Live = Approved, p.Amount
		if d.Amount > 0 && p.MTI[2] == '0' { // an advice tells, it doesn't ask
			p.Live = d.Amount
		}
		p.Counts, p.Moves = bucketOf(p.MTI, p.Processing), p.Live
	}
	return *p, First
}

// approves reports whether the money of a message stands after its answer.
func approves(p *Posting, m *format.Message) bool {
	if p.MTI[2] == '0' {
		return strings.HasPrefix(p.Action, "0")
	}
	// An advice reports a decision in its own element 39; the answer only takes note of it.
	taken := p.Action == "900" || p.Action == "901" || strings.HasPrefix(p.Action, "0")
	return taken && (!m.Has(39) || strings.HasPrefix(m.Get(39), "0"))
}

// Reverse books a reversal. refusal is the action code when the original isn't known.
func (l *Postings) Reverse(m *format.Message, refusal string) (Posting, Verdict) {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := Key(m)
	if p, v := l.known(k, m); p != nil {
		return *p, v
	}
	p := l.add(k, m)
	l.counts.Reversals++
	p.State, p.Action, p.Original = Noted, "400", OriginalKey(m.Get(56))
	original := l.byKey[p.Original]
	if original == nil {
		p.Action = refusal
		if p.Original != "" {
			l.forestall[p.Original] = true
		}
		return *p, Missing
	}
	original.Undone++
	if original.State == Approved {
		stood := original.Live
		original.Live, original.State = 0, Reversed
		if m.Get(24) == "401" { // completed for less: element 4 is the amount that stands
			original.Live, original.State = min(m.Number(4), stood), Approved
		}
		p.Counts, p.Moves = original.Counts.Reversal(), stood-original.Live
	}
	return *p, First
}

func (l *Postings) known(k string, m *format.Message) (*Posting, Verdict) {
	p := l.byKey[k]
	switch {
	case p == nil:
		return nil, First
	case p.content != l.contentOf(m):
		p.Conflicts++
		l.counts.Conflicts++
		return p, Conflict
	}
	p.Repeats++
	l.counts.Repeats++
	return p, Again
}

func (l *Postings) add(k string, m *format.Message) *Posting {
	p := &Posting{
		Key: k, RRN: m.Get(37), MTI: format.Original(m.MTI), Processing: m.Get(3),
		Card: format.Mask(m.Get(2)), Amount: m.Number(4), At: time.Now(),
		Currency: m.Get(49), Agent: m.Get(58), content: l.contentOf(m),
	}
	if p.MTI[2] == '2' {
		p.Reason = m.Get(25)
	}
	if l.Assign != nil {
		p.Day, p.Slice = l.Assign(m.Get(28))
	}
	l.byKey[k] = p
	l.byRRN[p.RRN] = append(l.byRRN[p.RRN], p)
	l.order = append(l.order, k)
	if l.Keep > 0 && len(l.order) > l.Keep {
		old := l.order[0]
		l.order = l.order[1:]
		delete(l.byRRN, l.byKey[old].RRN)
		delete(l.byKey, old)
		delete(l.forestall, old)
	}
	return p
}

// contentOf is a fingerprint of what a repeat may not change. It's salted and never leaves.
func (l *Postings) contentOf(m *format.Message) uint64 {
	return maphash.String(l.seed, strings.Join([]string{
		m.Get(2), m.Get(3), m.Get(4), m.Get(24), m.Get(37), m.Get(49), m.Get(56),
	}, "|"))
}

// All is a copy of the ledger, in the order of booking.
func (l *Postings) All() []Posting {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := make([]Posting, 0, len(l.order))
	for _, k := range l.order {
		if p := l.byKey[k]; !p.dropped {
			list = append(list, *p)
		}
	}
	return list
}

// Of lists the postings that carry a retrieval reference number.
func (l *Postings) Of(rrn string) []Posting {
	l.mu.Lock()
	defer l.mu.Unlock()
	var list []Posting
	for _, p := range l.byRRN[rrn] {
		if !p.dropped {
			list = append(list, *p)
		}
	}
	return list
}

// Counts is what happened so far.
func (l *Postings) Counts() Counts {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.counts
}

// Write exports the ledger as JSON.
func (l *Postings) Write(w io.Writer) error { return write(w, l.All()) }

// ReadPostings reads an exported ledger.
func ReadPostings(r io.Reader) ([]Posting, error) {
	var list []Posting
	err := json.NewDecoder(r).Decode(&list)
	return list, err
}

func write[T any](w io.Writer, list []T) error {
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	return e.Encode(list)
}

// Sorted orders postings by reference number, for reports.
func Sorted(list []Posting) []Posting {
	slices.SortStableFunc(list, func(a, b Posting) int { return cmp.Compare(a.RRN, b.RRN) })
	return list
}
