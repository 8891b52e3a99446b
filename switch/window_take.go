package cardswitch

import (
	"encoding/binary"
	"errors"
	"fmt"

	"cardswitch/spec"
	"cardswitch/store"
	"cardswitch/store/journal"
	"cardswitch/store/queue"
	"cardswitch/store/total"
	"cardswitch/switch/saf"
	"cardswitch/switch/service/authorization"
	"cardswitch/switch/txn"
)

// taking is a window on its way into the books.
type taking struct {
	*Switch
	found   *store.Found
	window  *Window
	numbers map[uint64]uint64 // of records, there and here
	by      string
}

// errDoubt is why something of a window is for people.
var errDoubt = errors.New("of the window of a lost site: somebody must decide")

// takeWindow does what the transactions of a window need, in the order in which they began.
func (s *Switch) takeWindow(f *store.Found, w *Window, list []*lost, by Resolution) error {
	if by.Who == "" || by.Why == "" {
		return errors.New("say who takes it in and why")
	}
	t := &taking{Switch: s, found: f, window: w, numbers: make(map[uint64]uint64),
		by: fmt.Sprintf("found by %s: %s", by.Who, by.Why)}
	for _, one := range list {
		if one.plan == nothing {
			continue
		}
		if err := t.take(one); err != nil {
			return fmt.Errorf("transaction %d of the lost journal: %w", one.Txn, err)
		}
		w.Taken++
	}
	for _, one := range list {
		t.sequels(one)
	}
	s.kick()
	return nil
}

// take does what one transaction needs, in one batch.
func (t *taking) take(one *lost) (err error) {
	first := one.records[0]
	if one.plan == affirm {
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
	if _, now := t.questions.Find(first.Key); now && one.known == 0 && one.plan != affirm {
		return errors.New("it was asked again just now; run the command once more")
	}
	switch one.plan {
	case takeIn:
		one.Taken, _ = t.bring(one, from)
	case finish:
		one.Taken, err = t.finish(one, &first, from, c)
	case undo, undoIf:
		one.Taken, err = t.reverse(one, &first, from, c)
	case affirm:
		one.Taken, err = t.affirm(one, &first, from, c)
	}
	if err != nil { // nothing was written of it
		return err
	}
	t.pending.batch.Set(t.takenKey(t.window, one), binary.BigEndian.AppendUint64(nil, one.Taken))
	t.kick()
	return nil
}

// bring writes the records of a transaction anew, with what it still owes, and returns its number.
func (t *taking) bring(one *lost, from *center) (number uint64, place txn.Place) {
	var q txn.Question
	for i := range one.records {
		r := one.records[i]
		if r.Kind == journal.Reversed && r.Seq != r.Txn || r.Kind == journal.Adjusted {
			continue // see sequels
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
		t.owesAs(was, number)
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
	d := authorization.Deadline(txn.FoundThere, false)
	rec := t.closing(t.now(), r, d)
	rec.Text = t.by
	if at, ok := t.writeReply(from, &t.askedAs, first.MTI, d.Action, spec.Fault{}); ok {
		t.addReply(rec, 0, from, t.pending.out[at:], &t.askedAs, journal.Request)
		t.pending.out = t.pending.out[:at] // for the repeat; nobody waits for it now
	}
	item, fault := t.writeReversal(rec.At, from, c, r, d, nil, rec, txn.Remainder{})
	id := t.pending.batch.Append(rec)
	item.ID, item.Txn = id, number
	if q := t.questions.At(first.Key, place); q != nil {
		*q = fold(*q, rec)
	}
	if !fault.OK() {
		t.shelve(t.now(), c, item, fault.Err())
	} else {
		t.owe(c, item)
	}
	return number, nil
}

// originalRow is what a reversal tells of its original.
func originalRow(first *journal.Record) *txn.Row {
	return &txn.Row{MTI: first.MTI.Original(), STAN: first.STAN, Key: first.Key,
		LocalTime: first.Key.LocalTime(), Acquirer: first.Key.Acquirer(), Card: first.Card,
		Amount: first.Amount, Processing: first.Processing, Currency: first.Currency,
		Day: first.Day, Slice: first.Slice, MerchantDay: first.MerchantDay}
}

// owesAs owes what a record of the lost journal still owed.
func (t *taking) owesAs(was, number uint64) {
	o, shelved, ok := t.found.Owed(was)
	c := t.centers[o.Center]
	if !ok || c == nil {
		return
	}
	o.ID, o.Txn = t.numbers[was], number
	if shelved {
		t.pending.batch.Shelve(c.id, o.Entry)
		c.shelved++
		return
	}
	t.owe(c, &saf.Item{Entry: o.Entry, Due: t.now(), Repeat: true})
}

// sequels writes what followed on transactions, by transactions that were taken in.
func (t *taking) sequels(one *lost) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range one.records {
		r := one.records[i]
		sequel, ok := t.numbers[r.Advice]
		if r.Kind != journal.Reversed && r.Kind != journal.Adjusted || r.Seq == r.Txn || !ok {
			continue
		}
		if own, taken := t.numbers[r.Txn]; taken {
			r.Txn = own
		} else if r.Txn > t.window.Common {
			continue
		}
		r.Advice = sequel
		t.pending.batch.Append(&r)
		if q, ok := t.questions.Find(r.Key); ok {
			t.questions.Update(r.Key, fold(q, &r))
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
	item, fault := t.writeReversal(rec.At, from, c, originalRow(first), d, nil, rec,
		txn.Remainder{})
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
