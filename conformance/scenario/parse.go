package scenario

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Load reads every file of the patterns. Templates of one file serve the scenarios of all.
func Load(files fs.FS, patterns ...string) ([]*Scenario, error) {
	var all []*Scenario
	var faults []error
	templates := make(map[string]template)
	for _, pattern := range patterns {
		names, err := fs.Glob(files, pattern)
		if err == nil && len(names) == 0 {
			err = fmt.Errorf("no file matches %q", pattern)
		}
		if err != nil {
			faults = append(faults, err)
		}
		for _, name := range names {
			text, err := fs.ReadFile(files, name)
			if err != nil {
				faults = append(faults, err)
				continue
			}
			p := parser{file: name, templates: templates}
			p.parse(string(text))
			all = append(all, p.scenarios...)
			faults = append(faults, p.faults...)
		}
	}
	for _, s := range all {
		faults = append(faults, s.check()...)
	}
	return all, errors.Join(faults...)
}

// Parse reads the scenarios of one text.
func Parse(name, text string) ([]*Scenario, error) {
	p := parser{file: name, templates: make(map[string]template)}
	p.parse(text)
	for _, s := range p.scenarios {
		p.faults = append(p.faults, s.check()...)
	}
	return p.scenarios, errors.Join(p.faults...)
}

type parser struct {
	file      string
	line      int
	templates map[string]template
	scenarios []*Scenario
	faults    []error
	fields    *[]field // where indented lines go
	template  string   // the template being written
}

func (p *parser) fail(format string, a ...any) {
	where := fmt.Sprintf("%s:%d: ", p.file, p.line)
	p.faults = append(p.faults, fmt.Errorf(where+format, a...))
}

func (p *parser) parse(text string) {
	for n, line := range strings.Split(text, "\n") {
		p.line = n + 1
		trimmed := strings.TrimSpace(line)
		switch {
		case trimmed == "" || trimmed[0] == '#':
		case line[0] == ' ' || line[0] == '\t':
			p.indented(trimmed)
		default:
			p.step(trimmed)
		}
	}
}

func (p *parser) indented(line string) {
	if p.fields == nil && p.template == "" {
		p.fail("an indented line belongs under a message")
		return
	}
	f, err := parseField(line)
	if err != nil {
		p.fail("%w", err)
		return
	}
	f.line = p.line
	if p.template != "" {
		t := p.templates[p.template]
		t.fields = append(t.fields, f)
		p.templates[p.template] = t
		return
	}
	*p.fields = append(*p.fields, f)
}

func parseField(line string) (field, error) {
	f := field{text: line, verb: "set"}
	word, rest, _ := strings.Cut(line, " ")
	rest = strings.TrimSpace(rest)
	switch word {
	case "without", "tail":
		f.verb, f.value = word, rest
		return f, nil
	case "where":
		f.verb = word
		word, rest, _ = strings.Cut(rest, " ")
		rest = strings.TrimSpace(rest)
	}
	n, err := strconv.Atoi(word)
	if err != nil || n < 2 || n > 128 {
		return f, fmt.Errorf("%q: write an element number from 2 to 128 and a value", line)
	}
	f.element = n
	if at := strings.LastIndex(rest, " as "); at >= 0 && isName(rest[at+4:]) {
		rest, f.name = strings.TrimSpace(rest[:at]), rest[at+4:]
	}
	f.value = rest
	if rest == "" {
		return f, fmt.Errorf("element %d has no value; write \"\" for an empty one", n)
	}
	return f, nil
}

func isName(word string) bool {
	return word != "" && !strings.ContainsAny(word, " .{}\"")
}

func (p *parser) step(line string) {
	p.fields, p.template = nil, ""
	if title, ok := strings.CutPrefix(line, "scenario:"); ok {
		p.scenarios = append(p.scenarios, &Scenario{
			Title: strings.TrimSpace(title), File: p.file, Line: p.line, templates: p.templates,
		})
		return
	}
	words := strings.Fields(line)
	if words[0] == "message" {
		if len(words) != 3 || len(words[2]) != 4 {
			p.fail("write: message NAME MTI")
			return
		}
		p.template = words[1]
		p.templates[p.template] = template{mti: words[2]}
		return
	}
	if len(p.scenarios) == 0 {
		p.fail("%q stands before the first \"scenario:\"", words[0])
		return
	}
	if line == "needs katakana" {
		p.scenarios[len(p.scenarios)-1].katakana = true
		return
	}
	if line == "needs keys" {
		p.scenarios[len(p.scenarios)-1].keys = true
		return
	}
	if words[0] == "needs" {
		sc := p.scenarios[len(p.scenarios)-1]
		sc.needs = append(sc.needs, words[1:]...)
		return
	}
	s := Step{Line: p.line, Text: line, verb: words[0]}
	if err := s.read(words[1:]); err != nil {
		p.fail("%s: %w", words[0], err)
	}
	sc := p.scenarios[len(p.scenarios)-1]
	sc.Steps = append(sc.Steps, s)
	if slices.Contains([]string{"send", "repeat", "expect", "answer"}, s.verb) {
		p.fields = &sc.Steps[len(sc.Steps)-1].fields
	}
}

// read takes the words behind a step's verb.
func (s *Step) read(words []string) error {
	if s.verb == "wait" {
		return s.duration(words)
	}
	if len(words) == 0 {
		return errors.New("name the party")
	}
	s.party, words = words[0], words[1:]
	switch s.verb {
	case "connect":
		return s.connect(words)
	case "send", "expect", "answer", "allow":
		if len(words) == 0 {
			return errors.New("say which message: an MTI, or an action code for answer")
		}
		s.mti, words = words[0], words[1:]
		return s.options(words)
	case "repeat", "use-key":
		return s.options(words)
	case "new-key", "take-key":
		if err := s.options(words); err != nil || s.name != "" {
			return err
		}
		return errors.New("give the key a name: as NAME")
	case "bytes", "frame":
		b, err := hex.DecodeString(strings.Join(words, ""))
		if err != nil || len(b) == 0 {
			return errors.New("write the bytes in hex")
		}
		s.bytes = b
		return nil
	case "sign-on", "sign-off", "echo", "close", "cut":
		if len(words) > 0 {
			return fmt.Errorf("%q is too much", words[0])
		}
		return nil
	}
	return errors.New("there is no such step")
}

func (s *Step) connect(words []string) error {
	if len(words) < 2 || words[0] != "as" || words[1] != "merchant" && words[1] != "issuer" {
		return errors.New("write: connect PARTY as merchant, or as issuer")
	}
	s.role = words[1]
	for _, word := range words[2:] {
		if word == "manual" {
			s.manual = true
		} else {
			s.to = word
		}
	}
	return nil
}

func (s *Step) options(words []string) error {
	for len(words) > 0 {
		if len(words) == 1 {
			return fmt.Errorf("%s needs a word behind it", words[0])
		}
		switch words[0] {
		case "like":
			s.like = words[1]
		case "as":
			s.name = words[1]
		case "to", "of":
			s.to = words[1]
		case "within", "for":
			if err := s.duration(words[1:2]); err != nil {
				return err
			}
		default:
			return fmt.Errorf("%q isn't understood here", words[0])
		}
		words = words[2:]
	}
	return nil
}

func (s *Step) duration(words []string) error {
	if len(words) != 1 {
		return errors.New("write a time such as 300ms or 2s")
	}
	d, err := time.ParseDuration(words[0])
	if err != nil || d <= 0 {
		return fmt.Errorf("%q is no time; write one such as 300ms or 2s", words[0])
	}
	s.span = d
	return nil
}
