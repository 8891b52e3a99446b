package cardswitch

import (
	"strconv"
	"time"

	"cardswitch/spec"
	"cardswitch/store/journal"
	"cardswitch/store/queue"
	"cardswitch/store/total"
	"cardswitch/switch/link"
	"cardswitch/switch/saf"
	"cardswitch/switch/standin"
	"cardswitch/switch/txn"
)

// stood is a decision of stand-in on its way into the journal.
type stood struct {
	standin.Decision
	facts    standin.Facts
	code     uint16 // DE 25 of the advice that tells the issuer
	told     bool   // there is such an advice
	stan     uint32 // its trace number
	approval []byte // DE 38; nil: declined
	agent    []byte // DE 58
	in       periods
}

// decideStandIn decides on a request to c. False: it isn't stand-in's to decide.
func (s *Switch) decideStandIn(now int64, c *center, m *spec.Message, pan spec.PAN,
	card [16]byte) (d stood, ok bool) {
	p := c.standin
	d.facts = standin.FactsOf(m, pan)
	d.facts.Listed, d.facts.ListedAction = c.negative.tells(&card, now)
	d.Decision = standin.Decide(p.rules, c.stand.counters.Of(card), &d.facts, time.Unix(0, now))
	if d.Outcome == standin.Approve && !c.stand.counters.Room(card) {
		d.Outcome, d.Reason = standin.Abstain, txn.StandInFull
		s.standInFull(now, c)
	}
	if d.Outcome == standin.Abstain {
		c.stand.metrics.decided(d.Outcome)
		return d, false
	}
	d.told = d.Outcome == standin.Approve || p.config.ReportDeclines
	d.agent = p.agent
	return d, true
}

// number gives a decision the trace number of its advice, if that can be written for c, and its
// approval code. A number that was given out has its record, so what can't be written takes none.
func (s *Switch) number(from, c *center, m *spec.Message, mti spec.MTI, pan spec.PAN,
	d *stood) bool {
	if !d.told {
		return true
	}
	d.stan, d.approval = maxTrace, c.standin.approvalOf(d, m) // as long as the true ones
	_, fault := s.writeAdvice(from, c, m, mti, pan, d)
	if c.unfit(len(s.scratch), fault) != txn.None {
		return false
	}
	var ok bool
	d.stan, ok = c.rows.Fresh()
	d.approval = c.standin.approvalOf(d, m)
	return ok
}

// maxTrace is the largest trace number.
const maxTrace = 999_999

// approvalOf makes an approval code (DE 38) of the advice's trace number, so short as DE 27 asks
// and filled with spaces; nil for what isn't approved.
func (p *standInProfile) approvalOf(d *stood, m *spec.Message) []byte {
	if d.Outcome != standin.Approve {
		return nil
	}
	size := 6
	if n, ok := m.Number(27); ok && n > 0 && n < 6 {
		size = int(n)
	}
	code := make([]byte, 0, 6)
	code = append(code, p.config.ApprovalPrefix[:min(len(p.config.ApprovalPrefix), size)]...)
	digits := strconv.FormatUint(1_000_000+uint64(d.stan), 10)[1:]
	code = append(code, digits[6-(size-len(code)):]...)
	for len(code) < 6 {
		code = append(code, ' ')
	}
	return code
}

// elements are what the merchant's answer has of it, as far as its dialect knows them.
func (d *stood) elements(to *center) (list []element) {
	known := to.dialect.Known()
	if d.approval != nil && known.Has(38) {
		list = append(list, element{38, d.approval})
	}
	if known.Has(58) {
		list = append(list, element{58, d.agent})
	}
	return list
}

// writeAdvice writes into s.scratch the advice (1120 or 1220) that tells the issuer of a decision
// on the request m of from. What may not be kept is left out; the card is named.
func (s *Switch) writeAdvice(from, to *center, m *spec.Message, mti spec.MTI, pan spec.PAN,
	d *stood) (named bool, fault spec.Fault) {
	s.edit.Reset()
	s.edit.SetMTI(mti.Original() + 0x20)
	s.edit.SetNumber(11, uint64(d.stan))
	for _, n := range [...]int{27, 35, 36, 45, 52, 53} {
		s.edit.Remove(n)
	}
	s.edit.SetNumber(25, uint64(d.code))
	s.edit.SetNumber(39, uint64(d.Action))
	if d.approval != nil {
		s.edit.Set(38, d.approval)
	}
	s.edit.Set(58, d.agent)
	if !m.Has(14) && d.facts.Expiry != 0 {
		s.edit.SetNumber(14, uint64(d.facts.Expiry)) // it was in a track
	}
	s.writePeriod(to, d.in.period)
	s.leaveZone(from, to, nil)
	named = s.nameCard(m, pan)
	if to.config.ForwardingID {
		s.edit.Set(33, s.institution)
	}
	s.scratch, fault = to.dialect.Append(s.scratch[:0], m, &s.edit)
	return named, fault
}

