package cardswitch

import (
	"fmt"
	"strconv"
	"time"

	"cardswitch/routing"
	"cardswitch/routing/cardrange"
	"cardswitch/spec"
	"cardswitch/store/journal"
	"cardswitch/switch/txn"
)

// askAbout asks a question that is new, if there is room for it; nil without a reason: it was asked
// before.
func (s *Switch) askAbout(q CardCheck, key journal.Key, pan spec.PAN, card [16]byte) (
	k *check, why txn.Reason) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if asked, ok := s.questions.Find(key); ok {
		if asked.Fingerprint != s.checkPrint(card) {
			return nil, txn.QuestionDiffers
		}
		return nil, txn.None
	}
	t := s.tables.Load()
	number, length := pan.Number()
	route, ok := t.routes.Choose(&routing.Query{MTI: 0x1100, PAN: cardrange.Align(number, length),
		PANLen: uint8(length), ProcessingCode: s.checkProcessing(), Acquirer: key.Acquirer(),
		At: now / 1e9, Merchant: nobody})
	if !ok || len(route.To) == 0 || int(route.To[0]) >= len(t.destinations) {
		return nil, txn.NoRoute
	}
	dest := t.destinations[route.To[0]]
	for _, i := range route.To {
		if c := t.destinations[i]; c.path() == txn.Clear {
			dest = c
			break
		}
	}
	if why := s.spare(now, t, dest, card); why != txn.None {
		return nil, why
	}
	k = &check{at: dest, done: make(chan struct{})}
	if why := s.askCard(now, t, dest, k, q, key, pan, card); why != txn.None {
		return nil, why
	}
	s.kick()
	return k, txn.None
}

// nobody is the merchant of a query that no rule names.
const nobody = 0xFFFF

// checkPrint is what a check's question is about.
func (s *Switch) checkPrint(card [16]byte) uint32 {
	return txn.Fingerprint(card, 0, s.checkProcessing())
}

func (s *Switch) checkProcessing() uint32 {
	return uint32(number(s.tables.Load().config.Checks.Processing))
}

// jobTime is how the time at which a job began is written: as DE 12.
const jobTime = "060102150405"

func jobText(job uint64) string { return fmt.Sprintf("%012d", job) }

// number is the value of digits that were checked before.
func number(digits string) uint64 {
	n, _ := strconv.ParseUint(digits, 10, 64)
	return n
}

// spare tells why a check can't be asked now without being in somebody's way.
func (s *Switch) spare(now int64, t *tables, c *center, card [16]byte) txn.Reason {
	if s.draining.Load() || s.diskLow.Load() || s.fenced.Load() {
		return txn.ShuttingDown
	}
	switch c.path() {
	case txn.SignedOff:
		return txn.IssuerSignedOff
	case txn.Down:
		return txn.IssuerDown
	case txn.Full:
		return txn.CheckNoRoom
	}
	if hold, _ := c.holds(card); hold {
		return txn.CheckNoRoom
	}
	if now < c.checks.rests {
		return txn.CheckResting
	}
	rate := int64(time.Second) / int64(t.config.Checks.Rate)
	if s.checkPace > now+int64(checkBurst) {
		return txn.CheckNoRoom
	}
	if c.checks.waiting >= t.config.Checks.InFlight ||
		2*(c.link.InFlight()+c.checks.waiting) >= c.link.Window() ||
		4*s.pending.batch.Size() > pendingBytes {
		return txn.CheckNoRoom
	}
	s.checkPace = max(s.checkPace, now) + rate
	return txn.None
}

