// Package match compares one value with a pattern that a person wrote.
package match

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Pattern is what a value is compared with. The zero Pattern matches the empty value only.
type Pattern struct {
	text  string
	verb  verb
	not   bool
	words []string
	low   uint64
	high  uint64
	re    *regexp.Regexp
}

type verb uint8

const (
	is verb = iota
	present
	absent
	prefix
	suffix
	contains
	oneOf
	between
	matches
)

// Parse reads a pattern. A text that begins with none of the words below is a plain value.
//
//	present            absent
//	is 000000          the value as it stands, for one that begins like a pattern
//	prefix 3528        suffix 13         contains ABC
//	one-of 000 001     between 1-9999    matches ^[0-9]+$
//	not ...            any of the above, turned round
func Parse(text string) (Pattern, error) {
	p := Pattern{text: text}
	word, rest, _ := strings.Cut(text, " ")
	if word == "not" {
		p.not = true
		text = rest
		word, rest, _ = strings.Cut(rest, " ")
	}
	var err error
	switch word {
	case "present", "absent":
		if p.verb = present; word == "absent" {
			p.verb = absent
		}
		if rest != "" {
			err = fmt.Errorf("%s takes no value", word)
		}
		return p, err
	case "is":
		p.verb = is
	case "prefix":
		p.verb = prefix
	case "suffix":
		p.verb = suffix
	case "contains":
		p.verb = contains
	case "one-of":
		p.verb = oneOf
	case "between":
		p.verb = between
		p.low, p.high, err = numbers(rest)
	case "matches":
		p.verb = matches
		p.re, err = regexp.Compile(rest)
	default:
		p.words = []string{text}
		return p, nil
	}
	p.words = []string{rest}
	if p.verb == oneOf {
		p.words = strings.Fields(rest)
	}
	if err == nil && rest == "" && p.verb != is {
		err = fmt.Errorf("%s needs a value", word)
	}
	return p, err
}

func numbers(text string) (low, high uint64, err error) {
	from, to, ok := strings.Cut(text, "-")
	if ok {
		low, err = strconv.ParseUint(strings.TrimSpace(from), 10, 64)
	}
	if ok && err == nil {
		high, err = strconv.ParseUint(strings.TrimSpace(to), 10, 64)
	}
	if !ok || err != nil {
		return 0, 0, fmt.Errorf("between: write two numbers, such as 1-9999")
	}
	return low, high, nil
}

// Match compares a value; here says whether there is one at all.
func (p Pattern) Match(v string, here bool) bool {
	return p.plain(v, here) != p.not
}

func (p Pattern) plain(v string, here bool) bool {
	if p.verb == present || p.verb == absent {
		return here == (p.verb == present)
	}
	if !here {
		return false
	}
	switch p.verb {
	case prefix:
		return strings.HasPrefix(v, p.words[0])
	case suffix:
		return strings.HasSuffix(v, p.words[0])
	case contains:
		return strings.Contains(v, p.words[0])
	case oneOf:
		return slices.Contains(p.words, v)
	case between:
		n, err := strconv.ParseUint(v, 10, 64)
		return err == nil && n >= p.low && n <= p.high
	case matches:
		return p.re.MatchString(v)
	}
	return len(p.words) == 0 && v == "" || len(p.words) > 0 && v == p.words[0]
}

// Plain is the value of a pattern that wants exactly one.
func (p Pattern) Plain() (string, bool) {
	if p.verb != is || p.not || len(p.words) == 0 {
		return "", false
	}
	return p.words[0], true
}

// String is the pattern as it was written.
func (p Pattern) String() string { return p.text }
