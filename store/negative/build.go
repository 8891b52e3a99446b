package negative

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io/fs"

	"cardswitch/store/wholefile"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Difference is what a new file changes against the old one.
type Difference struct {
	Added   uint64 `json:"added"`
	Kept    uint64 `json:"kept"`    // with the same terms
	Changed uint64 `json:"changed"` // with other terms
	Removed uint64 `json:"removed"`
	Doubles uint64 `json:"doubles"` // entries with a later one for the same card, which counts
}

// Builder makes a regular file. It is put in its place whole, or not at all; one that died left
// litter that the next start or import removes.
type Builder struct {
	disk     vfs.FS
	dir      string
	identity Identity
	sorter   *sorter
}

// NewBuilder begins a file in dir.
func NewBuilder(disk vfs.FS, dir string, i Identity) *Builder {
	return &Builder{disk: disk, dir: dir, identity: i,
		sorter: newSorter(disk, disk.PathJoin(dir, i.name()))}
}

// Add takes an entry; of several of one card the last one counts.
func (b *Builder) Add(e *Entry) error { return b.sorter.add(e) }

// Count is how many entries were added.
func (b *Builder) Count() uint64 { return b.sorter.added }

// Drop removes what was written.
func (b *Builder) Drop() error {
	err := b.sorter.remove()
	for _, suffix := range []string{".new", ""} {
		name := b.disk.PathJoin(b.dir, b.identity.name()+suffix)
		if e := b.disk.Remove(name); !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	return err
}

// Finish makes the file durable, opens it and says what it is. old is the one to compare with, nil
// if there is none.
func (b *Builder) Finish(old *File) (*File, Meta, error) {
	name := b.disk.PathJoin(b.dir, b.identity.name())
	d, err := b.write(name+".new", old)
	if err == nil {
		err = b.sorter.remove()
	}
	if err == nil {
		err = b.disk.Rename(name+".new", name)
	}
	if err == nil {
		err = wholefile.SyncDir(b.disk, b.dir)
	}
	if err != nil {
		return nil, Meta{}, errors.Join(err, b.Drop())
	}
	f, err := openFile(b.disk, name, b.identity)
	if err != nil {
		return nil, Meta{}, err
	}
	sum := f.Sum()
	return f, Meta{Generation: b.identity.Generation, Cards: f.Count(),
		SHA256: hex.EncodeToString(sum[:]), Difference: d}, nil
}

func (b *Builder) write(name string, old *File) (Difference, error) {
	file, err := b.disk.Create(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return Difference{}, err
	}
	w := &fileWriter{to: bufio.NewWriterSize(file, 1<<20), sum: sha256.New(), old: old}
	err = private(file)
	if err == nil {
		w.Doubles, err = b.sorter.merge(w.entry)
	}
	if err == nil {
		err = w.end(b.identity)
	}
	if err == nil {
		err = file.Sync()
	}
	return w.Difference, errors.Join(err, file.Close())
}

// fileWriter writes entries in their order, and compares them with the old file's.
type fileWriter struct {
	to    *bufio.Writer
	sum   hash.Hash
	count uint64
	old   *File
	at    int // in old
	Difference
}

func (w *fileWriter) entry(e []byte) error {
	w.compare(e)
	w.count++
	w.sum.Write(e)
	_, err := w.to.Write(e)
	return err
}

func (w *fileWriter) compare(e []byte) {
	if w.old == nil {
		w.Added++
		return
	}
	key := keyOf(e)
	for ; w.at < len(w.old.entries); w.at += entrySize {
		was := w.old.entries[w.at : w.at+entrySize]
		if is := keyOf(was); !is.before(key) {
			if is != key {
				break
			}
			w.at += entrySize
			if string(was) == string(e) {
				w.Kept++
			} else {
				w.Changed++
			}
			return
		}
		w.Removed++
	}
	w.Added++
}

func (w *fileWriter) end(i Identity) error {
	if w.old != nil {
		w.Removed += uint64(len(w.old.entries)-w.at) / entrySize
	}
	footer := i.footer(w.count)
	w.sum.Write(footer)
	if _, err := w.to.Write(w.sum.Sum(footer)); err != nil {
		return err
	}
	return w.to.Flush()
}

func private(f vfs.File) error { return wholefile.Private(f) }
