package cardswitch

import (
	"errors"
	"fmt"
	"sync"

	"cardswitch/spec"
	"cardswitch/spec/dialect"
	"cardswitch/store/journal"
)

// Names gives what stands behind the numbers in a record. The store's registry is one.
type Names interface {
	Name(id uint16) string
	Definition(id uint16) []byte
}

// Archive reads the messages in the journal. The dialects it needs are in the registry, as they
// were when a message was kept, whatever the configuration says by now.
type Archive struct {
	names    Names
	mu       sync.Mutex
	dialects map[uint16]*spec.Dialect
}

// NewArchive reads with these names.
func NewArchive(names Names) *Archive {
	return &Archive{names: names, dialects: make(map[uint16]*spec.Dialect)}
}

// know tells the format of a number, made already from the definition that the registry has.
func (a *Archive) know(id uint16, d *spec.Dialect) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.dialects[id] = d
}

// Dialect is the format of the images that carry this number.
func (a *Archive) Dialect(id uint16) (*spec.Dialect, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if d := a.dialects[id]; d != nil {
		return d, nil
	}
	definition := a.names.Definition(id)
	if definition == nil {
		return nil, fmt.Errorf("the registry has no dialect %d", id)
	}
	d, err := dialect.Parse(a.names.Name(id), definition)
	if err != nil {
		return nil, fmt.Errorf("dialect %d of the journal: %w", id, err)
	}
	a.dialects[id] = d
	return d, nil
}

// Images are the messages of one transaction as the journal keeps them: byte for byte, save what
// may not be kept, which is blanked.
type Images struct {
	archive *Archive
	whole   bool // with what was cut out put back
	list    []*Kept
}

// Kept is one of them.
type Kept struct {
	Role    journal.Role
	Message spec.Message // has elements as far as Err lets it
	Err     error        // why it can't be read, or not to its end
}

// Images are to be read for people, by Add: no card number is in them.
func (a *Archive) Images() *Images { return &Images{archive: a} }

// whole reads the messages in the records of one transaction as they can be sent again.
func (a *Archive) whole(records ...journal.Record) *Images {
	images := &Images{archive: a, whole: true}
	for i := range records {
		images.Add(&records[i])
	}
	return images
}

// Add reads those of the transaction's next record, which may build on the earlier ones.
func (i *Images) Add(r *journal.Record) []*Kept {
	before := len(i.list)
	for n := range r.Images[:r.ImageCount] {
		i.list = append(i.list, i.read(&r.Images[n]))
	}
	return i.list[before:]
}

func (i *Images) read(image *journal.Image) *Kept {
	k := &Kept{Role: image.Role}
	var d *spec.Dialect
	if d, k.Err = i.archive.Dialect(image.Dialect); k.Err != nil {
		return k
	}
	data := append([]byte(nil), image.Data...)
	if i.whole {
		if k.Err = spec.PutBack(data, image.Cut); k.Err != nil {
			return k
		}
	}
	if image.Base != 0 {
		base := i.find(image.Base)
		switch {
		case base == nil:
			k.Err = fmt.Errorf("the %s that it builds on is missing", image.Base)
			return k
		case base.Err != nil:
			k.Err = fmt.Errorf("the %s that it builds on: %w", image.Base, base.Err)
			return k
		}
		if data, k.Err = spec.ApplyDelta(nil, &base.Message, d, data); k.Err != nil {
			return k
		}
	}
	if fault := d.Index(&k.Message, data); !fault.OK() {
		k.Err = fault.Err()
	}
	return k
}

// Has tells whether the transaction has a message of this role.
func (i *Images) Has(role journal.Role) bool { return i.find(role) != nil }

// find gives the last message of a role.
func (i *Images) find(role journal.Role) *Kept {
	for n := len(i.list) - 1; n >= 0; n-- {
		if i.list[n].Role == role {
			return i.list[n]
		}
	}
	return nil
}

// Restore gives the message of a role as it can be sent, with its card number put back, in dialect
// d; nil leaves it in the dialect in which it was kept.
func (i *Images) Restore(role journal.Role, d *spec.Dialect, pan spec.PAN) ([]byte, error) {
	return i.restore(role, d, pan, (*spec.Dialect).RestorePAN)
}

// Asked gives the request with its card number put back and its other blanks as they are: what the
// transaction's next images build on.
func (i *Images) Asked(d *spec.Dialect, pan spec.PAN) ([]byte, error) {
	return i.restore(journal.Request, d, pan, (*spec.Dialect).PutPAN)
}

func (i *Images) restore(role journal.Role, d *spec.Dialect, pan spec.PAN,
	put func(*spec.Dialect, []byte, *spec.Message, spec.PAN) ([]byte, error)) ([]byte, error) {
	k := i.find(role)
	if k == nil {
		return nil, fmt.Errorf("%w: no %s", errNoMessage, role)
	}
	if k.Err != nil {
		return nil, fmt.Errorf("the kept %s: %w", role, k.Err)
	}
	if !k.Message.Has(2) && !k.Message.Has(34) {
		pan = spec.PAN{} // it came by a track, and an answer doesn't repeat it
	}
	kept := k.Message.Dialect()
	raw, err := put(kept, nil, &k.Message, pan)
	if err != nil || d == nil || d.Same(kept) {
		return raw, err
	}
	var m spec.Message
	if f := kept.Index(&m, raw); !f.OK() {
		return nil, fmt.Errorf("the kept %s: %w", role, f.Err())
	}
	out, f := d.Append(nil, &m, nil)
	if !f.OK() {
		return nil, fmt.Errorf("%w: %w", errUnwritable, f.Err())
	}
	return out, nil
}

var (
	errNoMessage  = errors.New("the transaction lacks the message")
	errUnwritable = errors.New("it cannot be written in the center's dialect")
)
