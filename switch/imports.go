package cardswitch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"cardswitch/spec"
	"cardswitch/store/journal"
	"cardswitch/store/negative"
	"cardswitch/store/negative/layout"
	"cardswitch/store/vault"
	"cardswitch/switch/service/fileaction"
	"cardswitch/switch/txn"
)

// NegativeImport is a regular file that an operator brings.
type NegativeImport struct {
	Issuer string
	Source string // its name, for the records
	// Layout is how its lines look; nil: as the issuer's configuration says.
	Layout       *LayoutConfig
	Effective    time.Time // zero: at once
	AcceptErrors uint64    // bad lines that are left out; more refuse the file
	AcceptEmpty  bool      // a file without a card lifts the whole list: it must be meant
	SHA256       string    // of what is read, in hexadecimal digits; "": not held to any
	CheckOnly    bool      // nothing is changed
	Who, Why     string
}

// NegativeReport says what became of an import.
type NegativeReport struct {
	Issuer string        `json:"issuer"`
	File   negative.Meta `json:"file"`
	layout.Report
	Checked bool   `json:"checked,omitempty"` // and not imported, as that was asked
	Error   string `json:"error,omitempty"`   // why nothing was changed
	Hint    string `json:"hint,omitempty"`
}

// mostWaiting is how many regular files of an issuer may wait for their time.
const mostWaiting = 8

var errOneImport = errors.New("another negative file is being made")

// ImportNegative reads a regular file and puts it in the place of the issuer's at its time. Nothing
// is changed unless all of it is good, or all but as many lines as were allowed for; an import that
// dies begins anew. The report is good for either end.
func (s *Switch) ImportNegative(ctx context.Context, o NegativeImport, from io.Reader) (
	NegativeReport, error) {
	r := NegativeReport{Issuer: o.Issuer, Checked: o.CheckOnly}
	n, err := s.negativeNamed(o.Issuer)
	if err != nil {
		return r, err
	}
	if !s.importing.TryLock() {
		return r, errOneImport
	}
	defer s.importing.Unlock()
	config := o.Layout
	if config == nil {
		config = &n.Layout
	}
	lines, err := layout.New(config.spec())
	if err != nil {
		return r, fmt.Errorf("layout: %w", err)
	}
	s.mu.Lock()
	now := s.now()
	old, _ := n.list.Current(now)
	waiting, generation := len(n.list.Status(now).Waiting), n.list.NextGeneration()
	s.mu.Unlock()
	if waiting >= mostWaiting {
		return r, fmt.Errorf("%d files wait for their time already", waiting)
	}
	b := s.lists.Builder(n.issuer, generation)
	if err := s.readList(ctx, &o, n, lines, b, from, &r); err != nil {
		return r, errors.Join(err, b.Drop())
	}
	file, m, err := b.Finish(old)
	if err != nil {
		return r, err
	}
	m.Source, m.By, m.Lines, m.Rejected = spec.MaskText(o.Source), o.Who, r.Lines, r.Rejected
	m.Why = spec.MaskText(o.Why)
	m.Effective = max(o.Effective.UnixNano(), now)
	if o.Effective.IsZero() {
		m.Effective = now
	}
	r.File = m
	if o.CheckOnly {
		return r, b.Drop()
	}
	return r, s.importNow(n, m, file)
}

// importNow enters a file, and returns when that is durable.
func (s *Switch) importNow(n *negativeProfile, m negative.Meta, file *negative.File) error {
	return (books{s.store, s}).Change(func(vault.Batch) { s.enterFile(n, m, file, 0, 0) })
}

// readList brings the lines of an import to the builder.
func (s *Switch) readList(ctx context.Context, o *NegativeImport, n *negativeProfile,
	lines *layout.Layout, b *negative.Builder, from io.Reader, r *NegativeReport) (err error) {
	sum := sha256.New()
	if o.SHA256 != "" {
		from = io.TeeReader(from, sum)
	}
	defaults := negative.Terms{Action: uint16(n.Action)}
	r.Report, err = lines.Read(from, defaults, func(card spec.PAN, t negative.Terms) error {
		if b.Count()%(1<<12) == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		return b.Add(&negative.Entry{Card: s.store.HashPAN(card), Terms: t})
	})
	switch {
	case err != nil:
		return err
	case o.SHA256 != "" && !strings.EqualFold(o.SHA256, hex.EncodeToString(sum.Sum(nil))):
		return errors.New("its SHA-256 is another one: it isn't the file that was meant")
	case r.Rejected > o.AcceptErrors:
		return fmt.Errorf("%d of %d lines are wrong", r.Rejected, r.Lines)
	case b.Count() == 0 && !o.AcceptEmpty:
		return errors.New("there is no card in it, so it would lift the whole list")
	}
	return nil
}

// negativeNamed is the list of the issuer with this name.
func (s *Switch) negativeNamed(issuer string) (*negativeProfile, error) {
	for _, seat := range s.tables.Load().seats {
		if n := seat.profile.negative; n != nil && seat.center.name == issuer {
			return n, nil
		}
	}
	return nil, fmt.Errorf("no issuer %q keeps a negative list", issuer)
}

