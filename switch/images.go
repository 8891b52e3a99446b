package cardswitch

import (
	"fmt"
	"sync"

	"cardswitch/spec"
	"cardswitch/spec/dialect"
	"cardswitch/store/journal"
	"cardswitch/store/registry"
)

// Images are the messages of one transaction as the journal keeps them: byte for byte, save what
// may not be kept, which is blanked.
type Images struct {
	list []kept
}

type kept struct {
	role    journal.Role
	link    uint16
	dialect *spec.Dialect
	safe    []byte
}

// Has tells whether the transaction has a message of this role.
func (i *Images) Has(role journal.Role) bool { return i.find(role) != nil }

// find gives the last message of a role.
func (i *Images) find(role journal.Role) *kept {
	for n := len(i.list) - 1; n >= 0; n-- {
		if i.list[n].role == role {
			return &i.list[n]
		}
	}
	return nil
}

// Each calls fn for every message in the order in which they were journaled.
func (i *Images) Each(fn func(role journal.Role, link uint16, d *spec.Dialect, safe []byte)) {
	for _, k := range i.list {
		fn(k.role, k.link, k.dialect, k.safe)
	}
}

// Restore gives the message of a role with its card number put back, in dialect d; nil leaves it
// in the dialect in which it was kept.
func (i *Images) Restore(role journal.Role, d *spec.Dialect, pan spec.PAN) ([]byte, error) {
	k := i.find(role)
	if k == nil {
		return nil, fmt.Errorf("the transaction has no %s", role)
	}
	var m spec.Message
	if f := k.dialect.Index(&m, k.safe); !f.OK() {
		return nil, fmt.Errorf("the kept %s: %w", role, f.Err())
	}
	if !m.Has(2) && !m.Has(34) {
		pan = spec.PAN{} // it came by a track, and an answer doesn't repeat it
	}
	raw, err := k.dialect.RestorePAN(nil, &m, pan)
	if err != nil || d == nil || d.Same(k.dialect) {
		return raw, err
	}
	if f := k.dialect.Index(&m, raw); !f.OK() {
		return nil, fmt.Errorf("the kept %s: %w", role, f.Err())
	}
	var none spec.Edit
	none.Reset()
	out, f := d.Append(nil, &m, &none)
	return out, f.Err()
}

// Images reads the messages of a transaction from its records.
func (s *Switch) Images(records []journal.Record) (*Images, error) {
	return s.archive.resolve(records)
}

// archive finds the dialect that an old message was kept in, also when the configuration no longer
// has it: its definition is in the registry.
type archive struct {
	registry *registry.Registry
	mu       sync.Mutex
	dialects map[uint16]*spec.Dialect
}

func newArchive(r *registry.Registry) *archive {
	return &archive{registry: r, dialects: make(map[uint16]*spec.Dialect)}
}

func (a *archive) dialect(id uint16) (*spec.Dialect, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if d := a.dialects[id]; d != nil {
		return d, nil
	}
	d, err := dialect.Parse(a.registry.Name(id), a.registry.Definition(id))
	if err != nil {
		return nil, fmt.Errorf("dialect %d of the journal: %w", id, err)
	}
	a.dialects[id] = d
	return d, nil
}

func (a *archive) resolve(records []journal.Record) (*Images, error) {
	images := &Images{}
	for i := range records {
		r := &records[i]
		for n := range r.Images[:r.ImageCount] {
			image := &r.Images[n]
			d, err := a.dialect(image.Dialect)
			if err != nil {
				return nil, err
			}
			safe := append([]byte(nil), image.Data...)
			if image.Base != 0 {
				if safe, err = images.apply(image, d); err != nil {
					return nil, fmt.Errorf("record %d: %w", r.Seq, err)
				}
			}
			images.list = append(images.list,
				kept{role: image.Role, link: image.Link, dialect: d, safe: safe})
		}
	}
	return images, nil
}

func (i *Images) apply(image *journal.Image, d *spec.Dialect) ([]byte, error) {
	k := i.find(image.Base)
	if k == nil {
		return nil, fmt.Errorf("the %s lacks its base", image.Role)
	}
	var base spec.Message
	if f := k.dialect.Index(&base, k.safe); !f.OK() {
		return nil, fmt.Errorf("the kept %s: %w", image.Base, f.Err())
	}
	return spec.ApplyDelta(nil, &base, d, image.Data)
}
