package cardswitch

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"cardswitch/spec"
	"cardswitch/store/journal"
	"cardswitch/store/queue"
	"cardswitch/store/total"
	"cardswitch/switch/link"
	"cardswitch/switch/saf"
	"cardswitch/switch/service/network"
	"cardswitch/switch/service/reconcile"
	"cardswitch/switch/settle"
	"cardswitch/switch/txn"
)

// Messages of our own about business days are owed like advices: store and forward sends them,
// again and again until they are answered, also after a restart. Those that compare totals are made
// only when nothing of their period is on its way any more, so that they overtake nothing.

// compareWait is when totals are offered again that the other side couldn't compare yet.
const compareWait = time.Minute

// originate makes a message of our own of s.edit, which has its elements beside the usual ones, and
// owes it. It returns the number of its record.
func (s *Switch) originate(now int64, c *center, e queue.Entry, function uint16) error {
	stan, ok := c.rows.Fresh()
	if !ok {
		return fmt.Errorf("all trace numbers are in use")
	}
	local := time.Unix(0, now).In(c.zone)
	e.STAN, e.At = stan, now
	e.DE12 = digitsOf(local)
	s.edit.SetMTI(e.MTI)
	s.edit.SetNumber(11, uint64(stan))
	s.edit.SetNumber(12, e.DE12)
	s.edit.SetNumber(24, uint64(function))
	s.edit.SetNumber(28, uint64(e.Day))
	if e.Slice != 0 {
		s.edit.SetNumber(29, uint64(e.Slice))
	}
	var fault spec.Fault
	if s.scratch, fault = c.dialect.Append(s.scratch[:0], nil, &s.edit); !fault.OK() {
		return fault.Err()
	}
	s.images, s.cuts = s.images[:0], s.cuts[:0]
	s.rec = journal.Record{At: now, Kind: journal.Originated, MTI: e.MTI, Dest: c.id, STAN: stan,
		Function: function, Day: e.Day, Slice: e.Slice, Currency: e.Currency, Reason: e.Reason}
	s.addImage(&s.rec, journal.Advice, 0, c, s.scratch, nil, 0)
	e.ID = s.pending.batch.Append(&s.rec)
	e.Txn = e.ID
	s.owe(c, &saf.Item{Entry: e, Due: now})
	return nil
}

// digitsOf is DE 12: YYMMDDhhmmss.
func digitsOf(t time.Time) (n uint64) {
	for _, digit := range t.AppendFormat(nil, "060102150405") {
		n = n*10 + uint64(digit-'0')
	}
	return n
}

// tellDay tells a center of the day or slice that it hasn't been told of.
func (s *Switch) tellDay(now int64, c *center) {
	p := c.book.Current()
	if p.Told >= p.Slice || c.link == nil || c.link.Best() == nil {
		return
	}
	function, slice := uint16(network.Cutover), uint16(0)
	if p.Told != 0 {
		function, slice = network.Checkpoint, p.Slice
	}
	s.edit.Reset()
	if len(c.institution) > 0 {
		s.edit.Set(93, c.institution)
	}
	s.edit.Set(94, s.institution)
	err := s.originate(now, c, queue.Entry{MTI: 0x1804, Reason: uint16(txn.DayAnnounced),
		Day: uint32(p.Day), Slice: slice}, function)
	if err != nil {
		s.log.Error("a cutover can't be told", "center", c.name, "error", err.Error(),
			"hint", "check `institution` and the dialect")
	}
	p.Told = max(p.Told+1, slice)
	s.keepPeriod(c, p)
}

