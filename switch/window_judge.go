package cardswitch

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"

	"cardswitch/store"
	"cardswitch/store/journal"
	"cardswitch/switch/txn"
)

// judge says what became of a transaction there and here, and what it needs.
func (v *reading) judge(one *lost) error {
	one.scan()
	first := &one.records[0]
	if !one.begun() {
		own, err := v.store.Record(one.Txn)
		if err != nil {
			return err
		}
		first = &own
	}
	one.describe(v.found, first)
	one.There = one.outcome(first)
	taken, ok, err := v.store.Get(v.takenKey(one))
	switch {
	case err != nil:
		return err
	case ok && len(taken) == 8:
		one.Taken = binary.BigEndian.Uint64(taken)
		err = v.judgeTaken(one, first)
	case one.begun():
		err = v.judgeNew(one, first)
	default:
		one.Here = "went on by itself"
		err = v.judgeOld(one, first, one.Txn)
	}
	if !known(v.found, one.records) && one.plan != nothing {
		one.plan, one.Doubtful = nothing, true
		one.Here += "; it has names (a center, link or format) that are unknown here"
	}
	one.Act = one.plan.String()
	one.Doubtful = one.Doubtful || one.plan.forPeople()
	return err
}

// scan finds the records that tell the most.
func (one *lost) scan() {
	for i := range one.records {
		switch r := &one.records[i]; {
		case r.Kind == journal.Closed:
			one.closed = r
		case r.Kind == journal.Opened:
			one.sent = txn.Reason(r.Reason) != txn.HeldForCard
		case r.Kind == journal.Sent:
			one.sent = true
		case r.Kind == journal.StoodIn && txn.Approves(int(r.Action)):
			one.stood = r
		}
	}
}

func (one *lost) describe(f *store.Found, first *journal.Record) {
	one.At, one.MTI = time.Unix(0, first.At), first.MTI.String()
	one.Center, one.Issuer = f.Name(first.Center), f.Name(first.Dest)
	one.Amount, one.RRN = first.Amount, strings.TrimRight(string(first.Reference[:]), " \x00")
	if first.STAN != 0 {
		one.STAN = fmt.Sprintf("%06d", first.STAN)
	}
	if !first.PAN.IsZero() {
		one.PAN = first.PAN.String()
	}
}

// outcome is what became of it there, in words.
func (one *lost) outcome(first *journal.Record) string {
	switch c := one.closed; {
	case first.Kind == journal.Settled && first.Image(journal.Advice) != nil:
		return "taken, to be passed on"
	case first.Kind == journal.Settled:
		return fmt.Sprintf("answered %03d by the switch", first.Action)
	case one.stood != nil:
		return fmt.Sprintf("stand-in answered %03d", one.stood.Action)
	case first.Kind == journal.StoodIn:
		return fmt.Sprintf("stand-in answered %03d", first.Action)
	case first.Kind == journal.Reversed:
		return "reversed before it came"
	case c == nil && first.Kind == journal.Opened && !one.sent && first.Seq == one.records[0].Seq:
		return "not yet sent"
	case c == nil && first.Seq == one.records[0].Seq:
		return "sent, not answered"
	case c == nil:
		return "went on"
	case c.Image(journal.Advice) != nil:
		return fmt.Sprintf("answered %03d by the switch, and reversed", c.Action)
	case one.approved():
		return fmt.Sprintf("approved with %03d", c.Action)
	default:
		return fmt.Sprintf("declined with %03d", c.Action)
	}
}

// approved tells that an approval went to the merchant, or was about to.
func (one *lost) approved() bool {
	c := one.closed
	return one.stood != nil ||
		c != nil && txn.Approves(int(c.Action)) && c.Image(journal.Advice) == nil
}

// undone tells that it was answered, and that the issuer gets its reversal.
func (one *lost) undone() bool {
	return one.closed != nil && one.closed.Image(journal.Advice) != nil
}

// judgeNew is about one that began after what is common.
func (v *reading) judgeNew(one *lost, first *journal.Record) error {
	again, err := v.askedHere(one, first.Key)
	if err != nil {
		return err
	}
	switch {
	case first.Kind == journal.Settled && first.Image(journal.Advice) == nil,
		first.Kind == journal.Opened && !one.sent && one.closed == nil:
		return nil // nothing left the lost site but an answer
	case first.Kind == journal.Settled && one.known == 0:
		return v.judgeKept(one, first)
	case one.known == 0 && (first.Kind != journal.Opened || one.approved()):
		one.plan = takeIn
	case first.Kind == journal.Reversed || first.MTI.Class() == 4:
		return nil // both sites undo it
	case one.undone() && !one.approved():
		one.plan, one.keyless = takeIn, one.known != 0
	case one.closed != nil && !one.approved():
		return nil // declined
	case one.known == 0:
		one.plan = finish
	case !again:
		one.plan, one.keyless = undo, true
	default:
		one.plan, one.keyless = undoIf, true
	}
	return nil
}

