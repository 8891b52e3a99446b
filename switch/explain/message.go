package explain

import (
	"strings"

	"cardswitch/spec"
	"cardswitch/store/journal"
	cardswitch "cardswitch/switch"
)

// image is a message with the record that has it.
type image struct {
	record *journal.Record
	image  *journal.Image
	kept   *cardswitch.Kept
}

// read reads all images. Later ones build on earlier ones.
func (s *story) read() {
	images := s.Archive.Images()
	for i := range s.records {
		r := &s.records[i]
		for n, kept := range images.Add(r) {
			s.images = append(s.images, image{r, &r.Images[n], kept})
		}
	}
}

// image is the first of a role, nil if there is none.
func (s *story) image(role journal.Role) *image {
	for i := range s.images {
		if s.images[i].image.Role == role {
			return &s.images[i]
		}
	}
	return nil
}

func (s *story) messages() []Message {
	var list []Message
	for i := range s.images {
		list = append(list, s.message(&s.images[i]))
	}
	return list
}

func (s *story) message(i *image) Message {
	link := s.Names.Name(i.image.Link)
	out := Message{Seq: i.record.Seq, US: s.us(i.record.At), Role: i.image.Role.String(),
		Link: link[strings.LastIndexByte(link, '/')+1:], Dialect: s.Names.Name(i.image.Dialect)}
	out.From, out.To = s.way(i)
	if i.kept.Err != nil {
		out.Fault = i.kept.Err.Error()
	}
	m := &i.kept.Message
	if m.Dialect() == nil {
		return out
	}
	out.MTI, out.Name = m.MTI().String(), m.MTI().Name()
	out.Elements = s.elements(m)
	if base := s.base(i); base != nil {
		out.Against = base.image.Role.String()
		out.Changes = spec.Diff(&base.kept.Message, m)
	}
	return out
}

// elements are the lines of a message, with what the images don't hold in words.
func (s *story) elements(m *spec.Message) []spec.Line {
	lines := spec.Describe(m)[1:] // the type is said already
	for i := range lines {
		switch n := lines[i].Element; {
		case lines[i].Part != "":
		case n == 2 || n == 34:
			lines[i].Value = s.card()
		case n == 35 || n == 36 || n == 45 || n == 52:
			lines[i].Value, lines[i].Meaning = "(not kept)", ""
		}
	}
	return lines
}

// card is the masked number of the transaction's card, "" if it has none.
func (s *story) card() string {
	for i := range s.records {
		if !s.records[i].PAN.IsZero() {
			return s.records[i].PAN.String()
		}
	}
	return ""
}

// base is the message that another came of: what it is to be compared with.
func (s *story) base(i *image) *image {
	var roles []journal.Role
	switch i.image.Role {
	case journal.Forward, journal.Advice:
		roles = []journal.Role{journal.Request}
	case journal.Answer:
		roles = []journal.Role{journal.Forward, journal.Request}
	case journal.Reply:
		roles = []journal.Role{journal.Answer, journal.Request}
	case journal.AdviceAnswer:
		roles = []journal.Role{journal.Advice}
	}
	for _, role := range roles {
		base := s.image(role)
		if base == nil || base.kept.Err != nil {
			continue
		}
		if role == journal.Answer && base.record != i.record {
			continue // a late one
		}
		return base
	}
	return nil
}

// way is who sent a message to whom.
func (s *story) way(i *image) (from, to string) {
	const us = "switch"
	merchant, issuer := s.center(s.first.Center), s.center(i.record.Dest)
	if i.record.Dest == 0 {
		issuer = s.center(s.first.Dest)
	}
	ours := s.first.Kind == journal.Originated // then the center asked is the only one
	switch i.image.Role {
	case journal.Request:
		if ours {
			return us, issuer
		}
		return merchant, us
	case journal.Reply:
		return us, merchant
	case journal.Forward, journal.Advice:
		return us, issuer
	}
	return issuer, us
}

func parseOriginal(m *spec.Message) (spec.Original, bool) {
	var value [40]byte
	o, ok := spec.ParseOriginal(m.Append(value[:0], 56))
	// Some partners fill the acquirer up to eleven digits here, though not in element 32.
	var id [16]byte
	own := len(m.Append(id[:0], 32))
	if acquirer, _ := m.Number(32); o.AcquirerLen == 11 && o.Acquirer == acquirer {
		o.AcquirerLen = uint8(own)
	}
	return o, ok
}