// compareDue offers the totals of what has ended and isn't agreed to the center.
func (s *Switch) compareDue(now int64, c *center) {
	for i := range c.book.Periods {
		p := &c.book.Periods[i]
		if p.State == settle.Agreed || p.Out || c.compare[p.Day] > now {
			continue
		}
		if c.settling.config.Checkpoint != 0 && s.checkDue(now, c, p) {
			continue
		}
		if p.State != settle.Ended || now-p.Ended < int64(c.settling.config.After) {
			continue
		}
		if s.onItsWay(c, p, 0) {
			c.compare[p.Day] = now + int64(time.Second) // it is no light question
			continue
		}
		if err := s.offer(now, c, p, 0); err != nil {
			s.log.Error("totals can't be offered", "center", c.name, "error", err.Error(),
				"hint", "check `institution` and the dialect")
			c.compare[p.Day] = now + int64(compareWait)
		}
	}
}

// checkDue offers the next slice that has ended, and tells whether one is still being compared.
func (s *Switch) checkDue(now int64, c *center, p *settle.Period) bool {
	next := p.Sliced + 1
	if next > p.Slice || next == p.Slice && p.State == settle.Open {
		return false
	}
	if p.State == settle.Ended && next == p.Slice && next == 1 {
		return false // there was one only: the whole day is compared
	}
	c.compare[p.Day] = now + int64(time.Second)
	if s.onItsWay(c, p, next) {
		return true
	}
	if err := s.offer(now, c, p, next); err != nil {
		s.log.Error("totals can't be offered", "center", c.name, "error", err.Error(),
			"hint", "check `institution` and the dialect")
	}
	return true
}

// onItsWay tells whether something of a period may still be moved: a request waits for its answer,
// an advice for its delivery, or totals of it for theirs. Where the issuer gives the days, what was
// asked or owed before the period ended may be of it.
func (s *Switch) onItsWay(c *center, p *settle.Period, slice uint16) (found bool) {
	if c.config.Role == RoleMerchant {
		return s.merchantWaits(c, p.Day)
	}
	of := func(day uint32, at uint16) bool {
		return settle.Day(day) == p.Day && (slice == 0 || at == 0 || at == slice)
	}
	byPeer := c.settling.config.Date == DatePeer
	c.rows.Each(func(r *txn.Row) {
		waits := r.Kind == txn.Forwarded && r.State != txn.Closed
		found = found || waits && (of(r.Day, r.Slice) || byPeer && settle.Day(r.Day) <= p.Day)
	})
	c.owed.Each(func(item *saf.Item) {
		if item.MTI.Class() == 8 {
			return
		}
		before := item.Day == 0 && (p.Ended == 0 || item.At <= p.Ended)
		found = found || before || of(item.Day, item.Slice) ||
			item.Moves&unconfirmed != 0 && of(item.OriginalDay, item.OriginalSlice)
	})
	return found
}

// merchantWaits tells whether requests of a merchant center's day wait for their issuers. Its
// advices don't: they count when they are acknowledged.
func (s *Switch) merchantWaits(c *center, d settle.Day) (found bool) {
	for _, issuer := range s.issuers {
		issuer.rows.Each(func(r *txn.Row) {
			found = found || r.Source == c.id && r.Kind == txn.Forwarded && r.State != txn.Closed &&
				settle.Day(r.MerchantDay) == d
		})
	}
	return found
}

// currenciesOf are the currencies that a period is to be agreed in.
func (s *Switch) currenciesOf(c *center, d settle.Day) []uint16 {
	moved := slices.Sorted(maps.Keys(s.store.Totals().Of(c.id, uint32(d), 0)))
	if len(moved) == 0 {
		moved = append(moved, uint16(c.settling.config.Currency))
	}
	return moved
}

