package backup

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"cardswitch/store"
)

// Pruned is what a prune has removed, or would.
type Pruned struct {
	Removed []string `json:"removed"` // IDs, oldest first
	Kept    []string `json:"kept"`
	Tails   int      `json:"tails"`   // removed
	Objects int      `json:"objects"` // that no backup names any more
	Bytes   int64    `json:"bytes"`
}

// Prune removes the backups that needn't be kept, and then what no backup names. It keeps the
// newest one, and the newest that Verify found sound; it removes nothing while the newest isn't
// whole, or while one to be kept can't be read. With dry it removes nothing at all.
func (r *Repository) Prune(ctx context.Context, keep Keep, dry bool) (p Pruned, err error) {
	const op = "prune backups"
	h, err := r.claim(ctx, sole)
	if err != nil {
		return p, err
	}
	defer h.release()
	ids, err := r.IDs(ctx)
	if err != nil || len(ids) == 0 {
		return p, err
	}
	kept, err := keep.choose(ids)
	if err != nil {
		return p, &store.Error{Op: op, Err: err, Hint: "remove what isn't ours from " + r.String()}
	}
	proven, err := r.Proven(ctx)
	if err != nil {
		return p, err
	}
	if n := len(proven); n > 0 {
		kept[proven[n-1].ID] = true
	}
	used, bases, err := r.used(ctx, ids, kept)
	var old []string
	if err == nil {
		old, err = r.oldTails(ctx, bases, keep.Tails, used)
	}
	if err != nil {
		return p, &store.Error{Op: op, Err: err, Hint: "nothing was removed; " + damagedHint}
	}
	for _, id := range ids {
		if kept[id] {
			p.Kept = append(p.Kept, id)
			continue
		}
		p.Removed = append(p.Removed, id)
	}
	if err := h.lasts(); err != nil {
		return p, err
	}
	p.Tails = len(old)
	if !dry {
		for _, id := range p.Removed {
			old = append(old, manifestFolder+id)
		}
		for i := range proven {
			if !kept[proven[i].ID] {
				old = append(old, proofFolder+proven[i].ID)
			}
		}
		if err := r.remove(ctx, old); err != nil {
			return p, err
		}
	}
	return p, r.sweep(ctx, &p, used, dry)
}

func (r *Repository) remove(ctx context.Context, names []string) error {
	for _, name := range names {
		if err := r.target.Remove(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// used are the objects that kept backups name. All of those of the newest are there. Bases are the
// last entries of the oldest of them, by the name of the log.
func (r *Repository) used(ctx context.Context, ids []string, kept map[string]bool) (
	used map[string]bool, bases map[string]uint64, err error) {
	used, bases = make(map[string]bool), make(map[string]uint64)
	for i, id := range ids {
		if !kept[id] {
			continue
		}
		m, err := r.Manifest(ctx, id)
		if err != nil {
			return nil, nil, err
		}
		if _, older := bases[m.Journal.Log]; !older {
			bases[m.Journal.Log] = m.Journal.Index
		}
		of := make(map[string]bool)
		if err := r.use(ctx, of, m.Listing, m.Files); err != nil {
			return nil, nil, err
		}
		if i == len(ids)-1 {
			if err := r.holds(ctx, of); err != nil {
				return nil, nil, fmt.Errorf("the newest backup, %s, isn't whole: %w", id, err)
			}
		}
		maps.Copy(used, of)
	}
	return used, bases, nil
}

// use adds a list of so many files and the blocks of these.
func (r *Repository) use(ctx context.Context, used map[string]bool, listing []string,
	of int) error {
	files, err := r.listed(ctx, listing, of)
	for _, b := range listing {
		used[objectName(b)] = true
	}
	for i := range files {
		for _, b := range files[i].Blocks {
			used[objectName(b)] = true
		}
	}
	return err
}

// oldTails names the tails that follow on no backup that is kept, or are older than life; of the
// others it adds what they use.
func (r *Repository) oldTails(ctx context.Context, bases map[string]uint64, life time.Duration,
	used map[string]bool) (old []string, err error) {
	kept := make(map[string][]span)
	err = r.target.List(ctx, tailFolder, func(l Listed) error {
		log, s, err := parseTailName(l.Name)
		if err != nil {
			return err
		}
		base, based := bases[log]
		if !based || s.last <= base || life > 0 && time.Since(l.Modified) > life {
			old = append(old, l.Name)
			return nil
		}
		kept[log] = append(kept[log], s)
		return nil
	})
	if err != nil {
		return nil, err
	}
	for log, spans := range kept {
		for _, s := range spans {
			t, e := r.tail(ctx, log, s)
			if e == nil {
				e = r.use(ctx, used, t.Listing, t.Files)
			}
			for _, b := range t.Blocks {
				used[objectName(b)] = true
			}
			err = errors.Join(err, e)
		}
	}
	return old, err
}

// holds tells the first of some objects that isn't at the target.
func (r *Repository) holds(ctx context.Context, wanted map[string]bool) error {
	missing := make(map[string]bool, len(wanted))
	for name := range wanted {
		missing[name] = true
	}
	err := r.target.List(ctx, objectFolder, func(l Listed) error {
		delete(missing, l.Name)
		return nil
	})
	for name := range missing {
		return fmt.Errorf("%s: %w: it is missing", name, ErrDamaged)
	}
	return err
}

// sweep removes what nobody names, after the manifests: a prune that is interrupted leaves some.
func (r *Repository) sweep(ctx context.Context, p *Pruned, used map[string]bool, dry bool) error {
	var old []string
	err := r.target.List(ctx, objectFolder, func(l Listed) error {
		if !used[l.Name] {
			old = append(old, l.Name)
			p.Objects++
			p.Bytes += l.Size
		}
		return nil
	})
	if err != nil || dry {
		return err
	}
	if err := r.remove(ctx, old); err != nil {
		return err
	}
	return r.sweepClaims(ctx)
}

// sweepClaims removes claims that are void, and files that a folder's killed writers left.
func (r *Repository) sweepClaims(ctx context.Context) error {
	var void []string
	err := r.target.List(ctx, claimFolder, func(l Listed) error {
		if time.Since(l.Modified) > claimVoid {
			void = append(void, l.Name)
		}
		return nil
	})
	for _, name := range void {
		err = errors.Join(err, r.target.Remove(ctx, name))
	}
	if f, ok := r.target.(Folder); ok {
		err = errors.Join(err, f.sweep(time.Now().Add(-claimVoid)))
	}
	return err
}

// Proof is that a backup was found sound.
type Proof struct {
	ID string    `json:"id"`
	At time.Time `json:"at"`
}

const proofFolder = "verified/"

// Prove notes at the target that a backup was found sound.
func (r *Repository) Prove(ctx context.Context, id string) error {
	return r.target.Put(ctx, proofFolder+id, []byte(time.Now().UTC().Format(time.RFC3339)+"\n"))
}

// Proven are the backups that were found sound, oldest first.
func (r *Repository) Proven(ctx context.Context) (list []Proof, err error) {
	err = r.target.List(ctx, proofFolder, func(l Listed) error {
		list = append(list, Proof{strings.TrimPrefix(l.Name, proofFolder), l.Modified})
		return nil
	})
	return list, err
}
