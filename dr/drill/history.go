package drill

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// History is a folder with the reports of drills that were ordered at a node.
type History string

// id is the form of an ID, which is a file's name.
var id = regexp.MustCompile(`^[0-9]{8}T[0-9]{6}Z-[a-z]+$`)

// most is how many bytes a report may have.
const most = 4 << 20

// Keep writes a report, over an older form of it.
func (h History) Keep(r *Report) error {
	if !id.MatchString(r.ID) {
		return fmt.Errorf("%q is no drill's ID", r.ID)
	}
	if err := os.MkdirAll(string(h), 0o700); err != nil {
		return err
	}
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	name := h.file(r.ID)
	if err := os.WriteFile(name+".part", text, 0o600); err != nil {
		return err
	}
	return os.Rename(name+".part", name)
}

func (h History) file(id string) string { return filepath.Join(string(h), id+".json") }

// Report reads one.
func (h History) Report(name string) (*Report, error) {
	if !id.MatchString(name) {
		return nil, fmt.Errorf("%q is no drill's ID: %w", name, fs.ErrNotExist)
	}
	text, err := os.ReadFile(h.file(name))
	if err != nil {
		return nil, err
	}
	return Parse(text)
}

// Parse reads a report.
func Parse(text []byte) (*Report, error) {
	r := new(Report)
	if len(text) > most {
		return nil, errors.New("a report of a drill isn't that long")
	}
	if err := json.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("a report of a drill can't be read: %w", err)
	}
	if m := r.Measured; m != nil && m.Step != step {
		return nil, fmt.Errorf("answers are counted each %s, not %s", step, m.Step)
	}
	return r, nil
}

// List is all of them, the newest first. One that can't be read is left out.
func (h History) List() (list []Summary, err error) {
	files, err := os.ReadDir(string(h))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, f := range files {
		name, is := strings.CutSuffix(f.Name(), ".json")
		if !is {
			continue
		}
		if r, err := h.Report(name); err == nil {
			list = append(list, r.Summary())
		}
	}
	return Merge(list), err
}

// Merge makes one history of several nodes', the newest first.
func Merge(lists ...[]Summary) []Summary {
	all := slices.Concat(lists...)
	slices.SortFunc(all, func(a, b Summary) int { return strings.Compare(b.ID, a.ID) })
	return slices.CompactFunc(all, func(a, b Summary) bool { return a.ID == b.ID })
}

// Rule says how often a kind of drill is due.
type Rule struct {
	Kind  Kind          `json:"kind"`
	Every time.Duration `json:"every_ns"`
}

// Due is when a kind of drill is to be done again.
type Due struct {
	Rule
	Last    time.Time `json:"last,omitzero"` // it was done and passed; zero: never
	LastID  string    `json:"last_id,omitempty"`
	Due     time.Time `json:"due,omitzero"` // zero: at once
	Overdue bool      `json:"overdue"`
}

// Calendar says when what is due. A drill counts once it has passed.
func Calendar(rules []Rule, history []Summary, now time.Time) []Due {
	list := make([]Due, 0, len(rules))
	for _, rule := range rules {
		d := Due{Rule: rule, Overdue: true}
		for _, s := range history {
			if s.Outcome == Passed && s.Kind == rule.Kind && s.Begun.After(d.Last) {
				d.Last, d.LastID = s.Begun, s.ID
			}
		}
		if !d.Last.IsZero() {
			d.Due = d.Last.Add(rule.Every)
			d.Overdue = now.After(d.Due)
		}
		list = append(list, d)
	}
	return list
}
