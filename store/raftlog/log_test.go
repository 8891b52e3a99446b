package raftlog

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"cardswitch/store/entry"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"
	"pgregory.net/rapid"
)

func open(t require, disk vfs.FS, journal bool) (*Log, *pebble.DB) {
	db, err := pebble.Open("log", &pebble.Options{FS: disk, FormatMajorVersion: pebble.FormatNewest,
		Logger: silent{}})
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Write: func(b *pebble.Batch, sync bool) error {
		return errors.Join(b.Commit(&pebble.WriteOptions{Sync: sync}), b.Close())
	}}
	if journal {
		o.ChunkKey = chunkKey
	}
	l, err := Open(db, o)
	if err != nil {
		t.Fatal(err)
	}
	return l, db
}

func chunkKey(first uint64) []byte { return append([]byte("j"), entryKey(first)[2:]...) }

type require interface{ Fatal(...any) }

type silent struct{}

func (silent) Infof(string, ...any)              {}
func (silent) Errorf(string, ...any)             {}
func (silent) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

// found makes the log a node's, with raft's own storage in memory beside it.
func found(t require, l *Log, db *pebble.DB) *raft.MemoryStorage {
	b := db.NewBatch()
	members := []Member{{1, Data, "a"}, {2, Witness, "b"}, {3, Learner, ""}}
	if err := l.Found(b, Identity{"c", 1, 7}, members, 0); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(b.Commit(pebble.Sync), l.Reload()); err != nil {
		t.Fatal(err)
	}
	m := raft.NewMemoryStorage()
	err := m.ApplySnapshot(&pb.Snapshot{Metadata: &pb.SnapshotMetadata{Index: new(uint64(1)),
		Term: new(uint64(1)), ConfState: Conf(members)}})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// drawn is an entry as a batch makes it, whose first record is its place times ten.
func drawn(t *rapid.T, index, term uint64) *pb.Entry {
	e := &pb.Entry{Index: new(index), Term: new(term), Type: pb.EntryNormal.Enum()}
	switch rapid.IntRange(0, 5).Draw(t, "kind") {
	case 0: // a leader's first
	case 1:
		e.Type = pb.EntryConfChange.Enum()
		e.Data = []byte("change")
	default:
		some := rapid.SliceOfN(rapid.Byte(), 0, 30)
		chunks := rapid.IntRange(0, 2).Draw(t, "chunks")
		e.Data = entry.Begin(nil, chunks)
		for i := range chunks {
			c := some.Draw(t, "chunk")
			e.Data = entry.AppendChunk(e.Data, index*10+uint64(i),
				func(b []byte) []byte { return append(b, c...) })
		}
		e.Data = entry.AppendSet(e.Data, []byte("v"), some.Draw(t, "value"))
	}
	return e
}

// TestTheLogIsRaftsOwn: whatever is appended, put in the place of others and dropped, through power
// cuts, the log says the same as raft's own storage in memory.
func TestTheLogIsRaftsOwn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		journal := rapid.Bool().Draw(t, "journal")
		disk := vfs.NewCrashableMem()
		l, db := open(t, disk, journal)
		m := found(t, l, db)
		term, commit := uint64(1), uint64(1)
		for range rapid.IntRange(1, 25).Draw(t, "steps") {
			first, _ := m.FirstIndex()
			last, _ := m.LastIndex()
			switch rapid.IntRange(0, 6).Draw(t, "step") {
			case 0: // power cut
				disk = disk.CrashClone(vfs.CrashCloneCfg{})
				if err := db.Close(); err != nil {
					t.Fatal(err)
				}
				l, db = open(t, disk, journal)
				l.Known(commit)
			case 1:
				commit = rapid.Uint64Range(commit, last).Draw(t, "commit")
				l.Known(commit)
			case 2:
				through := rapid.Uint64Range(first-1, commit).Draw(t, "through")
				if err := l.Compact(through); err != nil {
					t.Fatal(err)
				}
				if err := m.Compact(through); err != nil && through >= first {
					t.Fatal(err)
				}
			default:
				from := rapid.Uint64Range(commit+1, last+1).Draw(t, "from")
				if from <= last {
					term++ // another leader
				}
				var entries []*pb.Entry
				for i := range rapid.Uint64Range(1, 4).Draw(t, "entries") {
					entries = append(entries, drawn(t, from+i, term))
				}
				hard := &pb.HardState{Term: new(term), Vote: new(uint64(2)), Commit: new(commit)}
				if err := errors.Join(l.Append(entries, hard), m.Append(entries)); err != nil {
					t.Fatal(err)
				}
			}
			same(t, l, m, term, commit)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

func same(t *rapid.T, l *Log, m *raft.MemoryStorage, term, commit uint64) {
	first, _ := m.FirstIndex()
	last, _ := m.LastIndex()
	f, _ := l.FirstIndex()
	e, _ := l.LastIndex()
	if e != last || f > first { // what was dropped may come back with a power cut
		t.Fatalf("entries %d to %d, want %d to %d", f, e, first, last)
	}
	for i := first - 1; i <= last; i++ {
		want, _ := m.Term(i)
		if got, err := l.Term(i); got != want || err != nil {
			t.Fatalf("term of %d: %d %v, want %d", i, got, err, want)
		}
	}
	most := rapid.Uint64Range(0, 200).Draw(t, "most")
	if first <= last {
		lo := rapid.Uint64Range(first, last).Draw(t, "lo")
		hi := rapid.Uint64Range(lo+1, last+1).Draw(t, "hi")
		sameEntries(t, l, m, lo, hi, most)
	}
	if _, err := l.Entries(f-1, last+1, 0); !errors.Is(err, raft.ErrCompacted) {
		t.Fatalf("entries before the first: %v", err)
	}
	if _, err := l.Entries(max(f, last), last+2, 0); !errors.Is(err, raft.ErrUnavailable) {
		t.Fatalf("entries after the last: %v", err)
	}
	hard, conf, err := l.InitialState()
	if err != nil || hard.GetCommit() != commit || hard.GetTerm() > term || len(conf.Voters) != 2 {
		t.Fatalf("state %v, members %v, %v", hard, conf, err)
	}
	if l.Member(2) != (Member{2, Witness, "b"}) || l.Identity() != (Identity{"c", 1, 7}) {
		t.Fatalf("%v %v", l.Members(), l.Identity())
	}
}

func sameEntries(t *rapid.T, l *Log, m *raft.MemoryStorage, lo, hi, most uint64) {
	all, _ := m.Entries(lo, hi, 1<<40)
	got, err := l.Entries(lo, hi, most)
	if err != nil || len(got) == 0 || len(got) > len(all) {
		t.Fatalf("entries %d to %d: %d of %d, %v", lo, hi, len(got), len(all), err)
	}
	size := uint64(0)
	for i, e := range got {
		size += uint64(len(e.GetData()))
		w := all[i]
		if e.GetIndex() != w.GetIndex() || e.GetTerm() != w.GetTerm() || e.GetType() != w.GetType() ||
			!bytes.Equal(e.GetData(), w.GetData()) {
			t.Fatalf("entry %d is %v, want %v", lo+uint64(i), e, w)
		}
	}
	if len(got) > 1 && size > most {
		t.Fatalf("%d bytes, at most %d were wanted", size, most)
	}
	if next := len(got); next < len(all) && size+uint64(len(all[next].GetData())) <= most {
		t.Fatalf("%d bytes, although %d were wanted and there is more", size, most)
	}
}

// TestChunksLieInTheJournal: once, as long as the log has them; and what another leader has put
// aside is gone from there too.
func TestChunksLieInTheJournal(t *testing.T) {
	l, db := open(t, vfs.NewMem(), true)
	found(t, l, db)
	defer db.Close()
	sealed := bytes.Repeat([]byte("sealed"), 1000)
	with := func(index, term, record uint64) *pb.Entry {
		data := entry.AppendChunk(entry.Begin(nil, 1), record,
			func(b []byte) []byte { return append(b, sealed...) })
		return &pb.Entry{Index: new(index), Term: new(term), Data: data}
	}
	hard := func(term uint64) *pb.HardState {
		return &pb.HardState{Term: new(term), Vote: new(uint64(1)), Commit: new(uint64(2))}
	}
	three := []*pb.Entry{with(2, 2, 1), with(3, 2, 11), with(4, 2, 21)}
	if err := l.Append(three, hard(2)); err != nil {
		t.Fatal(err)
	}
	if n := chunks(t, db); n != 3 || l.FirstRecord() != 1 {
		t.Fatalf("%d chunks, the first record is %d", n, l.FirstRecord())
	}
	v, closer, err := db.Get(entryKey(3))
	if err != nil || len(v) > 100 {
		t.Fatalf("the log itself has %d bytes, %v", len(v), err)
	}
	closer.Close()
	if err := l.Append([]*pb.Entry{with(3, 3, 15)}, hard(3)); err != nil {
		t.Fatal(err)
	}
	if n := chunks(t, db); n != 2 {
		t.Fatalf("%d chunks after another leader has put one in the place of two", n)
	}
	if err := l.Append([]*pb.Entry{with(2, 4, 1)}, hard(4)); err == nil {
		t.Fatal("an agreed entry was changed")
	}
	l.Known(3)
	if err := l.Compact(2); err != nil || l.FirstRecord() != 15 || chunks(t, db) != 2 {
		t.Fatalf("%v, the first record is %d", err, l.FirstRecord())
	}
}

func chunks(t *testing.T, db *pebble.DB) (n int) {
	t.Helper()
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: []byte("j"), UpperBound: []byte("k")})
	if err != nil {
		t.Fatal(err)
	}
	for ok := it.First(); ok; ok = it.Next() {
		n++
	}
	if err := it.Close(); err != nil {
		t.Fatal(err)
	}
	return n
}

func FuzzParseMember(f *testing.F) {
	f.Add(Member{7, Learner, "dr.example:7000"}.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, err := ParseMember(b); err == nil && !bytes.Equal(m.Append(nil), b) {
			t.Fatalf("%x became %v", b, m)
		}
	})
}
