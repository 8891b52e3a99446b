package cardswitch

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"cardswitch/store/journal"
	"cardswitch/store/total"
	"cardswitch/switch/settle"
	"cardswitch/switch/txn"
)

// Comparison is what comparing our journal with a listing of a center's book found.
type Comparison struct {
	Center      string              `json:"center"`
	Day         string              `json:"day"`
	Slice       uint16              `json:"slice,omitempty"`
	Entries     int                 `json:"entries"`
	Totals      []Compared          `json:"totals"`
	OutSlices   []uint16            `json:"out_slices,omitempty"` // where the listing differs
	Differences []settle.Difference `json:"differences"`
}

// Compared is the totals of one currency on both sides.
type Compared struct {
	Currency  uint16        `json:"currency"`
	OursNet   int64         `json:"ours_net"`
	TheirsNet int64         `json:"theirs_net"`
	Explained string        `json:"explained,omitempty"` // empty: in balance
	Lines     []settle.Line `json:"lines,omitempty"`
}

// CompareListing compares a day of a center, or one slice of it, with the listing of its book,
// names each transaction that differs, and puts it on the work list of differences.
func (s *Switch) CompareListing(name string, day settle.Day, slice uint16, listing io.Reader) (
	Comparison, error) {
	s.mu.Lock()
	c, err := s.settles(name)
	var from uint64
	var scope settle.Scope
	if err == nil {
		scope = settle.Scope{Day: day, Slice: slice, Currency: uint16(c.settling.config.Currency)}
		from, err = sinceBefore(c, day)
	}
	s.mu.Unlock()
	if err != nil {
		return Comparison{}, err
	}
	m := settle.NewMatcher(scope)
	if err := settle.ReadListing(listing, m.List); err != nil {
		return Comparison{}, fmt.Errorf("the listing: %w", err)
	}
	reader := legReader{center: c.id, legs: make(map[uint64]settle.Leg),
		undoing: make(map[uint64]string), of: make(map[uint64]uint64), to: m}
	if err := s.store.Replay(from, reader.record); err != nil {
		return Comparison{}, err
	}
	reader.rest()
	out := Comparison{Center: name, Day: day.String(), Slice: slice, Entries: m.Entries,
		Totals: comparedTotals(m), OutSlices: outSlices(m), Differences: m.Differences()}
	s.keepDifferences(c, scope, out.Differences)
	return out, nil
}

// sinceBefore is the record from which on the transactions of a day, and of the one before it, are.
func sinceBefore(c *center, day settle.Day) (uint64, error) {
	p := c.book.Find(day)
	if p == nil {
		return 0, fmt.Errorf("%s has no business day %v; see `cardswitch settle status`", c.name, day)
	}
	since := p.Since
	for i := range c.book.Periods {
		if q := &c.book.Periods[i]; q.Day < day {
			since = q.Since
		}
	}
	return since, nil
}

func comparedTotals(m *settle.Matcher) (out []Compared) {
	all := make(map[uint16]bool)
	for currency := range m.Ours {
		all[currency] = true
	}
	for currency := range m.Theirs {
		all[currency] = true
	}
	for _, currency := range slices.Sorted(maps.Keys(all)) {
		var ours, theirs total.Sums
		if t := m.Ours[currency]; t != nil {
			ours = *t
		}
		if t := m.Theirs[currency]; t != nil {
			theirs = *t
		}
		out = append(out, Compared{Currency: currency, OursNet: ours.Net(), TheirsNet: theirs.Net(),
			Explained: settle.Explain(&ours, &theirs), Lines: settle.Lines(&ours, &theirs)})
	}
	return out
}

// outSlices are the slices in which the listing, if it tells them, comes to something else.
func outSlices(m *settle.Matcher) (out []uint16) {
	if m.Slices[0] != nil {
		return nil
	}
	for _, n := range slices.Sorted(maps.Keys(m.Slices)) {
		if both := m.Slices[n]; settle.Balance(&both[0], &both[1]) != txn.InBalance {
			out = append(out, n)
		}
	}
	return out
}

// legReader turns the records of a center's leg into transactions for a matcher.
type legReader struct {
	center  uint16
	legs    map[uint64]settle.Leg // of transactions that wait, or whose answer never came
	undoing map[uint64]string     // how reversals of these stand that a person decides about
	of      map[uint64]uint64     // what merchants' reversals of these reverse
	to      *settle.Matcher
}

func (r *legReader) record(rec *journal.Record) error {
	if _, waits := r.legs[rec.Txn]; waits && rec.Kind == journal.Reversed {
		r.of[rec.Advice] = rec.Txn
	}
	if rec.Dest != r.center {
		return nil
	}
	r.undo(rec)
	o := settle.Ours{Txn: rec.Txn, Kind: total.Kind(rec.Moves), Amount: rec.Amount,
		Currency: rec.Currency, Day: settle.Day(rec.Day), Slice: rec.Slice}
	if rec.Day == 0 {
		o.Kind = total.None
	}
	leg := settle.LegOf(rec.MTI, rec.STAN, rec.Key.LocalTime())
	switch rec.Kind {
	case journal.Opened:
		r.legs[rec.Txn] = leg
		return nil
	case journal.Closed:
		delete(r.legs, rec.Txn)
		o.Note = noteOf(rec)
		if o.Note == settle.NoteTimedOut {
			r.legs[rec.Txn] = leg
		}
	case journal.Settled:
		o.Note = "accepted from the merchant, not delivered yet"
	case journal.Late:
		var known bool
		if leg, known = r.legs[rec.Txn]; !known || o.Kind == total.None {
			return nil
		}
		delete(r.legs, rec.Txn)
	case journal.Delivered, journal.Shelved:
		o.Note = "answered with " + fmt.Sprintf("%03d", rec.Action)
		if rec.Key.IsZero() {
			return nil
		}
	default:
		return nil
	}
	o.Leg = leg
	r.to.Journal(o)
	return nil
}

