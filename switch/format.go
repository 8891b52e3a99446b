package cardswitch

import (
	"time"

	"cardswitch/spec"
	"cardswitch/store/journal"
	"cardswitch/switch/link"
)

// notifyFormat tells a center that a message of its could not be read at all: 1644 with function
// code 650 (reference iso8583-1993 sections 1.1 and 3.2). What is wrong stands in DE 72 in words;
// the bytes themselves are not sent back, for nobody knows what is in them.
func (s *Switch) notifyFormat(now int64, l *link.Link, c *center, a *arrival,
	rec *journal.Record) {
	stan, ok := c.rows.Fresh()
	if !ok {
		return
	}
	s.edit.Reset()
	s.edit.SetMTI(0x1644)
	s.edit.SetNumber(11, uint64(stan))
	s.edit.Set(12, time.Unix(0, now).In(c.zone).AppendFormat(s.value[:0], "060102150405"))
	s.edit.SetNumber(24, 650)
	s.edit.Set(72, []byte(a.fault.String()))
	if len(c.institution) > 0 {
		s.edit.Set(93, c.institution)
	}
	s.edit.Set(94, s.institution)
	from := len(s.pending.out)
	var fault spec.Fault
	if s.pending.out, fault = c.dialect.Append(s.pending.out, nil, &s.edit); !fault.OK() {
		s.pending.out = s.pending.out[:from]
		return
	}
	s.addImage(rec, journal.Reply, l.ID(), c, s.pending.out[from:], nil, 0)
	s.pending.effects = append(s.pending.effects, effect{kind: sendHere, link: l, to: c,
		prefix: a.in.Prefix, from: from, end: len(s.pending.out)})
}
