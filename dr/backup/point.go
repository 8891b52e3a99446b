package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"cardswitch/store"
)

// Point is the moment that is to be brought back: nothing after it is there. The zero Point is the
// newest.
type Point struct {
	Seq  uint64    // of the last record that may be there; 0: any
	Time time.Time // of it; zero: any
}

// passed tells whether a record is after the point.
func (p *Point) passed(seq uint64, at time.Time) bool {
	return p.Seq > 0 && seq > p.Seq || !p.Time.IsZero() && at.After(p.Time)
}

// String says it in words.
func (p *Point) String() string {
	switch {
	case p.Seq > 0:
		return fmt.Sprintf("record %d", p.Seq)
	case !p.Time.IsZero():
		return p.Time.Format(time.RFC3339Nano)
	}
	return "the newest record"
}

// Before returns the newest backup that has nothing after a point.
func (r *Repository) Before(ctx context.Context, p Point) (Manifest, error) {
	if p == (Point{}) {
		return r.Find(ctx, "")
	}
	ids, err := r.IDs(ctx)
	if err != nil {
		return Manifest{}, err
	}
	oldest := "there is none"
	for _, id := range slices.Backward(ids) {
		m, err := r.Manifest(ctx, id)
		if err != nil {
			return Manifest{}, err
		}
		if !p.passed(m.Journal.Last, m.Journal.At) {
			return m, nil
		}
		oldest = fmt.Sprintf("the oldest ends with record %d of %s", m.Journal.Last,
			m.Journal.At.Format(time.RFC3339))
	}
	return Manifest{}, &store.Error{Op: "go back to " + p.String(),
		Err:  errors.New("no backup is so old: " + oldest),
		Hint: "`cardswitch backup list` shows what there is"}
}

// Redone is what was brought back from tails, behind a backup.
type Redone struct {
	Tails   int    `json:"tails"`
	Entries int    `json:"entries"`
	Index   uint64 `json:"index"` // the last entry
	// Gap is where the tails have a hole, behind which nothing was brought back.
	Gap string `json:"gap,omitempty"`
}

// RestoreTo restores the newest backup before a point into a folder that isn't there, and behind it
// what its tails have until the point. The folder appears only if it passed all that Verify checks.
func (r *Repository) RestoreTo(ctx context.Context, p Point, into string, key DataKey,
	progress func(Progress)) (report Report, m Manifest, err error) {
	begun := time.Now()
	if m, err = r.Before(ctx, p); err != nil {
		return report, m, err
	}
	err = r.Restore(ctx, &m, into, func(dir string) error {
		report = Report{ID: m.ID, Files: m.Files, Bytes: m.Bytes}
		if err := store.Disown(dir); err != nil {
			return err
		}
		redone, err := r.redo(ctx, &m, p, dir, key)
		if err != nil {
			return err
		}
		report.Redone = &redone
		report.Restored = time.Since(begun)
		return report.inspect(dir, key, nil)
	}, progress)
	report.Took = time.Since(begun)
	return report, m, err
}

// VerifyTo checks, as Verify does, what RestoreTo would bring back, in a scratch folder that isn't
// there before or afterwards.
func (r *Repository) VerifyTo(ctx context.Context, p Point, scratch string, key DataKey,
	progress func(Progress)) (Report, error) {
	report, _, err := r.RestoreTo(ctx, p, scratch, key, progress)
	return report, errors.Join(err, os.RemoveAll(scratch))
}

// redo brings back what the tails behind a backup have until a point.
func (r *Repository) redo(ctx context.Context, m *Manifest, p Point, dir string,
	key DataKey) (done Redone, err error) {
	done.Index = m.Journal.Index
	if m.Journal.Log == "" {
		return done, nil
	}
	list, err := r.tails(ctx, m.Journal.Log)
	if err != nil {
		return done, err
	}
	s, err := key.open(dir)
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	ended := false
	for _, at := range list {
		if at.last <= done.Index {
			continue
		}
		if at.first > done.Index+1 {
			done.Gap = fmt.Sprintf("entries %d to %d of the log aren't there", done.Index+1, at.first-1)
			return done, nil
		}
		t, err := r.tail(ctx, m.Journal.Log, at)
		if err != nil {
			return done, err
		}
		if ended, err = r.redoTail(ctx, s, &t, &done, p); err != nil {
			return done, err
		}
		if err := r.lay(ctx, &t, dir); err != nil {
			return done, err
		}
		done.Tails++
		if ended {
			break
		}
	}
	return done, nil
}

// redoTail writes the entries of a tail that are behind what is there, until the point.
func (r *Repository) redoTail(ctx context.Context, s *store.Store, t *Tail, done *Redone,
	p Point) (ended bool, err error) {
	e := entries{ctx: ctx, r: r, blocks: t.Blocks}
	index := t.First - 1
	next := func() ([]byte, error) {
		for {
			data, err := e.next()
			if errors.Is(err, io.EOF) && index != t.Last {
				err = fmt.Errorf("a tail: %w: it ends with entry %d, not %d", ErrDamaged, index, t.Last)
			}
			if err != nil {
				return nil, err
			}
			if index++; index > done.Index {
				done.Index, done.Entries = index, done.Entries+1
				return data, nil
			}
		}
	}
	err = s.Redo(next, func(last uint64, at time.Time) bool {
		ended = p.passed(last, at)
		return ended
	})
	if ended {
		done.Index, done.Entries = done.Index-1, done.Entries-1
	}
	return ended, err
}

// lay puts the files beside the journal that a tail has in the place of older ones. Negative lists
// stay beside each other: the journal says which of them counts.
func (r *Repository) lay(ctx context.Context, t *Tail, dir string) error {
	files, err := r.listed(ctx, t.Listing, t.Files)
	if err != nil {
		return err
	}
	b := bringing{r: r, into: dir}
	for i := range files {
		name := filepath.Join(dir, filepath.FromSlash(files[i].Name))
		if strings.HasPrefix(files[i].Name, journalPart+"/") {
			return fmt.Errorf("a tail: %w: it has files of the journal", ErrDamaged)
		}
		if err := os.RemoveAll(name); err != nil {
			return err
		}
		if err := b.file(ctx, &files[i]); err != nil {
			return err
		}
	}
	return nil
}
