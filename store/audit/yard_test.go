package audit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// small makes segments and anchors come often.
func small(disk vfs.FS) Options {
	return Options{Dir: "audit", FS: disk, SegmentBytes: 1800, AnchorEvery: 4}
}

// create makes a log and returns what the auditor got.
func create(t testing.TB, o Options) Birth {
	t.Helper()
	var birth Birth
	err := Create(o, func(b Birth) error { birth = b; return nil })
	if err != nil {
		t.Fatal(err)
	}
	return birth
}

func open(t testing.TB, o Options) *Log {
	t.Helper()
	l, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func closeLog(t testing.TB, l *Log) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func act(n int) Entry {
	return Entry{Actor: "tanaka", Role: "operator", Source: "uid 1000", Event: WorkListDecided,
		Object: fmt.Sprintf("advice %d", n), Reason: "the bank asked for it", Result: Done}
}

func record(t testing.TB, l *Log, n int) uint64 {
	t.Helper()
	seq, err := l.Append(t.Context(), act(n))
	if err != nil {
		t.Fatal(err)
	}
	return seq
}

// sample is a closed log of several segments.
type sample struct {
	disk    *vfs.MemFS
	birth   Birth
	anchors [][]byte
	files   map[string][]byte
	firsts  []uint64
}

func newSample(t testing.TB, records int) *sample {
	t.Helper()
	s := &sample{disk: vfs.NewMem(), files: make(map[string][]byte)}
	o := small(s.disk)
	anchored := make(chan []byte, records)
	o.Anchored = func(line []byte) { anchored <- line }
	s.birth = create(t, o)
	l := open(t, o)
	for n := range records {
		record(t, l, n)
	}
	closeLog(t, l)
	s.firsts, _ = segments(s.disk, "audit")
	for _, name := range s.names() {
		s.files[name] = s.read(t, name)
	}
	for _, line := range s.lines(t) {
		if r, err := parse(line); err == nil && r.Event == LogAnchor {
			s.anchors = append(s.anchors, line)
			<-anchored
		}
	}
	return s
}

func (s *sample) names() (names []string) {
	for _, first := range s.firsts {
		names = append(names, segmentName(first))
	}
	return names
}

func (s *sample) read(t testing.TB, name string) []byte {
	t.Helper()
	f, err := s.disk.Open("audit/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func write(t testing.TB, disk vfs.FS, name string, data []byte) {
	t.Helper()
	f, err := disk.Create("audit/"+name, vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Write(bytes.Clone(data))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		t.Fatal(err)
	}
}

// lines are all lines of the log, without their line feeds.
func (s *sample) lines(t testing.TB) (all [][]byte) {
	t.Helper()
	for _, name := range s.names() {
		text := strings.TrimSuffix(string(s.files[name]), "\n")
		for line := range strings.SplitSeq(text, "\n") {
			all = append(all, []byte(line))
		}
	}
	return all
}

// with puts other lines in the place of the log's, in the same files; verify; and puts it back.
func (s *sample) with(t testing.TB, change func(files map[string][][]byte), check func()) {
	t.Helper()
	files := make(map[string][][]byte)
	for name, data := range s.files {
		files[name] = bytes.SplitAfter(bytes.Clone(data), []byte("\n"))
		files[name] = files[name][:len(files[name])-1]
	}
	change(files)
	for name, lines := range files {
		write(t, s.disk, name, bytes.Join(lines, nil))
	}
	for name := range s.files {
		if files[name] == nil {
			_ = s.disk.Remove("audit/" + name)
		}
	}
	check()
	for name := range files {
		if s.files[name] == nil {
			_ = s.disk.Remove("audit/" + name)
		}
	}
	for name, data := range s.files {
		write(t, s.disk, name, data)
	}
}

// place is where a record stands.
func (s *sample) place(seq uint64) (name string, line int) {
	for i, first := range s.firsts {
		if i+1 == len(s.firsts) || seq < s.firsts[i+1] {
			return segmentName(first), int(seq - first)
		}
	}
	return "", 0
}

func (s *sample) byAnchor() Check { return Check{FS: s.disk, Public: s.birth.Public} }

func (s *sample) byKey() Check {
	return Check{FS: s.disk, Key: s.birth.Key, Public: s.birth.Public}
}
