package negative

import (
	"slices"
	"sync/atomic"
	"time"
)

// Finding is what a list says of a card.
type Finding uint8

const (
	// Clear: it isn't listed.
	Clear Finding = iota
	// Listed: it is, and the terms count today.
	Listed
	// Unusable: nobody can tell, because the regular file can't be used.
	Unusable
)

// List is what one issuer has listed. Lookups may run beside everything; changes are made under the
// lock of whoever fills the batch that they go into, and count at once: whatever comes of them goes
// into the same batch or a later one.
type List struct {
	issuer uint16
	zone   atomic.Pointer[time.Location]
	files  atomic.Pointer[[]filed] // the one in force, and those after it, by generation
	urgent urgent
	swept  Hash // what Sweep looks at next
	load   Load
	newest uint64 // generation
	litter bool   // there may be entries of loads that aren't needed
}

// filed is a regular file with what is known of it; without a file if it can't be used.
type filed struct {
	Meta
	file *File
	why  error
}

func newList(issuer uint16, zone *time.Location) *List {
	l := &List{issuer: issuer}
	l.zone.Store(zone)
	l.files.Store(new([]filed))
	return l
}

// SetZone is the issuer's calendar by which days begin.
func (l *List) SetZone(zone *time.Location) { l.zone.Store(zone) }

// Lookup tells what the list says of a card at a time (unix nanoseconds). It takes no lock and
// allocates nothing.
func (l *List) Lookup(card *Hash, now int64) (Terms, Finding) {
	f := inForce(*l.files.Load(), now)
	if u, ok := l.urgent.find(card); ok {
		switch {
		case u.generation == 0 && u.Holds(l.day(now)):
			return u.Terms, Listed
		case u.generation != 0 && f != nil && u.generation == f.Generation:
			return Terms{}, Clear
		}
	}
	if f == nil {
		return Terms{}, Clear
	}
	if f.file == nil {
		return Terms{}, Unusable
	}
	if t, ok := f.file.Find(card); ok && t.Holds(l.day(now)) {
		return t, Listed
	}
	return Terms{}, Clear
}

func (l *List) day(now int64) Day { return DayOf(time.Unix(0, now), l.zone.Load()) }

// inForce is the newest file whose time has come. One that took over once stays, whatever the
// clock says afterwards.
func inForce(files []filed, now int64) *filed {
	for i := range slices.Backward(files) {
		if f := &files[i]; f.Took != 0 || f.Effective <= now {
			return f
		}
	}
	return nil
}

// Standing is how a card stands in a list, whatever the days.
type Standing struct {
	Urgent   bool // an emergency entry has it
	Regular  bool // the file in force has it, and no release
	Terms    Terms
	Unusable bool
}

// Listed tells whether it stands there at all.
func (s Standing) Listed() bool { return s.Urgent || s.Regular }

// Standing tells how a card stands.
func (l *List) Standing(card *Hash, now int64) (s Standing) {
	f := inForce(*l.files.Load(), now)
	u, urgent := l.urgent.find(card)
	if f != nil && f.file != nil && !(urgent && u.generation == f.Generation) {
		s.Terms, s.Regular = f.file.Find(card)
	}
	s.Unusable = f != nil && f.file == nil
	if urgent && u.generation == 0 {
		s.Terms, s.Urgent = u.Terms, true
	}
	return s
}

// Batch is what becomes durable together. *store.Batch is one.
type Batch interface {
	Set(key, value []byte)
	Delete(key []byte)
}

// Put enters an emergency entry, in the place of another of its card.
func (l *List) Put(b Batch, e Entry) {
	l.setUrgent(b, urgentEntry{Entry: e})
}

// Delete takes a card off the list: its emergency entry goes, and if the file in force has it, it
// is released until another takes over.
func (l *List) Delete(b Batch, card Hash, now int64) {
	f := inForce(*l.files.Load(), now)
	if f != nil && f.file != nil {
		if _, listed := f.file.Find(&card); listed {
			l.setUrgent(b, urgentEntry{Entry{Card: card}, f.Generation})
			return
		}
	}
	if u, ok := l.urgent.find(&card); ok && u.generation != 0 {
		return // released from an older file, which counts again if the clock goes back before this one
	}
	b.Delete(entryKey(l.issuer, &card))
	l.urgent.remove(&card)
}

// Sweep takes off the emergency entries that are past their last day, and gives them; it looks at
// so many at most, and the next time at those behind. A day more they stay: a clock that is put
// back by less brings none of them back, and as none of them counts at now, no lookup changes.
func (l *List) Sweep(b Batch, now int64, most int) (gone []Entry) {
	today := l.day(now)
	l.swept = l.urgent.from(l.swept, most, func(e *urgentEntry) {
		if e.generation == 0 && e.Until != 0 && e.Until+1 < today {
			gone = append(gone, e.Entry)
		}
	})
	for i := range gone {
		b.Delete(entryKey(l.issuer, &gone[i].Card))
		l.urgent.remove(&gone[i].Card)
	}
	return gone
}

func (l *List) setUrgent(b Batch, e urgentEntry) {
	b.Set(entryKey(l.issuer, &e.Card), e.value())
	l.urgent.set(e)
}

// NextGeneration is the number of the next regular file: one is built at a time.
func (l *List) NextGeneration() uint64 { return l.newest + 1 }

// Enter enters a regular file that was built. It counts from its effective time on.
func (l *List) Enter(b Batch, m Meta, f *File) {
	l.newest = m.Generation
	b.Set(numbered(familyFile, l.issuer, m.Generation), m.value())
	next := append(slices.Clone(*l.files.Load()), filed{Meta: m, file: f})
	slices.SortFunc(next, func(a, b filed) int { return int(a.Generation) - int(b.Generation) })
	l.files.Store(&next)
}

// Due tells whether a file's time has come that hasn't taken over yet.
func (l *List) Due(now int64) bool {
	f := inForce(*l.files.Load(), now)
	return f != nil && f.Took == 0
}

// TakeOver notes that the newest file whose time has come is in force from now on, and that those
// before it have ended. Releases from those go.
func (l *List) TakeOver(b Batch, now int64) (took Meta, ended []Meta) {
	all := *l.files.Load()
	f := inForce(all, now)
	var next []filed
	for i := range all {
		m := all[i]
		switch {
		case m.Generation < f.Generation:
			m.Ended = now
			ended = append(ended, m.Meta)
		case m.Generation == f.Generation:
			m.Took = now
			took = m.Meta
			next = append(next, m)
		default:
			next = append(next, m)
			continue
		}
		b.Set(numbered(familyFile, l.issuer, m.Generation), m.value())
	}
	l.files.Store(&next)
	var stale []Hash
	l.urgent.each(func(e urgentEntry) bool {
		if e.generation != 0 && e.generation < took.Generation {
			stale = append(stale, e.Card)
		}
		return true
	})
	for i := range stale {
		b.Delete(entryKey(l.issuer, &stale[i]))
		l.urgent.remove(&stale[i])
	}
	return took, ended
}
