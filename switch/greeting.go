package cardswitch

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"cardswitch/spec"
	"cardswitch/spec/rule"
	"cardswitch/store/journal"
	"cardswitch/switch/link"
	"cardswitch/switch/service/network"
	"cardswitch/switch/txn"
)

// greeting is the network management of a node that isn't active, on connections to one issuer
// that it keeps ready (reference iso8583-1993 section 1.1). It has no journal to write: the sign-on
// comes into it when the node takes over.
type greeting struct {
	dialect     *spec.Dialect
	zone        *time.Location
	rules       *rule.Rules
	echo        link.Echo
	institution []byte // DE 93
	own         []byte // DE 94
	codes       *earlyCodes
	agreed      string // of codes

	mu    sync.Mutex
	edit  spec.Edit
	asked map[uint64]link.Duty // by trace number, and not answered
}

// mostUnanswered bounds what is remembered of a center that answers nothing.
const mostUnanswered = 8

// greeting is what the standbys' connections of a link say; nil: nothing. Own is the switch's
// institution. The active node, which says none of it, needs no keys.
func (l *LinkConfig) greeting(c *CenterConfig, own string, d *spec.Dialect, keys EarlyKeys) (
	link.Greeting, error) {
	if !l.SignOnEarly {
		return nil, nil
	}
	g := &greeting{dialect: d, institution: []byte(c.Institution), own: []byte(own),
		echo:   link.Echo{After: c.Echo.After, Wait: c.Echo.Wait, Misses: c.Echo.Misses},
		agreed: c.Security.print(), asked: make(map[uint64]link.Duty)}
	var err error
	if g.codes, err = c.earlyCodes(d, keys); err != nil {
		return nil, err
	}
	if g.zone, err = time.LoadLocation(c.Timezone); err != nil {
		return nil, err
	}
	g.rules, err = rule.Standard().With(c.Rules.Require, c.Rules.Relax)
	return g, err
}

// Print is link's.
func (g *greeting) Print() string {
	return fmt.Sprintf("%x|%s|%+v|%s|%s|%s", g.dialect.Fingerprint(), g.zone, g.echo,
		g.institution, g.own, g.agreed)
}

// Echo is link's.
func (g *greeting) Echo() link.Echo { return g.echo }

// Ask is link's.
func (g *greeting) Ask(ctx context.Context, duty link.Duty) ([]byte, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	// Not one of the active node's in the same second, as far as chance allows.
	stan := uint64(now.UnixMicro())%999_999 + 1
	askManagement(&g.edit, stan, now.In(g.zone), functionOf(duty), g.institution, g.own)
	frame, fault := g.dialect.Append(nil, nil, &g.edit)
	if !fault.OK() {
		return nil, fmt.Errorf("network management cannot be written: %w; check `institution` and "+
			"the dialect", fault.Err())
	}
	frame, err := g.codes.protect(ctx, frame)
	if err != nil {
		return nil, err
	}
	if len(g.asked) == mostUnanswered {
		clear(g.asked)
	}
	g.asked[stan] = duty
	return frame, nil
}

// askManagement makes an 1804 in e. At is in the center's zone.
func askManagement(e *spec.Edit, stan uint64, at time.Time, function uint16,
	institution, own []byte) {
	e.Reset()
	e.SetMTI(0x1804)
	e.SetNumber(11, stan)
	e.Set(12, at.AppendFormat(nil, "060102150405"))
	e.SetNumber(24, uint64(function))
	if len(institution) > 0 {
		e.Set(93, institution)
	}
	e.Set(94, own)
}