// standIn answers a new request in the place of its issuer and owes the issuer the advice of it.
// False: it isn't stand-in's to decide, and nothing was done.
func (s *Switch) standIn(now int64, l *link.Link, c, dest *center, a *arrival,
	path txn.Path) bool {
	d, ok := s.decideStandIn(now, dest, a.msg, a.pan, a.card)
	if !ok {
		a.leftAlone = d.Reason
		return false
	}
	d.code = dest.stand.mode.Advice(d.Decision, path)
	var why txn.Reason
	s.edit.Reset()
	if d.in, why = s.periodsOf(now, c, dest, a); why != txn.None {
		return false
	}
	if !s.number(c, dest, a.msg, a.mti, a.pan, &d) || !s.spend(a) {
		return false
	}
	rec := s.record(now, journal.StoodIn, l, a)
	rec.Dest, rec.STAN, rec.Action, rec.Reason = dest.id, d.stan, d.Action, uint16(d.Reason)
	rec.Key, rec.PAN, rec.Card = a.key, a.pan, a.card
	if d.told {
		named, _ := s.writeAdvice(c, dest, a.msg, a.mti, a.pan, &d)
		s.addOwed(rec, dest, a.msg, named)
	}
	more := s.dated(c, d.in.here, append(d.elements(c), s.tokenOf(c, a.token.op)...))
	d.counts(rec)
	s.reply(l, c, a.msg, a, d.Action, rec, more...)
	id := s.pending.batch.Append(rec)
	s.useCounter(c, a)
	q := fold(txn.Question{}, withNumber(rec, id))
	q.Fingerprint = a.fingerprint
	s.remember(c, a.key, q)
	s.owesAdvice(now, dest, id, id, a.mti, a.localTime, rec, &d)
	s.decided(l, c, a, d.Action)
	s.metrics.told(d.Action)
	return true
}

// withNumber is a record as it is read back, with its number.
func withNumber(rec *journal.Record, id uint64) *journal.Record {
	rec.Seq = id
	if rec.Txn == 0 {
		rec.Txn = id
	}
	return rec
}

// owesAdvice counts an approval and owes the issuer the advice in a record.
func (s *Switch) owesAdvice(now int64, dest *center, id, of uint64, mti spec.MTI, local uint64,
	rec *journal.Record, d *stood) {
	if d.Outcome == standin.Approve {
		dest.count(s.pending.batch, now, rec.Card, d.Counts(&d.facts))
		s.expires(now, dest, of, rec.Key)
	}
	dest.stand.metrics.decided(d.Outcome)
	if !d.told {
		return
	}
	e := queue.Entry{ID: id, Txn: of, Card: rec.Card, STAN: d.stan, MTI: mti.Original() + 0x20,
		DE12: local, Reason: rec.Reason, At: now, Source: rec.Center, Amount: rec.Amount,
		Processing: rec.Processing, Currency: rec.Currency}
	if d.Outcome == standin.Approve && dest.settling != nil {
		e.Moves = uint8(total.KindOf(mti, rec.Processing))
		if dest.settling.config.Date != DatePeer {
			e.Day, e.Slice = d.in.day, d.in.slice
		}
	}
	s.owe(dest, &saf.Item{Entry: e, Due: now})
}

// counts writes into a decision's record what an approval moves: on the merchant's leg now, at the
// issuer when its advice is delivered.
func (d *stood) counts(rec *journal.Record) {
	if d.Outcome == standin.Approve && d.in.here != 0 {
		rec.Moves, rec.MerchantDay = uint8(total.KindOf(rec.MTI, rec.Processing)), d.in.here
	}
}

// standInFor decides on a request that its issuer left unanswered, where that is wanted, or never
// got.
func (s *Switch) standInFor(now int64, from, c *center, r *txn.Row, why txn.Reason) *stood {
	if c.standin == nil || !c.standin.config.Unanswered && !why.Unsent() ||
		r.State == txn.Cancelled || r.Of != 0 || c.stand.mode.Setting == standin.Off ||
		len(from.link.Links()) == 0 {
		return nil
	}
	d, ok := s.decideStandIn(now, c, &s.askedAs, s.cardAsked(), r.Card)
	if !ok {
		return nil
	}
	d.code = standin.IssuerUnavailable
	if why == txn.IssuerTimedOut {
		d.code = standin.IssuerTimedOut
	}
	if d.Reason == txn.StandInBelowFloor {
		d.code = standin.BelowFloorLimit
	}
	s.edit.Reset()
	d.in.period, _ = s.inPeriod(now, c, 0)
	d.in.here = r.MerchantDay
	if !s.number(from, c, &s.askedAs, r.MTI, s.cardAsked(), &d) {
		return nil
	}
	return &d
}

// tell records a decision that follows on the end of a forwarded request, behind the reversal that
// may be owed: the issuer gets both, in this order.
func (s *Switch) tell(now int64, from, c *center, r *txn.Row, d *stood) {
	s.images, s.cuts = s.images[:0], s.cuts[:0]
	s.rec = journal.Record{At: now, Kind: journal.StoodIn, Txn: r.Txn, MTI: r.MTI, Center: r.Source,
		Dest: r.Dest, STAN: d.stan, Action: d.Action, Reason: uint16(d.Reason), Amount: r.Amount,
		Processing: r.Processing, Currency: r.Currency, Key: r.Key, Card: r.Card}
	if d.told {
		named, _ := s.writeAdvice(from, c, &s.askedAs, r.MTI, s.cardAsked(), d) // it could before
		s.addOwed(&s.rec, c, &s.askedAs, named)
	}
	d.counts(&s.rec)
	id := s.pending.batch.Append(&s.rec)
	s.owesAdvice(now, c, id, r.Txn, r.MTI, r.LocalTime, &s.rec, d)
	if q := s.questions.At(r.Key, r.Place); q != nil {
		*q = fold(*q, withNumber(&s.rec, id))
	}
}

// standInFull raises the alarm, once in a while, that no more cards can be counted.
func (s *Switch) standInFull(now int64, c *center) {
	if now-c.stand.alarmed < int64(time.Minute) {
		return
	}
	c.stand.alarmed = now
	s.log.Error("stand-in counts no more cards and approves nothing for others", "center", c.name,
		"cards", c.stand.counters.Len(), "hint", "shorten its limits' days, or get the issuer back")
}