// offer owes a center the totals of a period, or of one slice of it: a message for each currency
// that isn't agreed yet.
func (s *Switch) offer(now int64, c *center, p *settle.Period, slice uint16) error {
	currencies := s.currenciesOf(c, p.Day)
	function := uint16(reconcile.Final)
	if slice != 0 {
		function = reconcile.Checkpoint
	}
	if len(currencies) > 1 {
		function += reconcile.FinalCurrency - reconcile.Final
	}
	mti := spec.MTI(0x1520)
	if c.settling.config.Message != CompareAdvice {
		mti = 0x1500
	}
	for _, currency := range currencies {
		if slice == 0 && slices.Contains(p.Closed, currency) {
			continue
		}
		s.edit.Reset()
		s.edit.Set(32, s.institution)
		s.edit.SetNumber(50, uint64(currency))
		if c.settling.config.Message != CompareRequest {
			sums := s.store.Totals().Of(c.id, uint32(p.Day), slice)[currency]
			c.settling.convention.Put(&sums, &s.edit)
		}
		err := s.originate(now, c, queue.Entry{MTI: mti, Reason: uint16(txn.TotalsDue),
			Day: uint32(p.Day), Slice: slice, Currency: currency}, function)
		if err != nil {
			return err
		}
	}
	return nil
}

// ownAnswered handles the answer to an owed message of our own; false if that is an advice.
func (s *Switch) ownAnswered(now int64, l *link.Link, c *center, r *txn.Row, item *saf.Item,
	a *arrival) bool {
	var d txn.Decision
	switch item.MTI.Class() {
	case 5:
		ours, theirs, told := s.answeredFigures(c, item, a)
		q := txn.Answer{Action: a.msg.ActionCode(), Retry: c.retry[a.msg.ActionCode()]}
		if told {
			q.Balance = settle.Balance(&ours, &theirs)
		}
		d = reconcile.Answer(q)
		if d.Act == txn.Done {
			defer s.verdict(now, c, item.Txn, settle.Day(item.Day), item.Slice, item.Currency, d,
				&ours, &theirs, told)
		}
	case 8:
		d = network.Told(a.msg.ActionCode(), c.retry[a.msg.ActionCode()])
		if d.Reason == txn.DayRefused {
			s.log.Error("a center refuses a business day", "center", c.name, "day",
				settle.Day(item.Day).String(), "hint", "compare the days of both sides")
		}
	default:
		return false
	}
	s.landed(now, c, r, true)
	switch d.Act {
	case txn.Done:
		s.recordDelivery(now, journal.Delivered, l, c, item, a, d)
		s.paid(now, c, item)
	case txn.Shelve:
		s.shelveRefused(now, l, c, item, a, d)
	default:
		s.again(now, c, item)
	}
	return true
}

// answeredFigures are the two sides' totals after an answer to ours.
func (s *Switch) answeredFigures(c *center, item *saf.Item, a *arrival) (ours, theirs total.Sums,
	told bool) {
	ours = s.store.Totals().Of(c.id, item.Day, item.Slice)[item.Currency]
	theirs, _, told = c.settling.convention.Take(a.msg)
	return ours, theirs, told
}

// figures finds how the period of a center's 15xx stands and how the two sides' totals compare.
func (s *Switch) figures(c *center, a *arrival) (txn.Period, txn.Balance) {
	if c.settling == nil || c.book == nil {
		return txn.PeriodUnknown, txn.NotCompared
	}
	p := c.book.Find(settle.Day(a.day))
	if p == nil {
		return txn.PeriodUnknown, txn.NotCompared
	}
	slice := sliceAsked(a)
	standing := txn.PeriodEnded
	switch {
	case p.State == settle.Agreed:
		standing = txn.PeriodAgreed
	case slice > p.Slice:
		return txn.PeriodUnknown, txn.NotCompared
	case p.State == settle.Open && (slice == 0 || slice == p.Slice):
		standing = txn.PeriodOpen
	case s.onItsWay(c, p, slice):
		standing = txn.PeriodOwed
	}
	theirs, _, told := c.settling.convention.Take(a.msg)
	if !told {
		return standing, txn.NotCompared
	}
	ours := s.store.Totals().Of(c.id, a.day, slice)[s.currencyAsked(c, a)]
	return standing, settle.Balance(&ours, &theirs)
}

