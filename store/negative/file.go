package negative

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"runtime"

	"github.com/cockroachdb/pebble/v2/vfs"
	"golang.org/x/sys/unix"
)

// A regular file is its entries, sorted by hash, and a footer:
//
//	magic 8 · version 2 · issuer 2 · generation 8 · count 8 · name of the data key 8 · SHA-256 32
//
// The sum is over the entries and the footer before it. Numbers are big endian.
const (
	magic      = "cswneg\r\n"
	version    = 1
	footerSize = 8 + 2 + 2 + 8 + 8 + 8 + sha256.Size
)

// ErrDamaged is that of a file that isn't what its record says.
var ErrDamaged = errors.New("the file isn't what was imported")

// Identity names a regular file: whose it is, which one, and under which data key its hashes are.
type Identity struct {
	Issuer     uint16 // registry id
	Generation uint64 // rises by one with each import of the issuer
	Key        [8]byte
}

// name is that of the file.
func (i Identity) name() string {
	return fmt.Sprintf("%05d-%010d.negative", i.Issuer, i.Generation)
}

func (i Identity) footer(count uint64) []byte {
	b := append(make([]byte, 0, footerSize), magic...)
	b = binary.BigEndian.AppendUint16(b, version)
	b = binary.BigEndian.AppendUint16(b, i.Issuer)
	b = binary.BigEndian.AppendUint64(b, i.Generation)
	b = binary.BigEndian.AppendUint64(b, count)
	return append(b, i.Key[:]...)
}

// File is a regular file, whole in memory. It never changes.
type File struct {
	entries []byte
	index   []uint32 // of the hash's first bits: where entries that begin so start
	shift   uint
	sum     [sha256.Size]byte
}

// Count is how many cards it lists.
func (f *File) Count() uint64 { return uint64(len(f.entries) / entrySize) }

// Sum is its SHA-256.
func (f *File) Sum() [sha256.Size]byte { return f.sum }

// openFile reads a file and holds every byte of it to what it should be.
func openFile(fs vfs.FS, name string, want Identity) (*File, error) {
	content, release, err := hold(fs, name)
	if err != nil {
		return nil, err
	}
	f, err := check(content, want)
	if err != nil {
		release()
		return nil, err
	}
	// Whoever still looks something up in it holds it.
	runtime.AddCleanup(f, func(release func()) { release() }, release)
	return f, nil
}

func check(content []byte, want Identity) (*File, error) {
	at := len(content) - footerSize
	if at < 0 || at%entrySize != 0 || at/entrySize > 1<<32-1 {
		return nil, fmt.Errorf("%w: %d bytes", ErrDamaged, len(content))
	}
	f := &File{entries: content[:at]}
	footer := want.footer(f.Count())
	if !bytes.Equal(content[at:len(content)-sha256.Size], footer) {
		return nil, fmt.Errorf("%w: it is another issuer's, another generation, cut, or under "+
			"another data key", ErrDamaged)
	}
	f.sum = sha256.Sum256(content[:len(content)-sha256.Size])
	if !bytes.Equal(f.sum[:], content[len(content)-sha256.Size:]) {
		return nil, fmt.Errorf("%w: its check sum is wrong", ErrDamaged)
	}
	return f, f.makeIndex()
}

// perBucket is about how many entries begin with the same bits of the index: they lie in a few
// lines of the processor's cache.
const perBucket = 8

// makeIndex counts where hashes of the same first bits begin. Hashes are as good as random, so that
// all buckets are about equally long.
func (f *File) makeIndex() error {
	count := int(f.Count())
	width := max(bits.Len(uint(count/perBucket)), 1)
	f.shift = uint(64 - width)
	f.index = make([]uint32, 1<<width+1)
	last := uint64(0)
	for i := range count {
		e := f.entries[i*entrySize:]
		if i > 0 && bytes.Compare(f.entries[(i-1)*entrySize:][:hashSize], e[:hashSize]) >= 0 {
			return fmt.Errorf("%w: it isn't sorted", ErrDamaged)
		}
		bucket := binary.BigEndian.Uint64(e) >> f.shift
		for ; last < bucket; last++ {
			f.index[last+1] = uint32(i)
		}
	}
	for ; last < 1<<width; last++ {
		f.index[last+1] = uint32(count)
	}
	return nil
}

// Find looks a card up. It takes no lock and allocates nothing.
func (f *File) Find(card *Hash) (Terms, bool) {
	high, low := binary.BigEndian.Uint64(card[:]), binary.BigEndian.Uint64(card[8:])
	bucket := high >> f.shift
	entries := f.entries[int(f.index[bucket])*entrySize : int(f.index[bucket+1])*entrySize]
	for ; len(entries) >= entrySize; entries = entries[entrySize:] {
		is := binary.BigEndian.Uint64(entries)
		if is < high {
			continue
		}
		if is > high {
			break
		}
		if binary.BigEndian.Uint64(entries[8:]) == low {
			terms := termsOf(entries[hashSize:])
			runtime.KeepAlive(f)
			return terms, true
		}
	}
	runtime.KeepAlive(f)
	return Terms{}, false
}

// Each calls fn with every entry, in the order of their hashes, until it returns an error.
func (f *File) Each(fn func(Entry) error) error {
	defer runtime.KeepAlive(f)
	for at := 0; at < len(f.entries); at += entrySize {
		if err := fn(entryOf(f.entries[at:])); err != nil {
			return err
		}
	}
	return nil
}

// hold maps a file of the machine's disk into memory; one of a simulation's is read. The kernel may
// drop what isn't looked at for long, and reads it again: such a lookup takes a disk's time, but no
// lock is held meanwhile.
func hold(fs vfs.FS, name string) (content []byte, release func(), err error) {
	file, err := fs.Open(name)
	if err != nil {
		return nil, nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, nil, err
	}
	if fd := file.Fd(); fd != vfs.InvalidFd && info.Size() > 0 {
		content, err = unix.Mmap(int(fd), 0, int(info.Size()), unix.PROT_READ, unix.MAP_SHARED)
		return content, func() { _ = unix.Munmap(content) }, err
	}
	content = make([]byte, info.Size())
	_, err = io.ReadFull(io.NewSectionReader(file, 0, info.Size()), content)
	return content, func() {}, err
}
