package negative

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"sync"
	"time"

	"cardswitch/store/wholefile"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Books is the store that the tables lie in. Get and Scan are those of *store.Store.
type Books interface {
	Get(key []byte) (value []byte, ok bool, err error)
	Scan(from, to []byte, fn func(key, value []byte) bool) error
}

// Options say what the lists work with.
type Options struct {
	Books  Books
	Disk   vfs.FS // nil: the machine's
	Dir    string // of the regular files
	Key    [8]byte
	Logger *slog.Logger
}

// Table is the lists of all issuers. Its methods are safe for concurrent use; those of a list say
// themselves how they may be used.
type Table struct {
	o    Options
	mu   sync.Mutex
	made bool
	all  map[uint16]*List
}

// Open makes a table. Nothing is read before the first List.
func Open(o Options) *Table {
	if o.Disk == nil {
		o.Disk = vfs.Default
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Table{o: o, all: make(map[uint16]*List)}
}

// List is the list of an issuer, read from the disk the first time: every byte of a regular file is
// checked. One that isn't what its record says leaves the list Unusable and is no error here.
func (t *Table) List(issuer uint16, name string, zone *time.Location) (*List, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if l := t.all[issuer]; l != nil {
		l.SetZone(zone)
		return l, nil
	}
	l, err := t.read(issuer, name, zone)
	if err != nil {
		return nil, &Error{"read the negative file of " + name, err,
			"check data.dir and its disk; restore the directory if it is damaged"}
	}
	t.all[issuer] = l
	return l, nil
}

func (t *Table) read(issuer uint16, name string, zone *time.Location) (*List, error) {
	if err := t.makeFolder(); err != nil {
		return nil, err
	}
	l := newList(issuer, zone)
	if err := t.readEntries(l); err != nil {
		return nil, err
	}
	if err := t.readLoad(l); err != nil {
		return nil, err
	}
	metas, err := t.History(issuer)
	if err != nil {
		return nil, err
	}
	var files []filed
	for _, m := range metas {
		l.newest = max(l.newest, m.Generation)
		if m.Ended == 0 {
			files = append(files, filed{Meta: m})
		}
	}
	for i := range files {
		f := &files[i]
		if f.file, f.why = t.open(issuer, &f.Meta); f.why != nil {
			t.o.Logger.Error("a negative file can't be used", "issuer", name,
				"generation", f.Generation, "file", Identity{Issuer: issuer, Generation: f.Generation}.name(),
				"error", f.why, "hint", "restore the file, or bring it again by `cardswitch negative "+
					"import`; until then negative.damaged of the issuer says what becomes of its requests")
		}
	}
	l.files.Store(&files)
	return l, t.sweep(issuer, files)
}

// open opens a file that its record tells of.
func (t *Table) open(issuer uint16, m *Meta) (*File, error) {
	i := Identity{issuer, m.Generation, t.o.Key}
	f, err := openFile(t.o.Disk, t.path(i.name()), i)
	if err != nil {
		return nil, err
	}
	return f, m.fits(f)
}

func (t *Table) path(name string) string { return t.o.Disk.PathJoin(t.o.Dir, name) }

func (t *Table) makeFolder() error {
	if t.made {
		return nil
	}
	if err := t.o.Disk.MkdirAll(t.o.Dir, 0o700); err != nil {
		return err
	}
	t.made = true
	return wholefile.SyncDir(t.o.Disk, t.o.Disk.PathDir(t.o.Dir))
}

func (t *Table) readEntries(l *List) error {
	var all []urgentEntry
	var bad error
	from, to := allOf(familyEntry, l.issuer)
	err := t.o.Books.Scan(from, to, func(key, value []byte) bool {
		if len(key) != len(from)+hashSize {
			bad = ErrDamaged
			return false
		}
		e, ok := urgentOf(Hash(key[len(from):]), value)
		if !ok {
			bad = ErrDamaged
			return false
		}
		all = append(all, e)
		return true
	})
	l.urgent.fill(all)
	return errors.Join(err, bad)
}

func (t *Table) readLoad(l *List) error {
	value, ok, err := t.o.Books.Get(prefix(familyLoad, l.issuer))
	if !ok || err != nil {
		return err
	}
	if err := json.Unmarshal(value, &l.load); err != nil {
		return err
	}
	l.litter = true
	if !l.load.Open || !l.load.Recover {
		l.load.Open = false
		return nil
	}
	return t.Staged(l.issuer, l.load, func(number uint64, _ Entry) error {
		l.load.Number = number
		return nil
	})
}

// History is what is known of an issuer's regular files, the oldest first.
func (t *Table) History(issuer uint16) (metas []Meta, err error) {
	var bad error
	from, to := allOf(familyFile, issuer)
	err = t.o.Books.Scan(from, to, func(_, value []byte) bool {
		m, err := ParseMeta(string(value))
		if bad = err; err != nil {
			return false
		}
		metas = append(metas, m)
		return true
	})
	return metas, errors.Join(err, bad)
}

// Staged calls fn with the entries that a load has brought, in the order of their numbers. It sees
// what is durable.
func (t *Table) Staged(issuer uint16, o Load, fn func(uint64, Entry) error) error {
	var failed error
	from, to := stagedKey(issuer, o.Serial, 0), stagedKey(issuer, o.Serial+1, 0)
	err := t.o.Books.Scan(from, to, func(key, value []byte) bool {
		if len(value) != entrySize {
			failed = fmt.Errorf("%w: an entry of a load", ErrDamaged)
			return false
		}
		failed = fn(numberOf(key), entryOf(value))
		return failed == nil
	})
	return errors.Join(err, failed)
}

// Litter gives the keys of entries that loads before one have left, so many at most.
func (t *Table) Litter(issuer uint16, before uint32, most int) (keys [][]byte, err error) {
	from, _ := allOf(familyStaged, issuer)
	err = t.o.Books.Scan(from, stagedKey(issuer, before, 0), func(key, _ []byte) bool {
		keys = append(keys, bytes.Clone(key))
		return len(keys) < most
	})
	return keys, err
}

// Builder begins a regular file of an issuer.
func (t *Table) Builder(issuer uint16, generation uint64) *Builder {
	return NewBuilder(t.o.Disk, t.o.Dir, Identity{issuer, generation, t.o.Key})
}

// sweep removes what no record tells of: files that were replaced, and litter of imports that died.
func (t *Table) sweep(issuer uint16, keep []filed) error {
	names, err := t.o.Disk.List(t.o.Dir)
	if err != nil {
		return err
	}
	kept := make(map[string]bool)
	for i := range keep {
		kept[Identity{Issuer: issuer, Generation: keep[i].Generation}.name()] = true
	}
	for _, name := range names {
		if kept[name] || !strings.HasPrefix(name, fmt.Sprintf("%05d-", issuer)) {
			continue
		}
		if err := t.o.Disk.Remove(t.path(name)); err != nil {
			return err
		}
	}
	return nil
}

// Forget removes the file of a generation that has ended. That it has must be durable.
func (t *Table) Forget(issuer uint16, generation uint64) error {
	err := t.o.Disk.Remove(t.path(Identity{Issuer: issuer, Generation: generation}.name()))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
