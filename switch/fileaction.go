package cardswitch

import (
	"strconv"

	"cardswitch/spec"
	"cardswitch/store/journal"
	"cardswitch/store/negative"
	"cardswitch/switch/link"
	"cardswitch/switch/service/fileaction"
	"cardswitch/switch/txn"
)

// takeFile hands a message to the issuer's negative list.
func (s *Switch) takeFile(now int64, l *link.Link, c *center, a *arrival) {
	if a.mti.Class() == 8 {
		s.loadFrame(now, l, c, a)
		return
	}
	s.fileAction(now, l, c, a)
}

// messageReason is DE 25 of network management, or 0.
func (a *arrival) messageReason() int {
	if a.mti.Class() != 8 {
		return 0
	}
	n, _ := a.msg.Number(25)
	return int(n)
}

// fingerprintOf is that of a question's content.
func (a *arrival) fingerprintOf() uint32 {
	if a.mti.Class() == 3 {
		return txn.Fingerprint(a.card, 0, uint32(a.function))
	}
	return fingerprint(a.mti, a.card, a.amount, a.processing)
}

// fingerprintIn is the same from the question's record.
func fingerprintIn(r *journal.Record) uint32 {
	if r.MTI.Class() == 3 {
		return txn.Fingerprint(r.Card, 0, uint32(r.Function))
	}
	return fingerprint(r.MTI, r.Card, r.Amount, r.Processing)
}

// fileAction does what a 1304 or 1324 asks. The change, its record and that of the message are in
// one batch; its answer leaves when they are durable.
func (s *Switch) fileAction(now int64, l *link.Link, c *center, a *arrival) {
	n, owner := c.negative, c.config.Role == RoleIssuer
	if !owner {
		n = s.tables.Load().negativeFor(a)
	}
	f := fileaction.Facts{Function: a.function, Owner: owner, Kept: n != nil,
		Card: !a.pan.IsZero()}
	e := negative.Entry{Card: a.card}
	if n != nil {
		f.File = n.fileNamed(a.msg)
		f.RefuseDoubles = n.Duplicates == NegativeRefuse
		e.Terms, f.Fields = termsIn(a.msg, n.Action)
		at := n.list.Standing(&a.card, now)
		f.Urgent, f.Regular, f.Unusable = at.Urgent, at.Regular, at.Unusable
		load := n.list.Load()
		f.Load, f.Busy, f.Last = load.Open, load.Closing, load.Number
		f.Number, _ = a.msg.Number(71)
	}
	v := fileaction.Decide(f)
	d := txn.Decision{Act: txn.Acknowledge, Reason: v.Reason, Action: v.Reason.Action()}
	if v.Do == fileaction.Tell {
		at := n.list.Standing(&a.card, now)
		s.settle(now, l, c, a, d, element{72, recordOf(at.Terms)})
		return
	}
	id := s.settle(now, l, c, a, d)
	changed := journal.Record{At: now, Txn: id, Center: c.id, Reason: uint16(v.Reason)}
	switch v.Do {
	case fileaction.Enter:
		s.listChanged(n, changed, fileaction.Add, e.Card, e.Terms)
		n.list.Put(s.pending.batch, e)
	case fileaction.Remove:
		s.listChanged(n, changed, fileaction.Delete, e.Card, negative.Terms{})
		n.list.Delete(s.pending.batch, e.Card, now)
	case fileaction.Stage:
		changed.Text = " number " + strconv.FormatUint(f.Number, 10)
		s.listChanged(n, changed, fileaction.ReplaceFile, e.Card, e.Terms)
		n.list.Stage(s.pending.batch, f.Number, e)
	}
}

// negativeFor is the list of the issuer that a card goes to, nil if it keeps none.
func (t *tables) negativeFor(a *arrival) *negativeProfile {
	for _, i := range a.route.To {
		if n := t.negatives[i]; n != nil {
			return n
		}
	}
	return nil
}

