package audit

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"

	"cardswitch/store/wholefile"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A segment is a file of lines, named after its first record.
func segmentName(first uint64) string { return fmt.Sprintf("audit-%016d.jsonl", first) }

// segments lists the first records of the segments in a folder, oldest first.
func segments(fs vfs.FS, dir string) ([]uint64, error) {
	names, err := fs.List(dir)
	if err != nil {
		return nil, err
	}
	var list []uint64
	for _, name := range names {
		var first uint64
		if _, err := fmt.Sscanf(name, "audit-%d.jsonl", &first); err == nil &&
			first > 0 && name == segmentName(first) {
			list = append(list, first)
		}
	}
	slices.Sort(list)
	return list, nil
}

// lines reads a segment line by line.
type lines struct {
	file vfs.File
	r    *bufio.Reader
	end  int64 // behind the last whole line
	rest int64 // bytes behind it, once next has found no more
}

func openLines(fs vfs.FS, dir string, first uint64) (*lines, error) {
	f, err := fs.Open(fs.PathJoin(dir, segmentName(first)))
	if err != nil {
		return nil, err
	}
	return &lines{file: f, r: bufio.NewReaderSize(f, lineSize)}, nil
}

// skip goes on behind what the first n bytes hold.
func (l *lines) skip(n int64) error {
	skipped, err := io.CopyN(io.Discard, l.r, n)
	l.end += skipped
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// next is the next line without its line feed, valid until the call after; nil if there is no whole
// one. A line too long to be a record is none.
func (l *lines) next() ([]byte, error) {
	text, err := l.r.ReadSlice('\n')
	switch {
	case err == nil:
		l.end += int64(len(text))
		return text[:len(text)-1], nil
	case errors.Is(err, io.EOF) || errors.Is(err, bufio.ErrBufferFull):
		info, err := l.file.Stat()
		if err == nil {
			l.rest = info.Size() - l.end
		}
		return nil, err
	}
	return nil, err
}

func (l *lines) close() error { return l.file.Close() }

// cutSegment keeps the first bytes of a segment, by way of a copy.
func cutSegment(fs vfs.FS, dir string, first uint64, size int64) error {
	name := fs.PathJoin(dir, segmentName(first))
	from, err := fs.Open(name)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := fs.Create(name+".next", vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	err = wholefile.Private(to)
	if err == nil {
		_, err = io.CopyN(to, from, size)
	}
	if err == nil {
		err = to.Sync()
	}
	if err = errors.Join(err, to.Close()); err != nil {
		return err
	}
	if err := fs.Rename(name+".next", name); err != nil {
		return err
	}
	return wholefile.SyncDir(fs, dir)
}
