package dialect

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"

	"cardswitch/spec"
)

// definition is a file as it is written. What is left out comes from its base.
type definition struct {
	Base     string           `yaml:"base"`     // another built-in dialect, or none
	Text     string           `yaml:"text"`     // ascii, cp037, cp290, cp500, cp1047, or 256 bytes
	Katakana *bool            `yaml:"katakana"` // half-width katakana in ans
	Digits   string           `yaml:"digits"`   // form of n, z and x+n
	Binary   string           `yaml:"binary"`   // form of b
	Lengths  string           `yaml:"lengths"`  // of length prefixes
	MTI      *element         `yaml:"mti"`
	Bitmap   *element         `yaml:"bitmap"`
	Elements map[int]*element `yaml:"elements"`
}

// element is what differs in one element.
type element struct {
	Class   string `yaml:"class"`   // in the standard's letters
	Length  int    `yaml:"length"`  // the largest, of a variable one
	Prefix  *int   `yaml:"prefix"`  // its digits: 0 fixed, 2 LL, 3 LLL
	Form    string `yaml:"form"`    // text, packed-left, packed-right, bytes, hex
	Lengths string `yaml:"lengths"` // ascii, ebcdic, packed, binary
	Text    string `yaml:"text"`
	Absent  bool   `yaml:"absent"` // the dialect does not have it
}

// Define reads a definition as far as a moov-io/iso8583 specification and what belongs to it.
func Define(name string, text []byte) (spec.Definition, error) {
	d, err := read(text)
	if err != nil {
		return spec.Definition{}, fmt.Errorf("dialect %s: %w", name, err)
	}
	def, err := d.build(name)
	if err != nil {
		return spec.Definition{}, fmt.Errorf("dialect %s: %w", name, err)
	}
	return def, nil
}

// read parses a file and lays it over its bases.
func read(text []byte) (*definition, error) {
	d := &definition{}
	seen := map[string]bool{}
	for {
		var f definition
		decoder := yaml.NewDecoder(bytes.NewReader(text))
		decoder.KnownFields(true)
		if err := decoder.Decode(&f); err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		d.inherit(&f)
		switch f.Base {
		case "none":
			return d, nil
		case "":
			d.inherit(standard())
			return d, nil
		}
		if seen[f.Base] {
			return nil, fmt.Errorf("base %q is a base of itself", f.Base)
		}
		seen[f.Base] = true
		base, err := builtinText(f.Base)
		if err != nil {
			return nil, fmt.Errorf("base: %w", err)
		}
		text = base
	}
}

// standard is the 1993 table as a definition. Element 65 is left out: it is reserved, and a partner
// that still takes it for the third bitmap of 1987 would read another message than we do.
func standard() *definition {
	d := &definition{Elements: map[int]*element{}}
	for n := 2; n <= 128; n++ {
		if n != 65 {
			d.Elements[n] = &element{}
		}
	}
	return d
}

// inherit fills in what d leaves out.
func (d *definition) inherit(base *definition) {
	or(&d.Text, base.Text)
	or(&d.Digits, base.Digits)
	or(&d.Binary, base.Binary)
	or(&d.Lengths, base.Lengths)
	if d.Katakana == nil {
		d.Katakana = base.Katakana
	}
	d.MTI, d.Bitmap = d.MTI.inherit(base.MTI), d.Bitmap.inherit(base.Bitmap)
	if d.Elements == nil {
		d.Elements = map[int]*element{}
	}
	for n, e := range base.Elements {
		d.Elements[n] = d.Elements[n].inherit(e)
	}
}

func (e *element) inherit(base *element) *element {
	if e == nil {
		return base
	}
	if base == nil {
		return e
	}
	both := *e
	or(&both.Class, base.Class)
	or(&both.Form, base.Form)
	or(&both.Lengths, base.Lengths)
	or(&both.Text, base.Text)
	if both.Length == 0 {
		both.Length = base.Length
	}
	if both.Prefix == nil {
		both.Prefix = base.Prefix
	}
	both.Absent = e.Absent || base.Absent
	return &both
}

func or(s *string, otherwise string) {
	if strings.TrimSpace(*s) == "" {
		*s = otherwise
	}
}
