package scenario

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"cardswitch/conformance/format"
	"cardswitch/conformance/match"
)

func (r *run) send(s *Step, p *party) error {
	m := format.New(s.mti)
	if s.like != "" {
		if a, ok := r.named[s.like]; ok {
			m = a.message.Clone().As(s.mti)
		} else if err := r.apply(m, p.format, r.scenario.templates[s.like].fields); err != nil {
			return fmt.Errorf("template %s: %w", s.like, err)
		}
	}
	if err := r.apply(m, p.format, s.fields); err != nil {
		return err
	}
	return r.sent(s, p, arrival{message: m})
}

func (r *run) repeat(s *Step, p *party) error {
	m := p.lastSent()
	if s.to != "" {
		m = r.named[s.to].message
	}
	if m == nil {
		return fmt.Errorf("%s has sent nothing that could be repeated", p.name)
	}
	m = m.Clone().As(format.Repeat(m.MTI))
	if err := r.apply(m, p.format, s.fields); err != nil {
		return err
	}
	return r.sent(s, p, arrival{message: m})
}

func (r *run) answer(s *Step, p *party) error {
	question := p.last
	if s.to != "" {
		question = r.named[s.to]
	}
	if question.message == nil {
		return fmt.Errorf("%s has expected nothing that could be answered", p.name)
	}
	m := format.Answer(question.message, s.mti)
	if question.message.MTI[2] == '0' && strings.HasPrefix(s.mti, "0") {
		m.Set(38, "A"+question.message.Get(11)[1:]) // an approval has its code
	}
	if err := r.apply(m, p.format, s.fields); err != nil {
		return err
	}
	return r.sent(s, p, arrival{message: m, conn: question.conn})
}

func (r *run) sent(s *Step, p *party, a arrival) error {
	if s.name != "" {
		r.named[s.name] = a
	}
	r.note(p, "->", a.message)
	return p.send(a.conn, a.message)
}

func (r *run) bytes(s *Step, p *party) error {
	c := p.connection()
	if c == nil {
		return errors.New("there is no connection")
	}
	r.log = append(r.log, fmt.Sprintf("%s -> %d bytes", p.name, len(s.bytes)))
	if s.verb == "frame" {
		return c.SendFrame(s.bytes)
	}
	return c.SendBytes(s.bytes)
}

// manage sends an 1804 and expects it to be accepted.
func (r *run) manage(ctx context.Context, p *party, function string) error {
	m := format.New("1804")
	for _, line := range []struct {
		element int
		value   string
	}{{11, "{stan}"}, {12, "{now}"}, {24, function}, {93, "{switch}"}, {94, "{institution}"}} {
		v, err := r.expand(line.value)
		if err != nil {
			return err
		}
		m.Set(line.element, v)
	}
	r.note(p, "->", m)
	if err := p.send(nil, m); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, r.session.target.Patience)
	defer cancel()
	a, err := p.take(ctx, func(a arrival) bool {
		return a.fault == nil && a.message.MTI == "1814" && a.message.Get(11) == m.Get(11)
	})
	if err != nil {
		return err
	}
	r.note(p, "<-", a.message)
	if a.message.Get(39) != "800" {
		return fmt.Errorf("answered %s", a.message.Get(39))
	}
	return nil
}

func (r *run) expect(ctx context.Context, s *Step, p *party) error {
	span := s.span
	if span == 0 {
		span = r.session.target.Patience
	}
	switch s.mti {
	case "nothing":
		a, quiet := p.quiet(ctx, span)
		if !quiet && a.fault == nil {
			return fmt.Errorf("got %v", a.message)
		} else if !quiet {
			return fmt.Errorf("got an unreadable message: %w", a.fault)
		}
		return nil
	case "closed":
		ctx, cancel := context.WithTimeout(ctx, span)
		defer cancel()
		if !p.untilClosed(ctx) {
			return errors.New("the connection is still open")
		}
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, span)
	defer cancel()
	pick, err := r.pick(s)
	if err != nil {
		return err
	}
	a, err := p.take(ctx, pick)
	if err != nil {
		return err
	}
	if a.fault != nil {
		return fmt.Errorf("an unreadable message: %w", a.fault)
	}
	r.note(p, "<-", a.message)
	if a.message.MTI != s.mti {
		return fmt.Errorf("a %s came", a.message.MTI)
	}
	p.last = a
	if s.name != "" {
		r.named[s.name] = a
	}
	return r.compare(s, p, a.message)
}

// pick says which message an expectation takes: the next one, or the one that where describes.
func (r *run) pick(s *Step) (func(arrival) bool, error) {
	type clause struct {
		element int
		pattern match.Pattern
	}
	var clauses []clause
	for _, f := range s.fields {
		if f.verb != "where" {
			continue
		}
		pattern, err := r.pattern(f)
		if err != nil {
			return nil, err
		}
		clauses = append(clauses, clause{f.element, pattern})
	}
	return func(a arrival) bool {
		if len(clauses) == 0 {
			return true
		}
		if a.fault != nil || a.message.MTI != s.mti {
			return false
		}
		for _, c := range clauses {
			if !c.pattern.Match(a.message.Get(c.element), a.message.Has(c.element)) {
				return false
			}
		}
		return true
	}, nil
}

func (r *run) pattern(f field) (match.Pattern, error) {
	text, err := r.expand(f.value)
	if err != nil {
		return match.Pattern{}, fmt.Errorf("line %d: %w", f.line, err)
	}
	if text, err = plain(text); err != nil {
		return match.Pattern{}, fmt.Errorf("line %d: %w", f.line, err)
	}
	return match.Parse(text)
}

// compare checks every line of an expectation, so that one look shows all that is wrong.
func (r *run) compare(s *Step, p *party, m *format.Message) error {
	var wrong failure
	for _, f := range s.fields {
		if f.verb != "set" {
			continue
		}
		if reason := r.compareOne(f, p, m); reason != "" {
			wrong = append(wrong, fmt.Sprintf("element %d: %s", f.element, reason))
		}
		if f.name != "" {
			r.kept[f.name] = m.Get(f.element)
		}
	}
	if len(wrong) > 0 {
		return wrong
	}
	return nil
}

func (r *run) compareOne(f field, p *party, m *format.Message) string {
	v, here := m.Get(f.element), m.Has(f.element)
	shown := "absent"
	if here {
		shown = m.Shown(f.element)
	}
	switch f.value {
	case "*M":
		if !here {
			return "mandatory, but absent"
		}
		return ""
	case "*A":
		if here {
			return "must be absent, but is " + shown
		}
		return ""
	case "*E":
		q := p.request(m)
		if q == nil {
			return "there is no request of " + p.name + " that this answers"
		}
		if q.Get(f.element) != v || q.Has(f.element) != here {
			return fmt.Sprintf("must be echoed, but is %s", shown)
		}
		return ""
	}
	pattern, err := r.pattern(f)
	if err != nil {
		return err.Error()
	}
	if want, ok := pattern.Plain(); ok {
		if v == p.format.Pad(f.element, want) && here {
			return ""
		}
	} else if pattern.Match(v, here) {
		return ""
	}
	want := f.value
	if f.element == 2 || f.element == 34 {
		want = "another" // the pattern may hold a card number
	}
	return fmt.Sprintf("is %s, expected %s", shown, want)
}
