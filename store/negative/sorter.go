package negative

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// runEntries is how many entries are sorted in memory at once: 32 MB, and as much again while they
// are. Ten million make eight runs.
const runEntries = 32 << 20 / entrySize

// sorter brings entries into the order of their hashes, with bounded memory: runs that are sorted
// in memory and written out, then merged. Of several entries of one card the last one stays.
type sorter struct {
	fs    vfs.FS
	stem  string // of the runs' names
	most  int    // entries of a run
	run   []byte
	spare []byte
	runs  []string
	added uint64
}

func newSorter(fs vfs.FS, stem string) *sorter {
	return &sorter{fs: fs, stem: stem, most: runEntries}
}

// add takes an entry.
func (s *sorter) add(e *Entry) error {
	s.run = e.append(s.run)
	s.added++
	if len(s.run) < s.most*entrySize {
		return nil
	}
	return s.flush()
}

// flush sorts what is in memory and writes it out. Runs aren't synced: an import that dies begins
// anew.
func (s *sorter) flush() error {
	name := fmt.Sprintf("%s.run%d", s.stem, len(s.runs))
	s.order()
	file, err := s.fs.Create(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	s.runs = append(s.runs, name)
	err = private(file)
	for at := 0; at < len(s.run) && err == nil; at += 1 << 20 {
		_, err = file.Write(s.run[at:min(at+1<<20, len(s.run))])
	}
	s.run = s.run[:0]
	return errors.Join(err, file.Close())
}

// order sorts the run, keeping the order of equal hashes: by counting the first 16 bits, then by
// insertion among the few that begin with the same.
func (s *sorter) order() {
	const buckets = 1 << 16
	if cap(s.spare) < len(s.run) {
		s.spare = make([]byte, 0, cap(s.run))
	}
	to := s.spare[:len(s.run)]
	var starts [buckets + 1]uint32
	for at := 0; at < len(s.run); at += entrySize {
		starts[int(binary.BigEndian.Uint16(s.run[at:]))+1]++
	}
	for i := 1; i < len(starts); i++ {
		starts[i] += starts[i-1]
	}
	next := starts
	for at := 0; at < len(s.run); at += entrySize {
		bucket := binary.BigEndian.Uint16(s.run[at:])
		copy(to[int(next[bucket])*entrySize:], s.run[at:at+entrySize])
		next[bucket]++
	}
	for i := range buckets {
		insertionSort(to[int(starts[i])*entrySize : int(starts[i+1])*entrySize])
	}
	s.run, s.spare = to, s.run[:0]
}

func insertionSort(entries []byte) {
	for i := entrySize; i < len(entries); i += entrySize {
		e := entryOf(entries[i:])
		key := keyOf(entries[i:])
		at := i
		for ; at > 0 && key.before(keyOf(entries[at-entrySize:])); at -= entrySize {
			copy(entries[at:at+entrySize], entries[at-entrySize:])
		}
		if at != i {
			e.append(entries[at:at])
		}
	}
}

// sortKey is a hash as two numbers.
type sortKey struct{ high, low uint64 }

func keyOf(b []byte) sortKey {
	return sortKey{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])}
}

func (k sortKey) before(o sortKey) bool {
	return k.high < o.high || k.high == o.high && k.low < o.low
}

// cursor reads one run.
type cursor struct {
	file io.Closer
	r    *bufio.Reader
	key  sortKey
	now  [entrySize]byte
	done bool
}

func (c *cursor) next() error {
	_, err := io.ReadFull(c.r, c.now[:])
	if errors.Is(err, io.EOF) {
		c.done = true
		return nil
	}
	c.key = keyOf(c.now[:])
	return err
}

// merge calls fn with every card once, in order, and tells how many entries had another after them
// for the same card.
func (s *sorter) merge(fn func(entry []byte) error) (doubles uint64, err error) {
	if err := s.flush(); err != nil {
		return 0, err
	}
	s.run, s.spare = nil, nil
	heap := &merging{}
	defer func() { err = errors.Join(err, heap.close()) }()
	for _, name := range s.runs {
		file, err := s.fs.Open(name, vfs.SequentialReadsOption)
		if err != nil {
			return 0, err
		}
		c := &cursor{file: file, r: bufio.NewReaderSize(file, 256<<10)}
		heap.all = append(heap.all, c)
		if err := c.next(); err != nil {
			return 0, err
		}
	}
	heap.begin()
	var last [entrySize]byte
	for have := false; ; {
		c := heap.first()
		if c == nil {
			if have {
				err = fn(last[:])
			}
			return doubles, err
		}
		switch {
		case have && keyOf(last[:]) == c.key:
			doubles++
		case have:
			if err := fn(last[:]); err != nil {
				return doubles, err
			}
		}
		last, have = c.now, true
		if err := c.next(); err != nil {
			return doubles, err
		}
		heap.sift(0)
	}
}

// remove removes the runs.
func (s *sorter) remove() (err error) {
	for _, name := range s.runs {
		err = errors.Join(err, s.fs.Remove(name))
	}
	s.runs = nil
	return err
}

// merging is a heap of runs: the smallest hash first, of equal ones the earlier run.
type merging struct {
	all  []*cursor
	heap []int
}

func (m *merging) begin() {
	for i, c := range m.all {
		if !c.done {
			m.heap = append(m.heap, i)
		}
	}
	for i := len(m.heap)/2 - 1; i >= 0; i-- {
		m.sift(i)
	}
}

// first is the cursor that is next, nil at the end.
func (m *merging) first() *cursor {
	for len(m.heap) > 0 && m.all[m.heap[0]].done {
		m.heap[0] = m.heap[len(m.heap)-1]
		m.heap = m.heap[:len(m.heap)-1]
		m.sift(0)
	}
	if len(m.heap) == 0 {
		return nil
	}
	return m.all[m.heap[0]]
}

func (m *merging) before(a, b int) bool {
	x, y := m.all[a], m.all[b]
	if x.done || y.done {
		return !x.done
	}
	return x.key.before(y.key) || x.key == y.key && a < b
}

// sift brings the one at i to its place below.
func (m *merging) sift(i int) {
	for {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(m.heap); child++ {
			if m.before(m.heap[child], m.heap[least]) {
				least = child
			}
		}
		if least == i {
			return
		}
		m.heap[i], m.heap[least] = m.heap[least], m.heap[i]
		i = least
	}
}

func (m *merging) close() (err error) {
	for _, c := range m.all {
		err = errors.Join(err, c.file.Close())
	}
	return err
}
