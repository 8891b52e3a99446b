package admin

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"sync"

	"cardswitch/spec"
	"cardswitch/spec/dialect"
	"cardswitch/store/journal"
)

// decoder reads the images in the journal. The dialects it needs are in the registry, as they were
// when the message was written, whatever the configuration says by now.
type decoder struct {
	names    Names
	mu       sync.Mutex
	dialects map[uint16]*spec.Dialect
}

func (d *decoder) dialect(id uint16) (*spec.Dialect, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if known := d.dialects[id]; known != nil {
		return known, nil
	}
	definition := d.names.Definition(id)
	if definition == nil {
		return nil, fmt.Errorf("the registry has no dialect %d", id)
	}
	compiled, err := dialect.Parse(d.names.Name(id), definition)
	if err != nil {
		return nil, err
	}
	if d.dialects == nil {
		d.dialects = map[uint16]*spec.Dialect{}
	}
	d.dialects[id] = compiled
	return compiled, nil
}

// Dialect is the format of the images that carry this number.
func (s *Server) Dialect(id uint16) (*spec.Dialect, error) { return s.decoder.dialect(id) }

// view decodes the images of one transaction, of which the later ones build on the earlier.
type view struct {
	*decoder
	raw  bool
	pan  string // masked
	base map[journal.Role]*spec.Message
}

func (d *decoder) begin(records []journal.Record, raw bool) *view {
	v := &view{decoder: d, raw: raw, base: map[journal.Role]*spec.Message{}}
	for i := range records {
		if !records[i].PAN.IsZero() {
			v.pan = records[i].PAN.String()
		}
	}
	return v
}

func (v *view) messages(rec *journal.Record) []Message {
	var messages []Message
	for i := range rec.Images[:rec.ImageCount] {
		messages = append(messages, v.message(&rec.Images[i]))
	}
	return messages
}

func (v *view) message(image *journal.Image) Message {
	shown := Message{
		Role:    image.Role.String(),
		Link:    linkName(v.names.Name(image.Link)),
		Dialect: v.names.Name(image.Dialect),
	}
	d, err := v.dialect(image.Dialect)
	if err != nil {
		shown.Fault = err.Error()
		return shown
	}
	data := image.Data
	if image.Base != 0 {
		base := v.base[image.Base]
		if base == nil {
			shown.Fault = "the " + image.Base.String() + " that it builds on is missing"
			return shown
		}
		if data, err = spec.ApplyDelta(nil, base, d, image.Data); err != nil {
			shown.Fault = err.Error()
			return shown
		}
	}
	m := new(spec.Message)
	// What was refused for a fault is kept too; the elements before the fault can be read.
	if fault := d.Index(m, data); !fault.OK() {
		shown.Fault = fault.Err().Error()
	}
	v.base[image.Role] = m
	shown.MTI = m.MTI().String()
	if v.raw {
		shown.Raw = hex.EncodeToString(data)
	}
	for n := m.Elements().Next(0); n != 0; n = m.Elements().Next(n) {
		shown.Elements = append(shown.Elements, v.element(m, n))
	}
	return shown
}

func (v *view) element(m *spec.Message, n int) Element {
	about := spec.ElementOf(n)
	e := Element{Number: n, Name: about.Name}
	value := m.Append(nil, n)
	switch {
	case n == 2 || n == 34:
		e.Value = v.pan
	case n == 35 || n == 36 || n == 45 || n == 52:
		e.Value = "(not kept)"
	case about.Class == spec.ClassB:
		e.Value = hex.EncodeToString(value)
	default:
		e.Value = spec.Katakana(value)
		e.Text = meaning(n, e.Value)
	}
	return e
}

// meaning is what a code says in words.
func meaning(n int, value string) string {
	code, err := strconv.Atoi(value)
	if err != nil {
		return ""
	}
	switch n {
	case 3:
		return spec.ProcessingName(code)
	case 24:
		return spec.FunctionName(code)
	case 25:
		return spec.ReasonName(code)
	case 39:
		return spec.ActionName(code)
	}
	return ""
}