// fileNamed is the file that DE 101 names; without one it is the emergency file.
func (n *negativeProfile) fileNamed(m *spec.Message) fileaction.File {
	var value [32]byte
	name := string(m.Append(value[:0], 101))
	switch {
	case name == n.Emergency || !m.Has(101):
		return fileaction.Emergency
	case name == n.Regular:
		return fileaction.Regular
	}
	return fileaction.Unknown
}

// termsIn reads the terms of an entry: the action code from the first three characters of DE 72
// (000, blanks, or nothing: the one of the profile), the reason from DE 25, the first day from DE
// 73 (YYMMDD), and the last one from the month in which the card expires (DE 14, YYMM).
func termsIn(m *spec.Message, action int) (t negative.Terms, ok bool) {
	t.Action = uint16(action)
	var value [1024]byte
	if code := m.Append(value[:0], 72); len(code) >= 3 && string(code[:3]) != "000" &&
		string(code[:3]) != "   " {
		n, err := strconv.ParseUint(string(code[:3]), 10, 16)
		if err != nil || n < 100 || n > 299 {
			return t, false
		}
		t.Action = uint16(n)
	}
	if reason, there := m.Number(25); there && reason != 0 {
		if reason < 3000 || reason > 3999 {
			return t, false
		}
		t.Reason = uint16(reason)
	}
	if from, there := m.Number(73); there && from != 0 {
		t.From, ok = negative.DayIn(2000+int(from/10000), int(from/100%100), int(from%100))
		if !ok || from%100 == 0 {
			return t, false
		}
	}
	if expiry, there := m.Number(14); there && expiry != 0 {
		if t.Until, ok = negative.DayIn(2000+int(expiry/100), int(expiry%100), 0); !ok {
			return t, false
		}
	}
	return t, t.Until == 0 || t.From <= t.Until
}

// recordOf is DE 72 of the answer to an inquiry: action code (3 digits), reason (4), first day and
// last day (YYMMDD each; zeros: none).
func recordOf(t negative.Terms) []byte {
	b := append(make([]byte, 0, 19), digits(uint64(t.Action), 3)...)
	b = append(b, digits(uint64(t.Reason), 4)...)
	for _, d := range [...]negative.Day{t.From, t.Until} {
		if d == 0 {
			b = append(b, "000000"...)
		} else {
			b = d.Time().AppendFormat(b, "060102")
		}
	}
	return b
}

// digits writes a number with leading zeros.
func digits(n uint64, width int) []byte {
	b := make([]byte, width)
	for i := width - 1; i >= 0; i-- {
		b[i] = byte('0' + n%10)
		n /= 10
	}
	return b
}

// loadFrame does what an 1804 with message reason code 8000 to 8002 asks.
func (s *Switch) loadFrame(now int64, l *link.Link, c *center, a *arrival) {
	n := c.negative
	reason, _ := a.msg.Number(25)
	f := fileaction.Frame{Reason: int(reason), Owner: n != nil, Repeat: a.mti.IsRepeat()}
	var load negative.Load
	if n != nil {
		load = n.list.Load()
		f.File = n.fileNamed(a.msg)
		f.Load, f.Busy, f.Last = load.Open, load.Closing, load.Number
		f.Same = f.Reason == fileaction.LoadEnds ||
			load.Recover == (f.Reason == fileaction.LoadBeginsAnyhow)
		f.Number, _ = a.msg.Number(71)
	}
	step, why := fileaction.DecideFrame(f)
	if step == fileaction.End {
		s.closeLoad(l, c, a, n)
		return
	}
	var more []element
	if why == txn.LoadGoesOn {
		more = append(more, element{71, digits(load.Number, 8)})
	}
	d := txn.Decision{Act: txn.Acknowledge, Reason: why, Action: why.Action()}
	id := s.settle(now, l, c, a, d, more...)
	if step != fileaction.Begin {
		return
	}
	s.rec = journal.Record{At: now, Kind: journal.Filed, Txn: id, Center: c.id, Dest: n.issuer,
		Reason: uint16(why), Text: n.Regular}
	s.pending.batch.Append(&s.rec)
	n.list.BeginLoad(s.pending.batch, negative.Load{Name: n.Regular, Began: now,
		Recover: f.Reason == fileaction.LoadBeginsAnyhow})
}
