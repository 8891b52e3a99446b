package cardswitch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"cardswitch/spec"
	"cardswitch/store/journal"
	"cardswitch/store/queue"
	"cardswitch/store/total"
	"cardswitch/switch/saf"
	"cardswitch/switch/service/authorization"
	"cardswitch/switch/txn"
)

// taking is a window on its way into the books.
type taking struct {
	*reading
	numbers map[uint64]uint64 // of records, there and here
	by      string
	last    uint64 // record of ours
}

// errDoubt is why something of a window is for people.
var errDoubt = errors.New("of the window of a lost site: somebody must decide")

// take does what the transactions of a window need, in the order in which they began.
func (v *reading) take(by Resolution) error {
	if by.Who == "" || by.Why == "" {
		return errors.New("say who takes it in and why")
	}
	t := &taking{reading: v, numbers: make(map[uint64]uint64),
		by: saidBy("found by ", by.Who, by.Why)}
	for _, one := range v.list {
		if one.stands {
			t.numbers[one.Txn] = one.Taken
		}
		if one.plan == nothing {
			continue
		}
		if err := t.takeOne(one); err != nil {
			return errors.Join(fmt.Errorf("transaction %d of the lost journal: %w", one.Txn, err), t.stays())
		}
		v.window.Taken++
		t.last = max(t.last, one.Taken)
	}
	return t.stays()
}

// stays waits until what was taken in is durable: before, who asked isn't told, and who asks again
// wouldn't see it.
func (t *taking) stays() error {
	for t.store.LastSeq() < t.last {
		select {
		case <-t.stopped:
			return ErrNotActive
		case <-time.After(drainTick):
		}
		if t.fenced.Load() {
			return fmt.Errorf("%w; run the command once more at the one that is", ErrNotActive)
		}
	}
	return nil
}

