package issuer

import (
	"fmt"
	"time"

	"cardswitch/conformance/format"
	"cardswitch/conformance/ledger"
	"cardswitch/conformance/wire"
)

// received takes one message of a link. It books first and speaks afterwards: what an issuer
// has booked stands, whether or not its answer arrives.
func (i *Issuer) received(l *line, c *wire.Conn, m *format.Message) {
	if i.options.Observe != nil {
		i.options.Observe(l.Name, m)
	}
	switch {
	case i.silent.Load():
		i.count(func(s *Stats) { s.Ignored++ })
	case m.IsResponse():
		i.answered(l, m)
	case !m.IsRequest():
		i.count(func(s *Stats) { s.Notifications++ })
	case m.MTI[1] == '8':
		i.network(l, c, m)
	case i.refusing.Load(), i.options.RequireSignOn && !l.signedOn.Load():
		i.send(c, format.Answer(m, "910"))
	case m.MTI[1] == '5':
		i.compared(c, m)
	default:
		i.business(l, c, m)
	}
}

// business follows the rules for one request, advice or reversal.
func (i *Issuer) business(l *line, c *wire.Conn, m *format.Message) {
	do := i.rule(m)
	if do.Away != nil {
		i.Absent(*do.Away)
	}
	if do.Ignore {
		i.count(func(s *Stats) { s.Ignored++ })
		return
	}
	delay := i.options.Latency
	if do.Delay != nil {
		delay = *do.Delay
	}
	if do.Action == "" && i.guard.HasPIN(m) {
		do.Action = i.tried(m)
	}
	if do.Refuse == "" && i.sealed(m) {
		do.Refuse = "915"
	}
	var answer *format.Message
	if answer = format.Answer(m, do.Refuse); do.Refuse == "" {
		answer = i.book(m, do)
	}
	for n, v := range do.Set {
		answer.Set(n, i.format.Pad(n, v))
	}
	for _, n := range do.Drop {
		answer.Remove(n)
	}
	wait := i.draw(delay)
	if wait == 0 {
		i.deliver(l, c, answer, do)
		return
	}
	time.AfterFunc(wait, func() { i.deliver(l, c, answer, do) })
}

// tried is the action code for a message's PIN: none for a right one.
func (i *Issuer) tried(m *format.Message) string {
	right, err := i.guard.PIN(m)
	switch {
	case err != nil:
		i.count(func(s *Stats) { s.UnreadablePINs++ })
		i.options.Logger.Warn("a PIN block can't be opened", "issuer", i.options.Name, "error", err)
		return "126"
	case !right:
		i.count(func(s *Stats) { s.WrongPINs++ })
		return "117"
	}
	i.count(func(s *Stats) { s.RightPINs++ })
	return ""
}

// rule finds what to do with a message.
func (i *Issuer) rule(m *format.Message) Do {
	i.mu.Lock()
	defer i.mu.Unlock()
	for n := range i.rules {
		r := &i.rules[n]
		if r.When.holds(m) && (r.Chance == 0 || i.random.Float64() < r.Chance) {
			return r.Do
		}
	}
	return Do{}
}

// book writes the message into the ledger and makes its answer.
func (i *Issuer) book(m *format.Message, do Do) *format.Message {
	var p ledger.Posting
	var v ledger.Verdict
	if m.MTI[1] == '4' {
		p, v = i.options.Ledger.Reverse(m, i.options.UnknownOriginal)
	} else {
		p, v = i.options.Ledger.Ask(m, func() ledger.Decision { return i.decide(m, do) })
	}
	if v == ledger.First && do.Book != "" {
		i.options.Ledger.Falsify(p.Key, do.Book)
	}
	if v == ledger.Conflict {
		return format.Answer(m, "913")
	}
	a := format.Answer(m, p.Action)
	i.dated(a, &p)
	if p.Approval != "" && p.State != ledger.Declined && m.MTI[2] == '0' {
		a.Set(38, p.Approval)
	}
	if m.MTI[2] == '0' && p.State == ledger.Approved && p.Live != p.Amount {
		a.Set(4, fmt.Sprintf("%012d", p.Live))
		a.Set(30, fmt.Sprintf("%012d%012d", p.Amount, 0))
	}
	return a
}

func (i *Issuer) decide(m *format.Message, do Do) ledger.Decision {
	d := ledger.Decision{Action: do.Action, Amount: do.Amount}
	if d.Amount >= m.Number(4) {
		d.Amount = 0 // nobody gets more than he asks for
	}
	switch {
	case d.Action == "" && m.MTI[2] == '2':
		d.Action = i.options.AdviceAction
	case d.Action == "" && d.Amount > 0:
		d.Action = "002"
	case d.Action == "":
		d.Action = "000"
	}
	if m.MTI[2] == '2' { // it tells of an approval that somebody else gave
		d.Approval = m.Get(38)
	}
	if m.MTI[2] == '0' && d.Action[0] == '0' {
		d.Approval = fmt.Sprintf("%06d", i.approval.Add(1)%1000000)
	}
	return d
}

// sealed tells whether a message counts in a day that is agreed, and no such is taken.
func (i *Issuer) sealed(m *format.Message) bool {
	if i.calendar == nil || i.options.Days.Sealed != "refuse" {
		return false
	}
	_, _, agreed := i.calendar.standing(m.Get(28))
	return agreed
}

// deliver sends an answer, or whatever the rule puts in its place.
func (i *Issuer) deliver(l *line, c *wire.Conn, answer *format.Message, do Do) {
	if do.Cut == "before" {
		i.count(func(s *Stats) { s.Cuts++ })
		c.Cut()
		return
	}
	switch do.Answer {
	case "never":
		i.count(func(s *Stats) { s.Silent++ })
	case "garbage":
		if err := c.SendBytes([]byte("1210 this is no message")); err != nil {
			i.lost(l, err)
		}
	case "twice":
		i.send(c, answer)
		i.send(c, answer)
	default:
		i.send(c, answer)
	}
	if do.Cut == "after" {
		i.count(func(s *Stats) { s.Cuts++ })
		c.Cut()
	}
}

func (i *Issuer) send(c *wire.Conn, m *format.Message) {
	if err := c.Send(m); err != nil {
		i.count(func(s *Stats) { s.Undelivered++ })
		return
	}
	i.count(func(s *Stats) { s.Answered++ })
}
