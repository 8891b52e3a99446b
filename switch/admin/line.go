package admin

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"cardswitch/spec"
	"cardswitch/store/journal"
	"cardswitch/store/total"
	"cardswitch/switch/txn"
)

// renderer makes lines of records. Later records of a transaction don't say again what the first
// one said, so it remembers the beginnings of recent ones; it serves one reader.
type renderer struct {
	names  Names
	lookUp func(txn uint64) (journal.Record, bool) // of one that began before what is read
	begun  map[uint64]beginning
	oldest []uint64 // of begun, as a ring
	next   int
}

// beginning is what a transaction's first record says.
type beginning struct {
	at       int64
	pan      spec.PAN
	rrn      [12]byte
	amount   uint64
	currency uint16
}

// remembered is how many transactions a reader knows the beginnings of: seconds of a usual load, in
// a few megabytes.
const remembered = 1 << 15

func (s *Server) newRenderer() *renderer {
	return &renderer{names: s.Names, lookUp: s.first, begun: map[uint64]beginning{}}
}

// first is the record with this number, false if retention has dropped it.
func (s *Server) first(seq uint64) (first journal.Record, found bool) {
	err := s.Journal.Replay(seq, func(rec *journal.Record) error {
		if found = rec.Seq == seq; found {
			first = rec.Clone()
		}
		return errEnough
	})
	return first, found && errors.Is(err, errEnough)
}

func (r *renderer) line(rec *journal.Record) Line {
	first := r.beginning(rec)
	l := Line{
		Seq:        rec.Seq,
		Txn:        rec.Txn,
		At:         time.Unix(0, rec.At),
		Kind:       rec.Kind.String(),
		Center:     r.names.Name(rec.Center),
		Dest:       r.names.Name(rec.Dest),
		RRN:        strings.Trim(string(first.rrn[:]), " \x00"),
		Amount:     first.amount,
		Reason:     rec.Reason,
		ReasonText: txn.Reason(rec.Reason).String(),
		Text:       rec.Text,
		Advice:     rec.Advice,
		US:         (rec.At - first.at) / 1000,
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
	if first.currency != 0 {
		l.Currency = fmt.Sprintf("%03d", first.currency)
	}
	if !first.pan.IsZero() {
		l.PAN = first.pan.String()
	}
	if hasAction(rec) {
		l.Action = fmt.Sprintf("%03d", rec.Action)
	}
	if rec.Day != 0 {
		l.Day, l.Slice = fmt.Sprintf("%06d", rec.Day), rec.Slice
	}
	if rec.Moves != 0 {
		l.Counts = total.Kind(rec.Moves).String()
	}
	for i := range rec.Images[:rec.ImageCount] {
		r.addLink(&l, rec.Kind, &rec.Images[i])
	}
	return l
}

// hasAction tells an approval (000) from a record that holds no action code.
func hasAction(rec *journal.Record) bool {
	switch rec.Kind {
	case journal.Closed, journal.Settled, journal.StoodIn, journal.Late, journal.Delivered:
		return true
	}
	return rec.Action != 0
}

func (r *renderer) addLink(l *Line, kind journal.Kind, image *journal.Image) {
	name := linkName(r.names.Name(image.Link))
	ours := kind == journal.Originated // then the request went to the center
	switch image.Role {
	case journal.Request, journal.Reply:
		if !ours {
			l.Link = name
			return
		}
	}
	l.DestLink = name
}

// linkName drops the center, which has a column of its own, from a registered name.
func linkName(registered string) string {
	return registered[strings.LastIndexByte(registered, '/')+1:]
}

// beginning is how the record's transaction began, the record's own values over it.
func (r *renderer) beginning(rec *journal.Record) beginning {
	own := beginningOf(rec)
	if rec.Txn == 0 || rec.Txn == rec.Seq {
		r.remember(rec.Seq, own)
		return own
	}
	first, ok := r.begun[rec.Txn]
	if !ok {
		if begun, found := r.lookUp(rec.Txn); found {
			first = beginningOf(&begun)
		} else {
			first = own
		}
		r.remember(rec.Txn, first)
	}
	if own.amount != 0 {
		first.amount = own.amount
	}
	return first
}

func beginningOf(rec *journal.Record) beginning {
	return beginning{rec.At, rec.PAN, rec.Reference, rec.Amount, rec.Currency}
}

func (r *renderer) remember(seq uint64, first beginning) {
	if len(r.oldest) < remembered {
		r.oldest = append(r.oldest, seq)
	} else {
		delete(r.begun, r.oldest[r.next])
		r.oldest[r.next] = seq
		r.next = (r.next + 1) % remembered
	}
	r.begun[seq] = first
}