// NegativeOrder is an entry that an operator makes or removes.
type NegativeOrder struct {
	Issuer   string
	Card     spec.PAN
	Terms    negative.Terms // Action 0: that of the issuer's configuration
	Remove   bool
	Who, Why string
}

// errNotListed is that of a card that can't be taken off a list.
var errNotListed = errors.New("the card isn't listed")

// ChangeNegative lists a card at once, or takes one off. It returns when that is durable.
func (s *Switch) ChangeNegative(o NegativeOrder) error {
	n, err := s.negativeNamed(o.Issuer)
	if err != nil {
		return err
	}
	if o.Terms.Action == 0 {
		o.Terms.Action = uint16(n.Action)
	}
	if o.Terms.Action < 100 || o.Terms.Action > 299 ||
		o.Terms.Until != 0 && o.Terms.Until < o.Terms.From {
		return errors.New("the action code isn't 100 to 299, or it ends before it begins")
	}
	card, refused := s.store.HashPAN(o.Card), error(nil)
	durable := (books{s.store, s}).Change(func(vault.Batch) {
		now := s.now()
		r := journal.Record{At: now, PAN: o.Card, Text: saidBy(" by ", o.Who, o.Why)}
		switch {
		case !o.Remove:
			r.Reason = uint16(txn.OperatorListed)
			s.listChanged(n, r, fileaction.Add, card, o.Terms)
			n.list.Put(s.pending.batch, negative.Entry{Card: card, Terms: o.Terms})
		case !n.list.Standing(&card, now).Listed():
			refused = errNotListed
		default:
			r.Reason = uint16(txn.OperatorUnlisted)
			s.listChanged(n, r, fileaction.Delete, card, negative.Terms{})
			n.list.Delete(s.pending.batch, card, now)
		}
	})
	return errors.Join(refused, durable)
}

// NegativeEntry is a card on a list, as people read it.
type NegativeEntry struct {
	Issuer   string   `json:"issuer"`
	Card     spec.PAN `json:"card"` // masked
	Listed   bool     `json:"listed"`
	Where    string   `json:"where,omitempty"` // emergency, regular, released
	Action   uint16   `json:"action,omitempty"`
	Reason   uint16   `json:"reason,omitempty"`
	From     string   `json:"from,omitempty"`
	Until    string   `json:"until,omitempty"`
	Unusable bool     `json:"unusable,omitempty"` // the regular file: nobody can tell
}

func (e *NegativeEntry) say(t negative.Terms) {
	e.Action, e.Reason, e.From, e.Until = t.Action, t.Reason, t.From.String(), t.Until.String()
}

// CheckNegative tells how a card stands in the lists of an issuer, or of all.
func (s *Switch) CheckNegative(issuer string, card spec.PAN) ([]NegativeEntry, error) {
	if issuer != "" {
		if _, err := s.negativeNamed(issuer); err != nil {
			return nil, err
		}
	}
	hash, out := s.store.HashPAN(card), []NegativeEntry{}
	for _, n := range s.tables.Load().negatives {
		if n == nil || issuer != "" && n.name != issuer {
			continue
		}
		now := s.now()
		at := n.list.Standing(&hash, now)
		_, finding := n.list.Lookup(&hash, now)
		e := NegativeEntry{Issuer: n.name, Card: card, Listed: finding == negative.Listed,
			Unusable: at.Unusable}
		switch {
		case at.Urgent:
			e.Where = "emergency"
			e.say(at.Terms)
		case at.Regular:
			e.Where = "regular"
			e.say(at.Terms)
		}
		out = append(out, e)
	}
	return out, nil
}

// UrgentNegatives lists an issuer's emergency entries, and the cards that are released.
func (s *Switch) UrgentNegatives(issuer string) ([]NegativeEntry, error) {
	n, err := s.negativeNamed(issuer)
	if err != nil {
		return nil, err
	}
	entries, released := n.list.Urgent()
	out := make([]NegativeEntry, 0, len(entries)+len(released))
	for _, e := range entries {
		card, _ := s.store.CardOf(e.Card)
		_, finding := n.list.Lookup(&e.Card, s.now())
		line := NegativeEntry{Issuer: issuer, Card: card, Where: "emergency",
			Listed: finding == negative.Listed}
		line.say(e.Terms)
		out = append(out, line)
	}
	for _, hash := range released {
		card, _ := s.store.CardOf(hash)
		out = append(out, NegativeEntry{Issuer: issuer, Card: card, Where: "released"})
	}
	return out, nil
}

// NegativeHistory is what is known of an issuer's regular files, the oldest first.
func (s *Switch) NegativeHistory(issuer string) ([]negative.Meta, error) {
	n, err := s.negativeNamed(issuer)
	if err != nil {
		return nil, err
	}
	return s.lists.History(n.issuer)
}

// ExportNegative writes an issuer's list as a merchant center may have it, under the center's key.
func (s *Switch) ExportNegative(issuer string, key []byte, to io.Writer) (cards uint64, err error) {
	n, err := s.negativeNamed(issuer)
	if err != nil {
		return 0, err
	}
	return n.list.Export(to, key, s.now(), s.store.CardOf)
}
