package scenario

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"cardswitch/conformance/format"
	"cardswitch/conformance/keychange"
	"cardswitch/conformance/wire"
)

// run is one scenario being played.
type run struct {
	session  *Session
	scenario *Scenario
	parties  map[string]*party
	named    map[string]arrival
	kept     map[string]string
	keys     map[string]keychange.Key
	log      []string
	begun    time.Time
}

// failure is everything that was wrong with one step.
type failure []string

func (f failure) Error() string { return strings.Join(f, "; ") }

func (s *Session) play(ctx context.Context, sc *Scenario) Result {
	r := &run{
		session: s, scenario: sc, begun: time.Now(),
		parties: make(map[string]*party),
		named:   make(map[string]arrival),
		kept:    make(map[string]string),
		keys:    make(map[string]keychange.Key),
	}
	result := Result{Scenario: sc.Title, File: sc.File, Line: sc.Line, Outcome: Passed}
	if reason := s.missing(sc); reason != "" {
		result.Outcome, result.Reasons = Skipped, []string{reason}
		return result
	}
	s.numbers.before.Store(s.numbers.rrn)
	defer r.end()
	for i := range sc.Steps {
		if err := r.step(ctx, &sc.Steps[i]); err != nil {
			r.fail(&result, &sc.Steps[i], err)
			break
		}
	}
	if result.Outcome == Passed {
		if err := r.leftovers(); err != nil {
			r.fail(&result, &sc.Steps[len(sc.Steps)-1], err)
			result.Step = "end of the scenario"
		}
	}
	result.Elapsed = time.Since(r.begun)
	return result
}

func (r *run) fail(result *Result, s *Step, err error) {
	result.Outcome, result.Line, result.Step = Failed, s.Line, s.Text
	result.Messages = r.log
	result.Reasons = []string{err.Error()}
	if f, ok := errors.AsType[failure](err); ok {
		result.Reasons = f
	}
}

func (s *Session) missing(sc *Scenario) string {
	for _, what := range sc.needs {
		if !slices.Contains(s.target.Does, what) {
			return "the target doesn't say that it does " + what
		}
	}
	for i := range sc.Steps {
		step := &sc.Steps[i]
		if step.verb != "connect" {
			continue
		}
		doors := s.target.Merchants
		if step.role == "issuer" {
			doors = s.target.Issuers
		}
		name, ok := choose(doors, step.to, step.party)
		if !ok {
			return "the target has no " + step.role + "'s door " + name
		}
		f, err := format.Named(doors[name].Dialect)
		if sc.katakana && err == nil && !f.Katakana() {
			return "the dialect " + f.Name() + " has no katakana"
		}
		if d := doors[name]; sc.keys && (d.Envelope == nil || d.KBPK == nil) {
			return "no keys are changed with " + step.role + " " + name
		}
	}
	return ""
}

func (r *run) leftovers() error {
	var f failure
	for _, p := range r.parties {
		for _, a := range p.left() {
			if a.fault == nil && p.allowed[a.message.MTI] {
				continue
			}
			if a.fault != nil {
				f = append(f, fmt.Sprintf("%s got an unreadable message: %v", p.name, a.fault))
			} else {
				f = append(f, fmt.Sprintf("%s got what nobody expected: %v", p.name, a.message))
			}
		}
	}
	if len(f) > 0 {
		slices.Sort(f)
		return f
	}
	return nil
}

func (r *run) end() {
	for _, p := range r.parties {
		if p.station != nil {
			p.station.play(nil)
			for _, a := range p.left() {
				if a.fault == nil && a.message.IsRequest() {
					_ = a.conn.Send(automatic(a.message))
				}
			}
			continue
		}
		if c := p.connection(); c != nil {
			c.Close()
		}
	}
}

func (r *run) step(ctx context.Context, s *Step) error {
	p := r.parties[s.party]
	switch s.verb {
	case "connect":
		return r.connect(ctx, s)
	case "wait":
		select {
		case <-time.After(s.span):
		case <-ctx.Done():
		}
		return ctx.Err()
	case "sign-on":
		return r.manage(ctx, p, "801")
	case "sign-off":
		return r.manage(ctx, p, "802")
	case "echo":
		return r.manage(ctx, p, "831")
	case "send":
		return r.send(s, p)
	case "repeat":
		return r.repeat(s, p)
	case "answer":
		return r.answer(s, p)
	case "expect":
		return r.expect(ctx, s, p)
	case "bytes", "frame":
		return r.bytes(s, p)
	case "new-key", "take-key", "use-key":
		return r.key(s, p)
	case "allow":
		p.allowed[s.mti] = true
		return nil
	}
	return r.hangUp(s, p)
}

func (r *run) connect(ctx context.Context, s *Step) error {
	ctx, cancel := context.WithTimeout(ctx, r.session.target.Patience)
	defer cancel()
	doors := r.session.target.Merchants
	if s.role == "issuer" {
		doors = r.session.target.Issuers
	}
	name, _ := choose(doors, s.to, s.party)
	door := doors[name]
	f, err := format.Named(door.Dialect)
	if err != nil {
		return err
	}
	p := newParty(s.party, s.role, f, r.session.numbers)
	p.door = door
	p.manual = s.manual
	if s.role == "issuer" {
		p.station = r.session.stations[name]
		if !p.station.ready(ctx) {
			return fmt.Errorf("the host didn't connect with issuer %s", name)
		}
		p.station.play(p)
		r.parties[s.party] = p
		return nil
	}
	nc, err := r.session.target.DialFunc(ctx, door.Dial)
	if err != nil {
		return err
	}
	c, err := door.open(nc, p.arrive, func(*wire.Conn) { p.change(func() { p.closed = true }) })
	if err != nil {
		return err
	}
	p.change(func() { p.conn = c })
	r.parties[s.party] = p
	return nil
}

func (r *run) hangUp(s *Step, p *party) error {
	cut := s.verb == "cut"
	if p.station != nil {
		p.station.hangUp(cut)
		p.change(func() { p.conn = nil })
		return nil
	}
	c := p.connection()
	if cut {
		c.Cut()
	} else {
		c.Close()
	}
	return nil
}

// note keeps what was exchanged for the report. The messages mask themselves.
func (r *run) note(p *party, arrow string, m fmt.Stringer) {
	r.log = append(r.log, fmt.Sprintf("%6s %s %s %v",
		time.Since(r.begun).Round(time.Millisecond), p.name, arrow, m))
}