// takeOne does what one transaction needs, in one batch.
func (t *taking) takeOne(one *lost) (err error) {
	first := one.records[0]
	if !one.begun() {
		if first, err = t.store.Record(one.Txn); err != nil { // not under the lock
			return err
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for t.pending.full() && !t.fenced.Load() {
		t.room.Wait()
	}
	from, c := t.centers[first.Center], t.centers[first.Dest]
	if from == nil || c == nil {
		return errors.New("its center is no longer configured; put it back, or add it without links")
	}
	if _, now := t.questions.Find(first.Key); now && one.known == 0 && one.begun() && !one.stands {
		return errors.New("it was asked again just now; run the command once more")
	}
	switch one.plan {
	case takeIn, passOnIf:
		one.Taken, _ = t.bring(one, from)
		t.follows(one)
	case finish:
		one.Taken, err = t.finish(one, &first, from, c)
	case undo, undoIf:
		if one.begun() && one.undone() { // stand-in has approved it: its reversal is owed besides
			t.bring(one, from)
		}
		one.Taken, err = t.reverse(one, &first, from, c)
	case affirm:
		one.Taken, err = t.affirm(one, &first, from, c)
	}
	if err != nil {
		return err // nothing is written, so the next time it is still to be done
	}
	t.pending.batch.Set(t.takenKey(one), binary.BigEndian.AppendUint64(nil, one.Taken))
	t.kick()
	return nil
}

// bring writes the records of a transaction anew, with what it still owes, and returns its number.
func (t *taking) bring(one *lost, from *center) (number uint64, place txn.Place) {
	var q txn.Question
	for i := range one.records {
		r := one.records[i]
		if isSequel(&r) || one.keyless && r.Kind == journal.StoodIn {
			continue // see follows
		}
		was := r.Seq
		r.Seq, r.Advice = 0, t.numbers[r.Advice]
		if r.Txn = number; one.keyless {
			r.Key = journal.Key{}
		}
		if r.Text == "" {
			r.Text = t.by
		}
		id := t.pending.batch.Append(&r)
		if number == 0 {
			number = id
		}
		t.numbers[was], r.Seq, r.Txn = id, id, number
		q = fold(q, &r)
		t.owesAs(one, was, number)
	}
	if !one.keyless {
		place = t.remember(from, one.records[0].Key, q)
	}
	return number, place
}

// finish takes in a request that was open, and answers and reverses it as a restart does. No row
// stands for it: its trace number at the issuer may be another one's here by now.
func (t *taking) finish(one *lost, first *journal.Record, from, c *center) (uint64, error) {
	if _, err := t.begins(one, first, from, c); err != nil {
		return 0, err
	}
	number, place := t.bring(one, from)
	r := originalRow(first)
	r.Txn, r.Source, r.Dest = number, from.id, c.id
	d := authorization.Deadline(txn.FoundThere, one.cancelled())
	rec := t.closing(t.now(), r, d)
	rec.Text = t.by
	if at, ok := t.writeReply(from, &t.askedAs, first.MTI, d.Action, spec.Fault{}); ok {
		t.addReply(rec, 0, from, t.pending.out[at:], &t.askedAs, journal.Request)
		t.pending.out = t.pending.out[:at] // for the repeat; nobody waits for it now
	}
	var item *saf.Item
	var fault spec.Fault
	if d.Owe != 0 {
		item, fault = t.writeReversal(rec.At, from, c, r, d, nil, rec, txn.Remainder{})
	}
	id := t.pending.batch.Append(rec)
	if q := t.questions.At(first.Key, place); q != nil {
		*q = fold(*q, rec)
	}
	switch {
	case item == nil:
		return number, nil
	case fault.OK():
		item.ID, item.Txn = id, number
		t.owe(c, item)
	default:
		item.ID, item.Txn = id, number
		t.shelve(t.now(), c, item, fault.Err())
	}
	return number, nil
}

// cancelled tells that its merchant has reversed it while it was open: that reversal comes with the
// window too, and so there is none to be made.
func (one *lost) cancelled() bool {
	return slices.ContainsFunc(one.records, func(r journal.Record) bool {
		return r.Kind == journal.Reversed
	})
}

// originalRow is what a reversal tells of its original.
func originalRow(first *journal.Record) *txn.Row {
	return &txn.Row{MTI: first.MTI.Original(), STAN: first.STAN, Key: first.Key,
		LocalTime: first.Key.LocalTime(), Acquirer: first.Key.Acquirer(), Card: first.Card,
		Amount: first.Amount, Processing: first.Processing, Currency: first.Currency,
		Day: first.Day, Slice: first.Slice, MerchantDay: first.MerchantDay}
}

// owesAs owes what a record of the lost journal still owed.
func (t *taking) owesAs(one *lost, was, number uint64) {
	o, shelved, ok := t.found.Owed(was)
	c := t.centers[o.Center]
	if !ok || c == nil {
		return
	}
	o.ID, o.Txn = t.numbers[was], number
	switch item := &(saf.Item{Entry: o.Entry, Due: t.now(), Repeat: true}); {
	case shelved:
		t.pending.batch.Shelve(c.id, o.Entry)
		c.shelved++
	case one.plan == passOnIf:
		t.shelve(t.now(), c, item, errDoubt)
	default:
		t.owe(c, item)
	}
}

// follows writes how a transaction that is taken in changed earlier ones, in the batch with it: the
// next time nobody would do it. Of one that is answered and reversed nothing is to follow.
func (t *taking) follows(one *lost) {
	for _, was := range t.sequels[one.Txn] {
		r, known := *was, true
		for _, number := range [...]*uint64{&r.Txn, &r.Advice} {
			own, taken := t.numbers[*number]
			if taken {
				*number = own
			}
			known = known && (taken || *number != 0 && *number <= t.window.Common)
		}
		if !known {
			continue
		}
		r.Seq = t.pending.batch.Append(&r)
		if q, ok := t.questions.Find(r.Key); ok && !r.Key.IsZero() {
			t.questions.Update(r.Key, fold(q, &r))
		}
		if r.Kind == journal.Adjusted {
			t.rests.apply(&r, t.store.LastSeq())
		}
	}
}

// begins starts a record of ours about a request of the lost journal, and reads that into askedAs.
func (t *taking) begins(one *lost, first *journal.Record,
	from, c *center) (*journal.Record, error) {
	raw, err := t.archive.whole(*first).Asked(from.dialect, first.PAN)
	if err != nil {
		return nil, err
	}
	if f := from.dialect.Index(&t.askedAs, raw); !f.OK() {
		return nil, f.Err()
	}
	t.askedPAN = first.PAN
	t.images, t.cuts = t.images[:0], t.cuts[:0]
	t.rec = journal.Record{At: t.now(), Kind: journal.Settled, Center: from.id, Dest: c.id,
		Reason: uint16(txn.FoundThere), Amount: first.Amount, Processing: first.Processing,
		Currency: first.Currency, PAN: first.PAN, Card: first.Card, Reference: first.Reference,
		Text: fmt.Sprintf("%s (there %d)", t.by, one.Txn)}
	if image := first.Image(journal.Request); image != nil {
		t.rec.Add(*image)
	}
	return &t.rec, nil
}

// reverse owes the issuer the reversal of a request that only the lost site has sent.
func (t *taking) reverse(one *lost, first *journal.Record, from, c *center) (uint64, error) {
	rec, err := t.begins(one, first, from, c)
	if err != nil {
		return 0, err
	}
	rec.MTI, rec.Action = 0x1420, txn.ReversalKept.Action()
	d := authorization.Deadline(txn.FoundThere, false)
	row := originalRow(first)
	if one.stood != nil { // the issuer knows it by the advice of it
		row.STAN, row.MTI = one.stood.STAN, row.MTI+0x20
	}
	item, fault := t.writeReversal(rec.At, from, c, row, d, nil, rec, txn.Remainder{})
	rec.STAN = item.STAN
	item.Moves = 0 // its original never counted here
	id := t.pending.batch.Append(rec)
	item.ID, item.Txn = id, id
	switch {
	case !fault.OK():
		t.shelve(rec.At, c, item, fault.Err())
	case one.plan == undoIf:
		t.shelve(rec.At, c, item, errDoubt)
	default:
		t.owe(c, item)
	}
	return id, nil
}

// affirm puts onto the work list the advice that an approval stands which the lost site has given
// to its merchant, and this one has reversed.
func (t *taking) affirm(one *lost, first *journal.Record, from, c *center) (uint64, error) {
	stan, ok := c.rows.Fresh()
	if !ok {
		return 0, errors.New("no trace number is left; try again later")
	}
	rec, err := t.begins(one, first, from, c)
	if err != nil {
		return 0, err
	}
	t.edit.Reset()
	t.edit.SetMTI(first.MTI.Original() + 0x20)
	t.edit.SetNumber(11, uint64(stan))
	for _, n := range [...]int{27, 35, 36, 45, 52, 53} {
		t.edit.Remove(n)
	}
	t.edit.SetNumber(39, uint64(one.closed.Action))
	t.leaveZone(from, c, nil)
	in, _ := t.inPeriod(rec.At, c, 0)
	named := t.nameCard(&t.askedAs, t.cardAsked())
	if c.config.ForwardingID {
		t.edit.Set(33, t.institution)
	}
	if answer := t.archive.whole(*first, *one.closed).find(journal.Answer); answer != nil &&
		answer.Err == nil && answer.Message.Has(38) {
		t.edit.Set(38, answer.Message.Append(t.value[:0], 38))
	}
	var fault = t.advise(c)
	rec.MTI, rec.Action, rec.STAN = first.MTI.Original()+0x20, one.closed.Action, stan
	rec.Amount = one.closed.Amount
	if fault == nil {
		t.addOwed(rec, c, &t.askedAs, named)
	}
	id := t.pending.batch.Append(rec)
	e := queue.Entry{ID: id, Txn: id, Card: first.Card, STAN: stan, MTI: rec.MTI,
		DE12: first.Key.LocalTime(), Reason: uint16(txn.FoundThere), At: rec.At, Source: from.id,
		Amount: rec.Amount, Processing: first.Processing, Currency: first.Currency}
	if c.settling != nil {
		e.Moves = uint8(total.KindOf(first.MTI, first.Processing))
		if c.settling.config.Date != DatePeer {
			e.Day, e.Slice = in.day, in.slice
		}
	}
	if fault == nil {
		fault = errDoubt
	}
	t.shelve(rec.At, c, &saf.Item{Entry: e, Due: rec.At}, fault)
	return id, nil
}

// advise writes what edit made of askedAs into scratch, for c.
func (t *taking) advise(c *center) error {
	scratch, fault := c.dialect.Append(t.scratch[:0], &t.askedAs, &t.edit)
	t.scratch = scratch
	if !fault.OK() {
		return fault.Err()
	}
	return nil
}
