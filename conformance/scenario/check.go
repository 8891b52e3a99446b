package scenario

import "fmt"

// check finds what can be known to be wrong before anything is sent.
func (s *Scenario) check() []error {
	var faults []error
	fail := func(line int, format string, a ...any) {
		where := fmt.Sprintf("%s:%d: ", s.File, line)
		faults = append(faults, fmt.Errorf(where+format, a...))
	}
	if s.Title == "" {
		fail(s.Line, "the scenario has no title")
	}
	if len(s.Steps) == 0 {
		fail(s.Line, "the scenario has no steps")
	}
	parties, messages := make(map[string]bool), make(map[string]bool)
	for i := range s.Steps {
		step := &s.Steps[i]
		if step.verb == "connect" {
			parties[step.party] = true
		} else if step.verb != "wait" && !parties[step.party] {
			fail(step.Line, "%s has not been connected", step.party)
		}
		if step.like != "" && !messages[step.like] && s.templates[step.like].mti == "" {
			fail(step.Line, "no template and no message is called %s", step.like)
		}
		if step.verb != "connect" && step.to != "" && !messages[step.to] {
			fail(step.Line, "no message is called %s", step.to)
		}
		if step.verb == "expect" && step.mti == "nothing" && step.span == 0 {
			fail(step.Line, "say for how long nothing may come: nothing for 300ms")
		}
		if step.name != "" {
			messages[step.name] = true
		}
		for _, f := range step.fields {
			if f.verb == "where" && step.verb != "expect" {
				fail(f.line, "where belongs under expect")
			}
			if (f.verb == "without" || f.verb == "tail") && step.verb == "expect" {
				fail(f.line, "%s doesn't belong under expect; write: N *A", f.verb)
			}
		}
	}
	return faults
}
