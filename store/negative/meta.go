package negative

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
)

// Meta is what is known of a regular file: it is in the journal's record of the import, and beside
// the journal. Times are unix nanoseconds.
type Meta struct {
	Generation uint64 `json:"generation"`
	Cards      uint64 `json:"cards"`
	SHA256     string `json:"sha256"` // of the file, in hexadecimal digits
	Effective  int64  `json:"effective"`
	Imported   int64  `json:"imported"`
	Took       int64  `json:"took,omitempty"`  // over from the one before
	Ended      int64  `json:"ended,omitempty"` // another took over
	Source     string `json:"source"`          // the name of what was imported
	By         string `json:"by,omitempty"`
	Why        string `json:"why,omitempty"`
	Lines      uint64 `json:"lines,omitempty"`
	Rejected   uint64 `json:"rejected,omitempty"`
	Difference
}

// String is the Meta as the journal's record has it.
func (m Meta) String() string { return string(m.value()) }

func (m *Meta) value() []byte {
	b, err := json.Marshal(m)
	if err != nil { // numbers and text can't fail
		panic(err)
	}
	return b
}

// ParseMeta reads what String wrote.
func ParseMeta(s string) (m Meta, err error) {
	err = json.Unmarshal([]byte(s), &m)
	return m, err
}

// fits tells whether a file is the one that the Meta is about.
func (m *Meta) fits(f *File) error {
	sum := f.Sum()
	if m.Cards != f.Count() || m.SHA256 != hex.EncodeToString(sum[:]) {
		return fmt.Errorf("%w: its record tells of %d cards with SHA-256 %s", ErrDamaged, m.Cards,
			m.SHA256)
	}
	return nil
}

// Status is how the list of an issuer stands.
type Status struct {
	Urgent   int    // emergency entries, releases included
	InForce  *Meta  // nil: no regular file
	Unusable error  // of the one in force
	Waiting  []Meta // for their time
	Load     Load
}

// Status tells how the list stands at a time. It is called under the lock of the changes.
func (l *List) Status(now int64) Status {
	s := Status{Urgent: int(l.urgent.count.Load()), Load: l.load}
	files := *l.files.Load()
	f := inForce(files, now)
	for i := range files {
		switch {
		case f == nil || files[i].Generation > f.Generation:
			s.Waiting = append(s.Waiting, files[i].Meta)
		case &files[i] == f:
			m := f.Meta
			s.InForce, s.Unusable = &m, f.why
		}
	}
	return s
}

// Current is the file in force, nil if there is none or it can't be used, with its generation.
func (l *List) Current(now int64) (*File, uint64) {
	f := inForce(*l.files.Load(), now)
	if f == nil {
		return nil, 0
	}
	return f.file, f.Generation
}

// Urgent lists the emergency entries, and the cards that are released.
func (l *List) Urgent() (entries []Entry, released []Hash) {
	l.urgent.each(func(e urgentEntry) bool {
		if e.generation == 0 {
			entries = append(entries, e.Entry)
		} else {
			released = append(released, e.Card)
		}
		return true
	})
	return entries, slices.Clip(released)
}
