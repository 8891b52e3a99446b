package backup

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"cardswitch/store"
	"cardswitch/store/total"
)

// Report is what Verify found out about a sound backup.
type Report struct {
	ID      string       `json:"id"`
	Files   int          `json:"files"`
	Bytes   int64        `json:"bytes"`
	Journal store.Report `json:"journal"`
	At      time.Time    `json:"at"` // of the last record
	Owed    int          `json:"owed"`
	Shelved int          `json:"shelved"` // on the work list
	Totals  int          `json:"totals"`  // rows that the journal comes to again
	// TotalsLeft are rows of days of which retention has dropped records: they can't be added up.
	TotalsLeft bool          `json:"totals_left,omitempty"`
	KeyStore   uint64        `json:"key_store"` // its version
	Lists      int           `json:"lists"`     // negative lists with a regular file
	Redone     *Redone       `json:"redone,omitempty"`
	Restored   time.Duration `json:"restored_ns"` // until all files were there
	Took       time.Duration `json:"took_ns"`
}

// Verify restores a backup into a scratch folder, opens its journal as a node would, and checks
// every seal, the chain of hashes, where the journal ends, and the totals. The folder must not be
// there, and isn't there afterwards.
func (r *Repository) Verify(ctx context.Context, m *Manifest, scratch string, key DataKey,
	progress func(Progress)) (report Report, err error) {
	report, err = r.RestoreChecked(ctx, m, scratch, key, progress)
	return report, errors.Join(err, os.RemoveAll(scratch))
}

// RestoreChecked restores a backup into a folder that isn't there, which appears only if it passed
// all that Verify checks.
func (r *Repository) RestoreChecked(ctx context.Context, m *Manifest, into string, key DataKey,
	progress func(Progress)) (report Report, err error) {
	begun := time.Now()
	err = r.Restore(ctx, m, into, func(dir string) error {
		report = Report{ID: m.ID, Files: m.Files, Bytes: m.Bytes, Restored: time.Since(begun)}
		if err := store.Disown(dir); err != nil {
			return err
		}
		return report.inspect(dir, key, &m.Journal)
	}, progress)
	report.Took = time.Since(begun)
	return report, err
}

// DataKey is the key under which a journal's cards are: a file, or the key itself.
type DataKey struct {
	File string
	Raw  []byte
}

// Opens refuses a key under which the journal of a backup wasn't written.
func (k *DataKey) Opens(m *Manifest) error {
	if k.File == "" {
		return nil // the journal will tell
	}
	is, err := store.KeyNameOf(k.File)
	if err == nil && is != m.Journal.Key {
		err = &store.Error{Op: "open backup " + m.ID, Err: fmt.Errorf("its journal is under data key "+
			"%s, %s is %s", m.Journal.Key, k.File, is), Hint: "name the right one by --data-key"}
	}
	return err
}

func (k *DataKey) open(dir string) (*store.Store, error) {
	return store.Open(store.Options{Dir: dir, KeyFile: k.File, Key: k.Raw,
		Logger: slog.New(slog.DiscardHandler)})
}

// inspect opens a restored folder as a node would, and holds it to what its manifest says, if that
// is what it should be.
func (r *Report) inspect(dir string, key DataKey, want *store.Mark) (err error) {
	s, err := key.open(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return r.inspectOpen(s, dir, want)
}

// Inspect checks an open journal, and the files beside it, which lie as in a restored folder.
func Inspect(s *store.Store, dir string) (r Report, err error) {
	err = r.inspectOpen(s, dir, nil)
	return r, err
}

func (r *Report) inspectOpen(s *store.Store, dir string, want *store.Mark) (err error) {
	const op = "check the restored folder"
	if r.Journal, err = s.Verify(nil); err != nil {
		return &store.Error{Op: op, Err: err, Hint: damagedHint}
	}
	is, err := s.Mark()
	if err != nil {
		return err
	}
	if want != nil && (is.First != want.First || is.Last != want.Last || is.Head != want.Head) {
		return &store.Error{Op: op, Err: fmt.Errorf("%w: its journal has records %d to %d, head %x; the "+
			"manifest says %d to %d, head %x", ErrDamaged, is.First, is.Last, is.Head[:8], want.First,
			want.Last, want.Head[:8]), Hint: damagedHint}
	}
	r.At = is.At
	if err := r.beside(dir, s, &is); err != nil {
		return &store.Error{Op: op, Err: err, Hint: damagedHint}
	}
	if is.First > 1 {
		r.TotalsLeft = true
	} else if err := r.addUp(s); err != nil {
		return &store.Error{Op: op, Err: err, Hint: damagedHint}
	}
	return r.count(s)
}

// addUp adds the totals up anew. Rows of days that are agreed and forgotten aren't kept.
func (r *Report) addUp(s *store.Store) error {
	t, err := s.AddUp(func(total.Key) bool { return true })
	for i := range t.Differ {
		if d := &t.Differ[i]; d.Kept != (total.Sums{}) {
			err = errors.Join(err, fmt.Errorf("%w: the totals of center %d, day %06d aren't what the "+
				"journal comes to", ErrDamaged, d.Key.Center, d.Key.Day))
		}
	}
	r.Totals = t.Rows - len(t.Differ)
	return err
}

// count reads what is owed, to the last.
func (r *Report) count(s *store.Store) error {
	for _, err := range s.Queues() {
		if err != nil {
			return err
		}
		r.Owed++
	}
	for _, err := range s.WorkList() {
		if err != nil {
			return err
		}
		r.Shelved++
	}
	return nil
}
