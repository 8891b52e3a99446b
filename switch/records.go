package cardswitch

import (
	"cardswitch/spec"
	"cardswitch/store/journal"
	"cardswitch/switch/link"
	"cardswitch/switch/txn"
)

// record starts a journal record about an arrival, with the arrival's safe image if it has one.
func (s *Switch) record(now int64, kind journal.Kind, l *link.Link, a *arrival) *journal.Record {
	s.images, s.cuts = s.images[:0], s.cuts[:0]
	rec := &s.rec
	*rec = journal.Record{} // in place: with its fields it would be made elsewhere and copied
	rec.At, rec.Kind, rec.MTI, rec.Center = now, kind, a.mti, l.Center().ID()
	rec.Amount, rec.Processing, rec.Currency = a.amount, a.processing, a.currency
	if a.mti.Class() == 3 {
		rec.Function = uint16(a.function)
	}
	if a.msg.Has(37) {
		a.msg.Append(rec.Reference[:0], 37)
		if a.pan.ShownIn(rec.Reference[:]) {
			rec.Reference = [12]byte{} // it stands in the index, in clear
		}
	}
	if image := a.image(); len(image) > 0 {
		rec.Images[0] = journal.Image{Role: journal.Request, Link: l.ID(),
			Dialect: s.centers[rec.Center].dialectID, Data: image, Cut: a.cuts()}
		rec.ImageCount = 1
	}
	return rec
}

// addImage adds a message that the switch made to a record: as the difference to the base message
// where both are of one dialect, whole otherwise. Both are made safe first.
func (s *Switch) addImage(rec *journal.Record, role journal.Role, on uint16, to *center,
	raw []byte, base *spec.Message, baseRole journal.Role) {
	if !to.dialect.Index(&s.made, raw).OK() {
		return // can't be: the switch wrote it
	}
	s.addMessage(rec, role, on, to, &s.made, base, baseRole)
}

func (s *Switch) addMessage(rec *journal.Record, role journal.Role, on uint16, c *center,
	m, base *spec.Message, baseRole journal.Role) {
	from, cut := len(s.images), len(s.cuts)
	if base != nil {
		s.images, s.cuts = spec.AppendDelta(s.images, s.cuts, base, m)
	} else {
		s.images = m.AppendSafe(s.images) // nothing that is sent again has no base
		baseRole = 0
	}
	rec.Add(journal.Image{Role: role, Base: baseRole, Link: on, Dialect: c.dialectID,
		Data: s.images[from:len(s.images):len(s.images)], Cut: s.cuts[cut:len(s.cuts):len(s.cuts)]})
}

// addEdited adds what s.edit made of base: raw, in the dialect of c. Where that is base's own
// dialect, the edit itself says what has changed, and raw need not be read again.
func (s *Switch) addEdited(rec *journal.Record, role journal.Role, on uint16, c *center,
	raw []byte, base *spec.Message, baseRole journal.Role) {
	if !base.Dialect().Same(c.dialect) {
		s.addImage(rec, role, on, c, raw, base, baseRole)
		return
	}
	from := len(s.images)
	s.images = s.edit.AppendDelta(s.images, base)
	rec.Add(journal.Image{Role: role, Base: baseRole, Link: on, Dialect: c.dialectID,
		Data: s.images[from:len(s.images):len(s.images)]})
}

// addOwed adds the owed message in s.scratch, which s.edit made of base. One in which the switch
// has put the card number is read again, so that it is blanked.
func (s *Switch) addOwed(rec *journal.Record, dest *center, base *spec.Message, named bool) {
	if named {
		s.addImage(rec, journal.Advice, 0, dest, s.scratch, base, journal.Request)
		return
	}
	s.addEdited(rec, journal.Advice, 0, dest, s.scratch, base, journal.Request)
}

// nameCard puts the card number into element 2 of the edited message if it came by a track only:
// tracks may not be kept, and the issuer must know the card.
func (s *Switch) nameCard(m *spec.Message, pan spec.PAN) bool {
	if pan.IsZero() || m.Has(2) || m.Has(34) {
		return false
	}
	s.edit.Set(2, pan.AppendReveal(s.value[:0]))
	return true
}

// reply builds the switch's own answer to a request, adds its image to the record and releases
// it to the connection that asked. false when no answer can be made of what was readable.
func (s *Switch) reply(l *link.Link, c *center, m *spec.Message, a *arrival, action uint16,
	rec *journal.Record, more ...element) bool {
	from, ok := s.writeReply(c, m, a.mti, action, a.fault, more...)
	if !ok {
		return false
	}
	if len(a.image()) == 0 {
		m = nil
	}
	s.addReply(rec, l.ID(), c, s.pending.out[from:], m, journal.Request)
	kind := sendAnswer
	if a.mti.Class() == 8 { // network management is about its connection
		kind = sendHere
	}
	s.pending.effects = append(s.pending.effects, effect{kind: kind, link: l, to: c,
		prefix: a.in.Prefix, from: from, end: len(s.pending.out)})
	return true
}

// element is one that an answer or a request of ours has beside the usual ones.
type element struct {
	number int
	value  []byte
}

// writeReply appends the switch's own answer to a request to pending.out. A fault of the request is
// named in element 44, for the partner's engineer.
func (s *Switch) writeReply(c *center, m *spec.Message, mti spec.MTI, action uint16,
	f spec.Fault, more ...element) (from int, ok bool) {
	from = len(s.pending.out)
	s.edit.Reset()
	s.edit.SetMTI(mti.Response())
	s.edit.KeepOnly(c.rules.Echo(mti.Response()))
	s.edit.SetNumber(39, uint64(action))
	if !f.OK() {
		text := f.String()
		s.edit.Set(44, []byte(text[:min(len(text), 99)]))
	}
	for _, e := range more {
		s.edit.Set(e.number, e.value)
	}
	var fault spec.Fault
	s.pending.out, fault = c.dialect.Append(s.pending.out, s.shown(c, m), &s.edit)
	if !fault.OK() {
		s.pending.out = s.pending.out[:from]
		return from, false
	}
	return from, true
}

// answerable tells whether enough of a message could be read to answer it: what the answer must
// echo for the sender to match it.
func (a *arrival) answerable() bool {
	return a.mti.Response() != 0 && a.msg.Has(11) && a.msg.Has(12)
}

// remember notes a question; the oldest are forgotten, the store still finds them.
func (s *Switch) remember(c *center, k journal.Key, q txn.Question) txn.Place {
	if k == (journal.Key{}) {
		return 0
	}
	for deferred := 0; s.questions.Full(); {
		oldest, known := s.questions.Oldest()
		if !known.Flags.Has(txn.Ended) && deferred < s.questions.Len() {
			s.questions.Defer() // open ones are few: the windows bound them
			deferred++
			continue
		}
		s.questions.Forget()
		if from := s.centers[oldest.Center()]; from != nil {
			from.forgotten = max(from.forgotten, oldest.LocalTime())
		}
	}
	return s.questions.Add(k, q)
}
