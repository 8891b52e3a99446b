package admin

import (
	"fmt"
	"strings"
	"time"

	"cardswitch/store/journal"
	"cardswitch/switch/txn"
)

// renderer makes lines of records. It remembers when recent transactions began, to tell how long
// each step took; it serves one reader.
type renderer struct {
	names Names
	began map[uint64]int64
	order []uint64 // of began, as a ring
	next  int
}

// remembered is how many transactions a reader can tell the times of: more than a second of the
// highest load, in a few megabytes.
const remembered = 1 << 17

func newRenderer(names Names) *renderer {
	return &renderer{names: names, began: map[uint64]int64{}}
}

func (r *renderer) line(rec *journal.Record) Line {
	l := Line{
		Seq:        rec.Seq,
		Txn:        rec.Txn,
		At:         time.Unix(0, rec.At),
		Kind:       rec.Kind.String(),
		Center:     r.names.Name(rec.Center),
		Dest:       r.names.Name(rec.Dest),
		RRN:        strings.Trim(string(rec.Reference[:]), " \x00"),
		Amount:     rec.Amount,
		Reason:     rec.Reason,
		ReasonText: txn.Reason(rec.Reason).String(),
		Text:       rec.Text,
		US:         r.since(rec),
	}
	if l.Txn == 0 {
		l.Txn = rec.Seq
	}
	if rec.MTI != 0 {
		l.MTI = rec.MTI.String()
	}
	if rec.STAN != 0 {
		l.STAN = fmt.Sprintf("%06d", rec.STAN)
	}
	if rec.Currency != 0 {
		l.Currency = fmt.Sprintf("%03d", rec.Currency)
	}
	if !rec.PAN.IsZero() {
		l.PAN = rec.PAN.String()
	}
	if hasAction(rec) {
		l.Action = fmt.Sprintf("%03d", rec.Action)
	}
	for i := range rec.Images[:rec.ImageCount] {
		r.addLink(&l, &rec.Images[i])
	}
	return l
}

// hasAction tells an approval (000) from a record that holds no action code.
func hasAction(rec *journal.Record) bool {
	switch rec.Kind {
	case journal.Closed, journal.Settled, journal.Late, journal.Delivered:
		return true
	}
	return rec.Action != 0
}

func (r *renderer) addLink(l *Line, image *journal.Image) {
	name := linkName(r.names.Name(image.Link))
	switch image.Role {
	case journal.Request, journal.Reply:
		l.Link = name
	default:
		l.DestLink = name
	}
}

// linkName drops the center, which has a column of its own, from a registered name.
func linkName(registered string) string {
	return registered[strings.LastIndexByte(registered, '/')+1:]
}

func (r *renderer) since(rec *journal.Record) int64 {
	if rec.Txn == 0 || rec.Txn == rec.Seq {
		r.remember(rec.Seq, rec.At)
		return 0
	}
	began, ok := r.began[rec.Txn]
	if !ok {
		return 0
	}
	return (rec.At - began) / 1000
}

func (r *renderer) remember(seq uint64, at int64) {
	if len(r.order) < remembered {
		r.order = append(r.order, seq)
	} else {
		delete(r.began, r.order[r.next])
		r.order[r.next] = seq
		r.next = (r.next + 1) % remembered
	}
	r.began[seq] = at
}