// Hear is link's.
func (g *greeting) Hear(ctx context.Context, frame []byte) (reply []byte, done link.Duty,
	err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	var m spec.Message
	if fault := g.dialect.Index(&m, frame); !fault.OK() {
		return nil, link.Nothing, fmt.Errorf("what came can't be read: %w", fault.Err())
	}
	function, _ := m.Number(24)
	switch m.MTI() {
	case 0x1814:
		done, err = g.answered(ctx, &m)
		return nil, done, err
	case 0x1804, 0x1805:
		if function == network.Echo {
			reply, err = g.reply(ctx, &m)
			return reply, link.Nothing, err
		}
	}
	return nil, link.Nothing, fmt.Errorf("the center sent %s with function code %03d, which only "+
		"the active node may answer; leave out sign_on_early for a center that asks on it",
		m.MTI(), function)
}

// answered takes the answer to something that we asked; what nobody waits for is passed over.
func (g *greeting) answered(ctx context.Context, m *spec.Message) (link.Duty, error) {
	stan, _ := m.Number(11)
	duty, ok := g.asked[stan]
	if !ok {
		return link.Nothing, nil
	}
	if err := g.codes.check(ctx, m); err != nil {
		return link.Nothing, err
	}
	delete(g.asked, stan)
	if network.Answer(int(functionOf(duty)), m.ActionCode()).Reason != txn.NetworkDone {
		return link.Nothing, fmt.Errorf("the center refused our %s with action code %03d", duty,
			m.ActionCode())
	}
	return duty, nil
}

// reply is the answer to the center's echo test.
func (g *greeting) reply(ctx context.Context, m *spec.Message) ([]byte, error) {
	if err := g.codes.check(ctx, m); err != nil {
		return nil, err
	}
	g.edit.Reset()
	g.edit.SetMTI(m.MTI().Response())
	g.edit.KeepOnly(g.rules.Echo(0x1814))
	if g.codes != nil { // what is about keys of the question stays behind
		for _, n := range [...]int{53, 64, 128} {
			g.edit.Remove(n)
		}
	}
	g.edit.SetNumber(39, uint64(txn.NetworkDone.Action()))
	out, fault := g.dialect.Append(nil, m, &g.edit)
	if !fault.OK() {
		return nil, errors.New("an echo test can't be answered: " + fault.String())
	}
	return g.codes.protect(ctx, out)
}

// signOnAgain says the sign-on once more, ahead of the first question and without waiting for the
// answer: a center that has one sign-on for all its connections was signed off by the node that
// handed over. It is called before the link counts as signed on, so nothing overtakes it.
func (s *Switch) signOnAgain(l *link.Link) {
	if _, err := s.manage(l, network.SignOn); err != nil {
		s.log.Error("a sign-on cannot be sent", "center", l.Center().Name(), "error", err.Error(),
			"hint", "check `institution` and the dialect")
	}
}

// keepWords brings into the journal what was said on a connection before this node was the active
// one. The messages have their own times; the records have the present one.
func (s *Switch) keepWords(l *link.Link, words *link.Words) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.centers[l.Center().ID()]
	var m spec.Message
	if c == nil || !c.dialect.Index(&m, words.Question).OK() {
		return // can't be: it is of this center, and ours
	}
	stan, _ := m.Number(11)
	now := s.now()
	s.images, s.cuts = s.images[:0], s.cuts[:0]
	s.rec = journal.Record{At: now, Kind: journal.Originated, MTI: m.MTI(), Dest: c.id,
		STAN: uint32(stan), Function: network.SignOn}
	s.addMessage(&s.rec, journal.Request, l.ID(), c, &m, nil, 0)
	asked := s.pending.batch.Append(&s.rec)
	if !c.dialect.Index(&m, words.Answer).OK() {
		return // can't be: it was read
	}
	s.images, s.cuts = s.images[:0], s.cuts[:0]
	s.rec = journal.Record{At: now, Kind: journal.Closed, Txn: asked, MTI: m.MTI(), Dest: c.id,
		STAN: uint32(stan), Action: uint16(m.ActionCode()), Reason: uint16(txn.NetworkDone)}
	s.addMessage(&s.rec, journal.Answer, l.ID(), c, &m, nil, 0)
	s.pending.batch.Append(&s.rec)
	s.kick()
}
