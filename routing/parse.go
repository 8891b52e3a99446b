package routing

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"cardswitch/routing/cardrange"
)

// Parser knows the names that a routing file may use.
type Parser struct {
	Destinations []string // issuer centers; a Route names them by their place here
	Merchants    []string // merchant centers; Query.Merchant is a place here
}

// Source is one routing file.
type Source struct {
	Name string `json:"name"`
	Text []byte `json:"text"`
}

// Parse reads a table from one file. The error lists every fault.
func Parse(name string, text []byte, destinations []string) (*Table, error) {
	return Parser{Destinations: destinations}.Parse(Source{Name: name, Text: text})
}

// Parse reads a table from files, as if they were one. The error lists every fault.
func (p Parser) Parse(sources ...Source) (*Table, error) {
	if len(p.Destinations) > math.MaxUint16 || len(p.Merchants) > math.MaxUint16 {
		return nil, errors.New("more than 65535 centers")
	}
	r := reader{Parser: p, table: &Table{
		destinations: slices.Clone(p.Destinations),
		merchants:    slices.Clone(p.Merchants),
		kept:         Kept{slices.Clone(p.Destinations), slices.Clone(p.Merchants), sources},
	}}
	for _, source := range sources {
		r.file = source.Name
		r.read(source.Text)
	}
	t := r.table
	if len(t.rules) == 0 && len(r.faults) == 0 {
		r.faults.add(r.file, 0, "no ranges", "write at least one entry under ranges:")
	}
	if err := r.faults.join(); err != nil {
		return nil, err
	}
	if err := t.build(); err != nil {
		return nil, err
	}
	return t, nil
}

// build makes the index, and refuses rules between which the order of the file can't decide.
func (t *Table) build() error {
	ranges := make([]cardrange.Range, len(t.rules))
	for i := range t.rules {
		ranges[i] = t.origins[i].cards
		when := t.rules[i].when
		t.byItems = t.byItems || when != nil && len(when.companies)+len(when.kids) > 0
	}
	var err error
	if t.index, err = cardrange.Build(ranges); err != nil {
		return &Error{File: t.origins[0].file, What: err.Error(),
			Hint: "put what differs into the conditions of fewer, wider ranges"}
	}
	return t.ambiguities()
}

// reader reads files into a table and gathers what is wrong with them.
type reader struct {
	Parser
	file   string
	table  *Table
	faults faults
}

func (r *reader) read(text []byte) {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var document, second yaml.Node
	if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
		return
	} else if err != nil {
		r.syntax(err)
		return
	}
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) {
		r.fault(&second, "a second document", "put all ranges into one")
	}
	top := r.fields(document.Content[0], "ranges")
	if top == nil {
		return
	}
	for _, entry := range r.list(top["ranges"]) {
		r.entry(entry)
	}
}

// syntax tells an error of the YAML parser in our own form.
func (r *reader) syntax(err error) {
	text, line := err.Error(), 0
	if _, scan := fmt.Sscanf(text, "yaml: line %d:", &line); scan == nil {
		_, text, _ = strings.Cut(text, fmt.Sprintf("line %d: ", line))
	}
	r.faults.add(r.file, line, "not YAML: "+text, "ranges are indented under ranges:, one a line")
}

// fault blames the line of n.
func (r *reader) fault(n *yaml.Node, what, hint string) {
	r.faults.add(r.file, n.Line, what, hint)
}

// fields gives the values of a mapping by their keys, and refuses keys that aren't known.
func (r *reader) fields(n *yaml.Node, known ...string) map[string]*yaml.Node {
	if n.Kind != yaml.MappingNode {
		r.fault(n, "not a list of keys and values", "known keys: "+join(known))
		return nil
	}
	fields := make(map[string]*yaml.Node, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch {
		case !slices.Contains(known, key.Value):
			r.fault(key, fmt.Sprintf("unknown key %q", clip(key.Value)), "known keys: "+join(known))
		case fields[key.Value] != nil:
			r.fault(key, key.Value+" is given twice", "keep one of them")
		default:
			fields[key.Value] = value
		}
	}
	return fields
}

// list gives the entries of a sequence; a key that isn't there is an empty one.
func (r *reader) list(n *yaml.Node) []*yaml.Node {
	if n == nil {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		r.fault(n, "not a list", "write it as [a, b]")
		return nil
	}
	if len(n.Content) == 0 {
		r.fault(n, "an empty list", "name at least one, or leave the key out")
	}
	return n.Content
}

// text gives the text of a scalar. Numbers keep their leading zeros.
func (r *reader) text(n *yaml.Node) string {
	if n == nil {
		return ""
	}
	if n.Kind != yaml.ScalarNode || n.Value == "" {
		r.fault(n, "not a plain value", "write digits or a name in quotes")
		return ""
	}
	return n.Value
}