// undo follows the reversals of what was never answered.
func (r *legReader) undo(rec *journal.Record) {
	id := cmp.Or(r.of[rec.Advice], rec.Txn)
	if _, waits := r.legs[id]; !waits {
		return
	}
	switch why := txn.Reason(rec.Reason); {
	case rec.Kind == journal.Delivered, why == txn.OperatorRetried:
		delete(r.undoing, id)
	case rec.Kind == journal.Shelved && why == txn.AdviceRefused:
		r.undoing[id] = fmt.Sprintf("%d, refused with %03d, is on the work list", rec.Advice,
			rec.Action)
	case rec.Kind == journal.Shelved:
		r.undoing[id] = fmt.Sprintf("%d cannot be delivered and is on the work list", rec.Advice)
	case rec.Kind == journal.Resolved && why == txn.OperatorDropped:
		r.undoing[id] = fmt.Sprintf("%d was dropped: %s", rec.Advice, rec.Text)
	}
}

// rest tells of what waits for its answer.
func (r *legReader) rest() {
	for id, leg := range r.legs {
		r.to.Journal(settle.Ours{Leg: leg, Txn: id, Note: settle.NoteTimedOut, Undoing: r.undoing[id]})
	}
}

func noteOf(rec *journal.Record) string {
	switch why := txn.Reason(rec.Reason); why {
	case txn.IssuerAnswered:
		return fmt.Sprintf("answered with %03d", rec.Action)
	case txn.IssuerTimedOut, txn.LinkLost, txn.Restarted:
		return settle.NoteTimedOut
	default:
		return why.String()
	}
}

// differencesKept bounds the work list of differences: more nobody looks at one by one. A
// comparison names them all the same.
const differencesKept = 10_000

// keepDifferences puts what was found on the work list. What is there already stays as it is, and
// what isn't found any more is taken off.
func (s *Switch) keepDifferences(c *center, scope settle.Scope, found []settle.Difference) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	known := make(map[string]uint64)
	for _, d := range s.differ {
		if d.Center == c.name && d.Day == scope.Day.String() {
			known[sameDifference(d)] = d.ID
		}
	}
	for i := range found {
		found[i].Center = c.name
		key := sameDifference(found[i])
		if id, again := known[key]; again {
			found[i].ID = id
			delete(known, key)
			continue
		}
		if len(s.differ) < differencesKept {
			s.keepDifference(now, c, scope, &found[i])
		}
	}
	if scope.Slice == 0 {
		for _, id := range slices.Sorted(maps.Values(known)) {
			s.dropDifference(now, c, id, "not found any more")
		}
	}
	s.kick()
}

func sameDifference(d settle.Difference) string {
	return strings.Join([]string{d.MTI, d.STAN, d.Local, d.Cause, fmt.Sprint(d.Ours, d.Theirs)}, " ")
}

func (s *Switch) keepDifference(now int64, c *center, scope settle.Scope, d *settle.Difference) {
	rec := journal.Record{At: now, Kind: journal.Reconciled, Txn: d.Txn, Dest: c.id,
		Day: uint32(scope.Day), Slice: scope.Slice, Reason: uint16(txn.DifferenceFound),
		Text: d.Cause + ": " + d.Why}
	d.ID = s.pending.batch.Append(&rec)
	text, err := json.Marshal(d)
	if err != nil {
		return // can't be: it is text and numbers
	}
	s.pending.batch.Set(settle.DifferKey(d.ID), text)
	s.differ = append(s.differ, *d)
}

func (s *Switch) dropDifference(now int64, c *center, id uint64, why string) {
	rec := journal.Record{At: now, Kind: journal.Resolved, Dest: c.id, Advice: id,
		Reason: uint16(txn.DifferenceDone), Text: why}
	s.pending.batch.Append(&rec)
	s.pending.batch.Delete(settle.DifferKey(id))
	s.differ = slices.DeleteFunc(s.differ, func(d settle.Difference) bool { return d.ID == id })
}

// Differences is the work list of what comparisons found, oldest first.
func (s *Switch) Differences() []settle.Difference {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]settle.Difference{}, s.differ...)
}

// readDifferences reads the work list at a start.
func (s *Switch) readDifferences() error {
	from, to := settle.Differs()
	var damaged error
	err := s.store.Scan(from, to, func(_, value []byte) bool {
		var d settle.Difference
		damaged = json.Unmarshal(value, &d)
		s.differ = append(s.differ, d)
		return damaged == nil
	})
	return errors.Join(err, damaged)
}

// ResolveDifference takes a difference off the work list. Who and why are journaled.
func (s *Switch) ResolveDifference(id uint64, who, why string) error {
	if who == "" || why == "" {
		return errors.New("say who decides and why")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.differ {
		if d.ID != id {
			continue
		}
		c, err := s.settles(d.Center)
		if err != nil {
			return err
		}
		s.dropDifference(s.now(), c, id, saidBy("by ", who, why))
		s.kick()
		return nil
	}
	return fmt.Errorf("no difference %d is on the work list; see `cardswitch settle worklist`", id)
}