// askCard journals a check and sends it. mu is held.
func (s *Switch) askCard(now int64, t *tables, dest *center, k *check, q CardCheck,
	key journal.Key, pan spec.PAN, card [16]byte) txn.Reason {
	from, out := s.checks, dest.linkFor(card)
	stan, ok := dest.rows.Fresh()
	if !ok || out == nil {
		return txn.CheckNoRoom
	}
	if !s.writeCheck(t, q, key, pan) {
		return txn.CheckNoCard
	}
	at := len(s.pending.out)
	s.edit.Reset()
	in, why := s.inPeriod(now, dest, 0)
	if why != txn.None {
		return why
	}
	s.edit.SetNumber(11, uint64(stan))
	if dest.config.ForwardingID {
		s.edit.Set(33, s.institution)
	}
	var fault spec.Fault
	s.pending.out, fault = dest.dialect.Append(s.pending.out, &s.askedAs, &s.edit)
	sent := s.pending.out[at:]
	if why := dest.unfit(len(sent), fault); why != txn.None {
		s.pending.out = s.pending.out[:at]
		return why
	}
	r := dest.rows.Take()
	r.Kind, r.State, r.MTI, r.Asked = txn.Forwarded, txn.Open, 0x1100, 0x1100
	r.Source, r.Dest, r.From, r.Sent = from.id, dest.id, k, k
	r.STAN, r.LocalTime, r.Acquirer = stan, key.LocalTime(), key.Acquirer()
	r.Key, r.Card, r.Arrived, r.Processing = key, card, now, s.checkProcessing()
	r.Day, r.Slice = in.day, in.slice
	r.Deadline = now + int64(min(dest.config.AnswerTime, from.config.AnswerTime))
	r.Aside = s.goesAside(dest, nil)
	r.Hold(&s.askedAs)
	s.rec = journal.Record{At: now, Kind: journal.Opened, MTI: 0x1100, Function: checkFunction,
		Processing: r.Processing, Center: from.id, Dest: dest.id, STAN: stan, Deadline: r.Deadline,
		Key: key, PAN: pan, Card: card, Day: in.day, Slice: in.slice}
	copy(s.rec.Reference[:], jobText(q.Job))
	s.images, s.cuts = s.askedAs.AppendKept(s.images[:0], s.cuts[:0])
	s.rec.Add(journal.Image{Role: journal.Request, Dialect: from.dialectID,
		Data: s.images[:len(s.images):len(s.images)], Cut: s.cuts[:len(s.cuts):len(s.cuts)]})
	s.addEdited(&s.rec, journal.Forward, out.ID(), dest, sent, &s.askedAs, journal.Request)
	r.Txn = s.pending.batch.Append(&s.rec)
	dest.rows.Put(r)
	s.wheel.Set(r, r.Deadline)
	from.inFlight++
	dest.checks.waiting++
	k.placed, k.on, k.txn = true, out, r.Txn
	r.Place = s.remember(from, key, txn.Question{Txn: r.Txn, Fingerprint: s.checkPrint(card),
		STAN: stan, Dest: dest.id, MTI: 0x1100})
	dest.ways.went(card, out, r.Txn)
	s.pending.effects = append(s.pending.effects, effect{kind: sendRequest, to: dest, link: out,
		tag: tagOf(r), from: at, end: len(s.pending.out), asker: from})
	from.metrics.request(0x1100)
	dest.metrics.sent.Inc()
	return txn.None
}

// checkFunction is the function code of an inquiry (DE 24; reference iso8583-1993 section 3.2).
const checkFunction = 108

// noTerminal is DE 22 of a check: nobody is there, and no card.
const noTerminal = "000010000000"

// writeCheck makes the request, in askedAs, as the center of checks asks it.
func (s *Switch) writeCheck(t *tables, q CardCheck, key journal.Key, pan spec.PAN) bool {
	e := &s.edit
	e.Reset()
	e.SetMTI(0x1100)
	e.Set(2, pan.AppendReveal(s.value[:0]))
	e.Set(3, []byte(t.config.Checks.Processing))
	e.SetNumber(11, uint64(key.STAN()))
	e.SetNumber(12, key.LocalTime())
	if q.Expiry != "" {
		e.Set(14, []byte(q.Expiry))
	}
	e.Set(22, []byte(noTerminal))
	e.SetNumber(24, checkFunction)
	e.Set(26, []byte(t.config.Checks.Category))
	e.Set(32, s.institution)
	e.Set(37, []byte(jobText(q.Job)))
	var fault spec.Fault
	s.scratch, fault = s.checks.dialect.Append(s.scratch[:0], nil, e)
	return fault.OK() && s.checks.dialect.Index(&s.askedAs, s.scratch).OK()
}