// judgeKept is about an advice or a reversal that was taken there: what it follows may not bear it
// here, where other things have followed on that.
func (v *reading) judgeKept(one *lost, first *journal.Record) error {
	one.plan = takeIn
	original, here := v.originalOf(one)
	switch {
	case original == 0:
		return nil
	case here == 0 && first.MTI.Class() == 4:
		one.Here, one.plan = "what it reverses is reversed", nothing
		return nil
	case here == 0:
		one.Here, one.plan = "what it follows is reversed", passOnIf
		return nil
	case here == yetToCome:
		return nil
	}
	records, err := v.store.Transaction(here)
	if err != nil {
		return err
	}
	standing, left := LeftOf(records)
	switch {
	case first.MTI.Class() == 4 && standing == txn.Reversed:
		one.Here, one.plan = "what it reverses is reversed", nothing
	case first.MTI.Class() == 4 && first.Amount > left.Left() && standing == txn.Approved,
		first.MTI.Class() != 4 && !v.bears(one, first, standing, left):
		one.Here = fmt.Sprintf("of what it follows, %d, only %d is left", here, left.Left())
		one.plan = passOnIf
	}
	return nil
}

// bears tells whether an advice can follow on what is left of its original. One that adds to it
// needs nothing that is left.
func (v *reading) bears(one *lost, r *journal.Record, standing txn.Original,
	left txn.Remainder) bool {
	if slices.ContainsFunc(v.sequels[one.Txn], func(r *journal.Record) bool {
		return txn.Reason(r.Reason) == txn.RaisedBy
	}) {
		return standing == txn.Approved && !left.Closed && !left.Expired
	}
	var over uint64
	if c := v.centers[r.Dest]; c != nil {
		over = left.Approved * c.adjustments.Over / 100
	}
	return standing == txn.Approved && !left.Closed &&
		left.Reversed+left.Spent+r.Amount <= left.Approved+over
}

// yetToCome stands for the number that an original will have here.
const yetToCome = ^uint64(0)

// originalOf is the original on which an advice or reversal of the window followed, and its number
// here: 0 if it isn't taken in, but reversed.
func (v *reading) originalOf(one *lost) (original, here uint64) {
	for _, r := range v.sequels[one.Txn] {
		why := txn.Reason(r.Reason)
		if r.Advice == one.Txn && (r.Kind == journal.Reversed || why == txn.PartReversed ||
			why == txn.SpentOf || why == txn.SpentAll || why == txn.RaisedBy) {
			original = r.Txn
		}
	}
	of := v.of[original]
	switch {
	case original <= v.window.Common:
		return original, original
	case of == nil:
		return original, 0
	case of.Taken != 0 && of.stands:
		return original, of.Taken
	case of.Taken == 0 && (of.plan == takeIn || of.plan == finish || of.plan == passOnIf):
		return original, yetToCome
	}
	return original, 0
}

// askedHere looks for the question here; again: it was asked again, not only reversed.
func (v *reading) askedHere(one *lost, k journal.Key) (again bool, err error) {
	one.Here = "unknown"
	if k.IsZero() {
		return false, nil
	}
	number, ok, err := v.store.Find(k)
	if err != nil || !ok {
		return false, err
	}
	r, err := v.store.Record(number)
	if err != nil {
		return false, err
	}
	one.known = number
	if r.Kind == journal.Reversed {
		one.Here = fmt.Sprintf("its merchant reversed it, record %d", number)
		return false, nil
	}
	one.Here = fmt.Sprintf("asked again as %d", number)
	return true, nil
}

// judgeTaken is about one that was taken in before: another disk of the site may know more of it.
func (v *reading) judgeTaken(one *lost, first *journal.Record) error {
	one.Here = "taken in before"
	r, err := v.store.Record(one.Taken)
	if err != nil || txn.Reason(r.Reason) == txn.FoundThere {
		return err // only its reversal, or what people decide on
	}
	one.stands = true
	return v.judgeOld(one, first, one.Taken)
}

// judgeOld is about one that both sites knew, here under some number, and that went on there.
func (v *reading) judgeOld(one *lost, first *journal.Record, number uint64) error {
	records, err := v.store.Transaction(number)
	if err != nil {
		return err
	}
	here := &lost{records: records}
	here.scan()
	unsent := one.sent && !here.sent // here it ended while it was held
	if here.approved() || !one.approved() && !unsent || here.closed == nil {
		return nil
	}
	reversed, err := v.reversedHere(first)
	switch {
	case err != nil:
		return err
	case slices.ContainsFunc(one.records, func(r journal.Record) bool {
		return r.Kind == journal.Reversed
	}):
		one.Here = "its merchant reversed it"
	case unsent && reversed:
		one.Here, one.plan = "its merchant reversed it", undo
	case reversed:
		one.Here = "its merchant reversed it"
	case !one.approved() && one.closed != nil && !one.undone(): // declined
	case unsent && !one.approved():
		one.Here, one.plan = fmt.Sprintf("answered %03d as never sent", here.closed.Action), undo
	case here.undone():
		one.Here, one.plan = fmt.Sprintf("answered %03d, and reversed", here.closed.Action), affirm
	default:
		one.Here, one.plan = fmt.Sprintf("answered %03d", here.closed.Action), affirm
	}
	return nil
}

// reversedHere tells whether a merchant's reversal with a transaction's reference came here: it may
// have found nothing left to reverse, and so not be noted there.
func (v *reading) reversedHere(of *journal.Record) (bool, error) {
	rrn := strings.TrimRight(string(of.Reference[:]), " \x00")
	found, err := v.store.FindReference(rrn, 16)
	for _, number := range found {
		r, err := v.store.Record(number)
		if err != nil {
			return false, err
		}
		if r.MTI.Class() == 4 && r.Center == of.Center && r.Kind == journal.Settled {
			return true, nil
		}
	}
	return false, err
}
