package spec

import "bytes"

// Difference is an element that differs between two messages. Values are masked as in a Line.
type Difference struct {
	Element int    `json:"element"` // 0: the message type indicator
	Name    string `json:"name"`
	First   string `json:"first,omitempty"` // "" if the first message doesn't have it
	Second  string `json:"second,omitempty"`
	Note    string `json:"note,omitempty"` // if what differs can't be seen
}

// Diff compares what two messages say, whatever their dialects write it as.
func Diff(a, b *Message) []Difference {
	var list []Difference
	if a.MTI() != b.MTI() {
		list = append(list, Difference{Name: "message type indicator",
			First: a.MTI().String(), Second: b.MTI().String()})
	}
	first := describer{m: a, mask: newMasker(a.PAN())}
	second := describer{m: b, mask: newMasker(b.PAN())}
	all := a.Elements().Or(b.Elements())
	for n := all.Next(0); n != 0; n = all.Next(n) {
		was, is := a.Append(nil, n), b.Append(nil, n)
		if a.Has(n) == b.Has(n) && bytes.Equal(was, is) {
			continue
		}
		d := Difference{Element: n, Name: ElementOf(n).Name}
		if a.Has(n) {
			d.First = first.whole(n, was)
		}
		if b.Has(n) {
			d.Second = second.whole(n, is)
		}
		if d.First == d.Second {
			d.Note = "differs in what isn't shown"
		}
		list = append(list, d)
	}
	return list
}

// whole shows an element on one line, with its parts if it's only shown by them.
func (d *describer) whole(n int, value []byte) string {
	d.lines = d.lines[:0]
	d.element(n, value)
	text := d.lines[0].Value
	if text == "" && n != 96 {
		for _, part := range d.lines[1:] {
			text += part.Part + "=" + part.Value + " "
		}
		return trimmed(text)
	}
	if text == "" {
		return "(not shown)"
	}
	return text
}

func trimmed(text string) string { return string(bytes.TrimRight([]byte(text), " ")) }
