package issuer

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"cardswitch/conformance/format"
	"cardswitch/conformance/ledger"
	"cardswitch/conformance/match"
)

// Rule is one line of an issuer's behaviour: the first whose conditions all hold is followed.
//
//   - name: no funds
//     when: {mti: one-of 1100 1200, de4: suffix 13}
//     do: {action: 116, delay: 5ms..30ms}
type Rule struct {
	Name   string    `yaml:"name"`
	When   Condition `yaml:"when"`
	Chance float64   `yaml:"chance"` // followed with this probability; 0 means always
	Do     Do        `yaml:"do"`
}

// Condition compares elements with patterns (package match). mti is compared without its
// repeat mark.
type Condition []clause

type clause struct {
	element int // 0: the MTI
	pattern match.Pattern
}

// Do is what happens to a message. All of it is optional.
type Do struct {
	Action string         `yaml:"action"` // action code; approved if none is given
	Amount int64          `yaml:"amount"` // approve only this much, with 002
	Delay  *Delay         `yaml:"delay"`  // before the answer leaves
	Answer string         `yaml:"answer"` // once (default), never, twice, garbage
	Cut    string         `yaml:"cut"`    // before or after the answer, reset the connection
	Away   *Absence       `yaml:"away"`   // and then go away, as "drop 30s"
	Ignore bool           `yaml:"ignore"` // not even read: no posting, no answer
	Refuse string         `yaml:"refuse"` // answered with this action code, and not booked
	Book   string         `yaml:"book"`   // a wrong entry: drop, double or change
	Set    map[int]string `yaml:"set"`    // elements of the answer
	Drop   []int          `yaml:"drop"`   // elements the answer leaves out
}

// ParseRules reads a YAML list of rules.
func ParseRules(r io.Reader) ([]Rule, error) {
	var rules []Rule
	d := yaml.NewDecoder(r)
	d.KnownFields(true)
	if err := d.Decode(&rules); err != nil && err != io.EOF {
		return nil, fmt.Errorf("rules: %w", err)
	}
	for i := range rules {
		if err := rules[i].Do.check(); err != nil {
			return nil, fmt.Errorf("rule %d (%s): %w", i+1, rules[i].Name, err)
		}
	}
	return rules, nil
}

// UnmarshalYAML reads the conditions as they are written: 000113 stays six characters.
func (c *Condition) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: write when as {de4: suffix 13}", node.Line)
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		name, value := node.Content[i].Value, node.Content[i+1]
		cl := clause{}
		if name != "mti" {
			n, err := strconv.Atoi(strings.TrimPrefix(name, "de"))
			if err != nil || n < 2 || n > 128 {
				return fmt.Errorf("line %d: no element %q; write mti or de2 to de128",
					value.Line, name)
			}
			cl.element = n
		}
		var err error
		if cl.pattern, err = match.Parse(value.Value); err != nil {
			return fmt.Errorf("line %d: %s: %w", value.Line, name, err)
		}
		*c = append(*c, cl)
	}
	return nil
}

// When builds a condition in code: When("mti", "1200", "de4", "suffix 13").
func When(pairs ...string) (Condition, error) {
	node := yaml.Node{Kind: yaml.MappingNode}
	for _, text := range pairs {
		node.Content = append(node.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: text})
	}
	var c Condition
	err := c.UnmarshalYAML(&node)
	return c, err
}

func (c Condition) holds(m *format.Message) bool {
	return !slices.ContainsFunc(c, func(cl clause) bool {
		if cl.element == 0 {
			return !cl.pattern.Match(format.Original(m.MTI), true)
		}
		return !cl.pattern.Match(m.Get(cl.element), m.Has(cl.element))
	})
}

func (d *Do) check() error {
	if !slices.Contains([]string{"", "once", "never", "twice", "garbage"}, d.Answer) {
		return fmt.Errorf("answer %q; choose once, never, twice or garbage", d.Answer)
	}
	if !slices.Contains([]string{"", "before", "after"}, d.Cut) {
		return fmt.Errorf("cut %q; choose before or after", d.Cut)
	}
	if !slices.Contains([]string{"", ledger.Drop, ledger.Double, ledger.Alter}, d.Book) {
		return fmt.Errorf("book %q; choose drop, double or change", d.Book)
	}
	for _, code := range []string{d.Action, d.Refuse} {
		if code != "" && len(code) != 3 {
			return fmt.Errorf("action %q; write three digits", code)
		}
	}
	return nil
}