// sliceAsked is the slice that a checkpoint is about; 0: the whole period.
func sliceAsked(a *arrival) uint16 {
	if reconcile.IsCheckpoint(a.function) || a.function == reconcile.Totals {
		return a.slice
	}
	return 0
}

func (s *Switch) currencyAsked(c *center, a *arrival) uint16 {
	if v, ok := a.msg.Number(50); ok && v != 0 {
		return uint16(v)
	}
	return uint16(c.settling.config.Currency)
}

// compared answers a center's 15xx with our figures, where they are to be told, and notes the
// verdict.
func (s *Switch) compared(now int64, l *link.Link, c *center, a *arrival, d txn.Decision) {
	slice, currency := sliceAsked(a), s.currencyAsked(c, a)
	ours := s.store.Totals().Of(c.id, a.day, slice)[currency]
	theirs, _, told := c.settling.convention.Take(a.msg)
	var more elements
	if reconcile.Tells(a.mti.Function() == 2, d.Action) {
		c.settling.convention.Put(&ours, &more)
	} else if d.Action == reconcileInBalance {
		more.Set(97, []byte(settle.Net(ours.Net())))
	}
	id := s.settle(now, l, c, a, d, more...)
	if d.Reason != txn.TotalsNotReady && a.function != reconcile.Totals && told {
		s.verdict(now, c, id, settle.Day(a.day), slice, currency, d, &ours, &theirs, told)
	}
}

// reconcileInBalance is the action code of two sides that agree.
const reconcileInBalance = 500

// elements are what an answer has beside the usual ones.
type elements []element

// Set is of settle.Setter.
func (e *elements) Set(n int, canonical []byte) { *e = append(*e, element{n, canonical}) }

// SetNumber is too: it fills up to the length of the totals' elements.
func (e *elements) SetNumber(n int, v uint64) {
	width := spec.ElementOf(n).Length
	e.Set(n, fmt.Appendf(nil, "%0*d", width, v))
}

// verdict records how the totals of a period, or a slice, compared, and what follows for it.
func (s *Switch) verdict(now int64, c *center, id uint64, d settle.Day, slice, currency uint16,
	decision txn.Decision, ours, theirs *total.Sums, told bool) {
	p := c.book.Find(d)
	if p == nil {
		return
	}
	equal := decision.Reason == txn.TotalsAgree
	text := ""
	switch {
	case equal:
	case told:
		text = settle.Explain(ours, theirs)
	}
	switch decision.Reason {
	case txn.TotalsAgree, txn.TotalsDiffer:
	case txn.PeriodNotThere: // it has no such period: to ask again and again doesn't help
		p.Out = true
		text = "the center doesn't know the period"
	default:
		c.compare[d] = now + int64(compareWait)
		return
	}
	rec := journal.Record{At: now, Kind: journal.Reconciled, Txn: id, Dest: c.id, Day: uint32(d),
		Slice: slice, Currency: currency, Action: decision.Action, Reason: uint16(decision.Reason),
		Text: text}
	s.pending.batch.Append(&rec)
	switch {
	case decision.Reason == txn.PeriodNotThere:
	case p.State == settle.Agreed:
		return // asked again: what is agreed stays so
	case slice != 0:
		p.SliceCompared(slice, equal)
	default:
		p.Compared(now, currency, equal, s.currenciesOf(c, d))
	}
	s.keepPeriod(c, p)
	s.tellVerdict(c, p, slice, equal, text)
}

func (s *Switch) tellVerdict(c *center, p *settle.Period, slice uint16, equal bool, text string) {
	if equal {
		s.log.Info("totals agree", "center", c.name, "day", p.Day.String(), "slice", slice)
		return
	}
	c.metrics.outOfBalance.Inc()
	s.log.Error("totals differ", "center", c.name, "day", p.Day.String(), "slice", slice,
		"why", text, "hint", "`cardswitch settle compare` with a listing of the center's book")
}
