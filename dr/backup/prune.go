package backup

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"cardswitch/store"
)

// Pruned is what a prune has removed, or would.
type Pruned struct {
	Removed []string `json:"removed"` // IDs, oldest first
	Kept    []string `json:"kept"`
	Objects int      `json:"objects"` // that no backup names any more
	Bytes   int64    `json:"bytes"`
}

// Prune removes the backups that needn't be kept, and then what no backup names. It keeps the
// newest one, and the newest that Verify found sound; it removes nothing while the newest isn't
// whole, or while one to be kept can't be read. With dry it removes nothing at all.
func (r *Repository) Prune(ctx context.Context, keep Keep, dry bool) (p Pruned, err error) {
	const op = "prune backups"
	release, err := r.claim(ctx, sole)
	if err != nil {
		return p, err
	}
	defer release()
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
	used, err := r.used(ctx, ids, kept)
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
	return p, r.sweep(ctx, &p, used, proven, dry)
}

// used are the objects that kept backups name. All of those of the newest are there.
func (r *Repository) used(ctx context.Context, ids []string, kept map[string]bool) (map[string]bool,
	error) {
	used := make(map[string]bool)
	for i, id := range ids {
		if !kept[id] {
			continue
		}
		m, err := r.Manifest(ctx, id)
		if err != nil {
			return nil, err
		}
		of, err := r.blocks(ctx, &m)
		if err != nil {
			return nil, err
		}
		if i == len(ids)-1 {
			if err := r.holds(ctx, of); err != nil {
				return nil, fmt.Errorf("the newest backup, %s, isn't whole: %w", id, err)
			}
		}
		for name := range of {
			used[name] = true
		}
	}
	return used, nil
}

// blocks are the objects that a backup names.
func (r *Repository) blocks(ctx context.Context, m *Manifest) (map[string]bool, error) {
	of := make(map[string]bool)
	for _, b := range m.Listing {
		of[objectName(b)] = true
	}
	files, err := r.files(ctx, m)
	for i := range files {
		for _, b := range files[i].Blocks {
			of[objectName(b)] = true
		}
	}
	return of, err
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

// sweep removes manifests first: what is interrupted then leaves blocks that nobody names.
func (r *Repository) sweep(ctx context.Context, p *Pruned, used map[string]bool, proven []Proof,
	dry bool) error {
	gone := make(map[string]bool)
	for _, id := range p.Removed {
		gone[id] = true
		if dry {
			continue
		}
		if err := r.target.Remove(ctx, manifestFolder+id); err != nil {
			return err
		}
	}
	for i := range proven {
		if gone[proven[i].ID] && !dry {
			if err := r.target.Remove(ctx, proofFolder+proven[i].ID); err != nil {
				return err
			}
		}
	}
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
	for _, name := range old {
		if err := r.target.Remove(ctx, name); err != nil {
			return err
		}
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
