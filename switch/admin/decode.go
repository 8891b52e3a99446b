package admin

import (
	"encoding/hex"
	"strconv"

	"cardswitch/spec"
	"cardswitch/store/journal"
	cardswitch "cardswitch/switch"
)

// Dialect is the format of the images that carry this number.
func (s *Server) Dialect(id uint16) (*spec.Dialect, error) { return s.archive.Dialect(id) }

// view shows the messages of one transaction.
type view struct {
	names  Names
	images *cardswitch.Images
	raw    bool
	pan    string // masked
}

func (s *Server) view(records []journal.Record, raw bool) *view {
	v := &view{names: s.Names, images: s.archive.Images(), raw: raw}
	for i := range records {
		if !records[i].PAN.IsZero() {
			v.pan = records[i].PAN.String()
		}
	}
	return v
}

func (v *view) messages(rec *journal.Record) []Message {
	var messages []Message
	for i, kept := range v.images.Add(rec) {
		messages = append(messages, v.message(&rec.Images[i], kept))
	}
	return messages
}

// message shows one as far as it can be read: what was refused for a fault is kept too.
func (v *view) message(image *journal.Image, kept *cardswitch.Kept) Message {
	shown := Message{
		Role:    image.Role.String(),
		Link:    linkName(v.names.Name(image.Link)),
		Dialect: v.names.Name(image.Dialect),
	}
	if kept.Err != nil {
		shown.Fault = kept.Err.Error()
	}
	m := &kept.Message
	if m.Dialect() == nil {
		return shown
	}
	shown.MTI = m.MTI().String()
	if v.raw {
		shown.Raw = hex.EncodeToString(m.Raw())
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
