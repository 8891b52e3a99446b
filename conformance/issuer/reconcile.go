package issuer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"cardswitch/conformance/format"
	"cardswitch/conformance/ledger"
	"cardswitch/conformance/wire"
)

// Reconciliation is how a business day, or a slice of it, compared.
type Reconciliation struct {
	Day    string        `json:"day"`
	Slice  int           `json:"slice,omitempty"` // 0: all of it
	Action string        `json:"action"`          // DE 39 of the answer
	Ours   ledger.Totals `json:"ours"`
	Theirs ledger.Totals `json:"theirs,omitempty"` // if they told
}

// Balanced tells whether both sides have the same figures.
func (r *Reconciliation) Balanced() bool { return r.Action == "500" }

// compared answers a 1500 or 1520 of the switch, or a repeat.
func (i *Issuer) compared(c *wire.Conn, m *format.Message) {
	a := format.Answer(m, "503")
	day, function := m.Get(28), m.Get(24)
	r := Reconciliation{Day: day, Slice: sliceOf(m)}
	known, open := false, true
	if i.calendar != nil {
		known, open, _ = i.calendar.standing(day)
		if _, now := i.calendar.today(); open && r.Slice > 0 {
			open = r.Slice >= now // a checkpoint compares slices of the open day
		}
	}
	switch {
	case i.calendar == nil || known && open:
		a.Set(97, fmt.Sprintf("C%016d", 0))
	case !known:
		ledger.Totals{}.Put(a.Set(39, "915"), i.options.Days.Convention)
	default:
		r.Ours = i.totals(day, r.Slice, m)
		theirs, told := ledger.ReadTotals(m, i.options.Days.Convention)
		if r.Action = "504"; told && function != "504" {
			r.Theirs, r.Action = theirs, r.Ours.Judge(theirs)
		}
		if r.Balanced() && r.Slice == 0 {
			i.calendar.agree(day)
		}
		r.Ours.Put(a.Set(39, r.Action), i.options.Days.Convention)
		i.reconciled(r)
	}
	i.send(c, a)
}

// sliceOf is the slice that a checkpoint is about, 0 for a whole day.
func sliceOf(m *format.Message) int {
	if f := m.Get(24); f == "501" || f == "503" {
		return int(m.Number(29))
	}
	return 0
}

// totals are ours of a day, in one currency if the message is about one.
func (i *Issuer) totals(day string, slice int, m *format.Message) ledger.Totals {
	currency := ""
	if f := m.Get(24); f == "502" || f == "503" {
		currency = m.Get(50)
	}
	return i.options.Ledger.Totals(day, slice, currency)
}

func (i *Issuer) reconciled(r Reconciliation) {
	i.count(func(s *Stats) { s.Reconciled++ })
	if !r.Balanced() && r.Theirs != nil {
		i.count(func(s *Stats) { s.OutOfBalance++ })
	}
	if i.options.OnReconciled != nil {
		i.options.OnReconciled(r)
	}
}

// Reconcile compares a day with the switch: all of it, or the slice that isn't 0. With tell it
// tells our figures (1522) and the switch judges; else it asks for the switch's (1502) and we do.
func (i *Issuer) Reconcile(
	ctx context.Context, day string, slice int, tell bool,
) (Reconciliation, error) {
	if i.calendar == nil {
		return Reconciliation{}, errNoDays
	}
	r := Reconciliation{Day: day, Slice: slice, Ours: i.options.Ledger.Totals(day, slice, "")}
	m := format.New("1502").Set(24, "500").Set(28, day).Set(32, i.options.Peer).
		Set(50, i.options.Days.Currency)
	if slice > 0 {
		m.Set(24, "501").Set(29, fmt.Sprintf("%03d", slice))
	}
	if tell {
		r.Ours.Put(m.As("1522"), i.options.Days.Convention)
	}
	a, err := i.insist(ctx, m)
	if err != nil {
		return r, err
	}
	r.Action = a.Get(39)
	if theirs, told := ledger.ReadTotals(a, i.options.Days.Convention); told {
		r.Theirs = theirs
		if !tell {
			r.Action = r.Ours.Judge(theirs)
		}
	}
	if r.Balanced() && slice == 0 {
		i.calendar.agree(day)
	}
	i.reconciled(r)
	return r, nil
}

// Patience with an answer to what we ask, and with links that are down.
const (
	answerTime = 10 * time.Second
	askTime    = time.Minute
)

// insist asks the switch for something on whichever link stands, and repeats it for want of an
// answer.
func (i *Issuer) insist(ctx context.Context, m *format.Message) (*format.Message, error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	i.stamp(m)
	err := errors.New("no link stands")
	for {
		if l, c := i.standing(); c != nil {
			var a *format.Message
			turn, stop := context.WithTimeout(ctx, answerTime)
			a, err = i.exchange(turn, l, c, m)
			stop()
			if err == nil {
				return a, nil
			}
			m = m.Clone().As(format.Repeat(m.MTI)) // it may have come
		}
		if !pause(ctx, 50*time.Millisecond) {
			return nil, fmt.Errorf("%s was not answered: %w", m.MTI, err)
		}
	}
}

// standing is the first link that has a connection.
func (i *Issuer) standing() (*line, *wire.Conn) {
	for _, l := range i.lines {
		if c := l.any(); c != nil {
			return l, c
		}
	}
	return nil, nil
}
