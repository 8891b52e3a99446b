package raftlog

import (
	"encoding/binary"
	"fmt"

	"cardswitch/store/entry"

	"github.com/cockroachdb/pebble/v2"
	pb "go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// Append writes entries after the log, or in the place of those that were never agreed, and what
// raft must not forget; either may be missing. It returns when they are durable. That something
// more is agreed is written with the next entries only: it can be found out anew.
func (l *Log) Append(entries []*pb.Entry, hard *pb.HardState) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	l.mu.RLock()
	state, written, last := l.hard, l.written, l.last
	l.mu.RUnlock()
	if hard != nil {
		state = hardState{hard.GetTerm(), hard.GetVote(), max(state.commit, hard.GetCommit())}
	}
	if len(entries) == 0 && state.term == written.term && state.vote == written.vote {
		l.mu.Lock()
		l.hard = state
		l.mu.Unlock()
		return nil
	}
	size := 256
	for _, e := range entries {
		size += len(e.GetData()) + 64
	}
	b := l.db.NewBatchWithSize(size)
	record := uint64(0)
	if len(entries) > 0 {
		var err error
		if last, err = l.before(b, entries[0].GetIndex()); err != nil {
			return err
		}
	}
	for _, e := range entries {
		if e.GetIndex() != last.index+1 {
			return fmt.Errorf("entry %d after entry %d of the log", e.GetIndex(), last.index)
		}
		last = mark{e.GetIndex(), e.GetTerm(), last.bytes + uint64(len(e.GetData()))}
		first, err := l.put(b, e, last)
		if err != nil {
			return err
		}
		if record == 0 {
			record = first
		}
	}
	set(b, []byte(keyHard), state.value())
	if err := l.o.Write(b, true); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hard, l.written = state, state
	l.keep(entries)
	l.last = last
	if l.record == 0 || record != 0 && record < l.record {
		l.record = record
	}
	return nil
}

// before drops what the log has from an index on, and returns the entry before it.
func (l *Log) before(b *pebble.Batch, index uint64) (mark, error) {
	l.mu.RLock()
	last, commit := l.last, l.hard.commit
	l.mu.RUnlock()
	if index > last.index {
		return last, nil
	}
	if index <= commit {
		return mark{}, fmt.Errorf("entry %d of the log is agreed, it can't be another one", index)
	}
	at, err := l.mark(index - 1)
	if err != nil {
		return mark{}, err
	}
	first, err := l.firstRecord(index)
	if err != nil {
		return mark{}, err
	}
	_ = b.DeleteRange(entryKey(index), afterEntries(), nil)
	if first != 0 {
		key := l.o.ChunkKey(first)
		_ = b.DeleteRange(key, []byte{key[0] + 1}, nil)
	}
	return at, nil
}

// put writes an entry, its chunks to where the journal has them. It returns the first record.
func (l *Log) put(b *pebble.Batch, e *pb.Entry, at mark) (record uint64, err error) {
	data := e.GetData()
	v := binary.BigEndian.AppendUint64(nil, at.term)
	v = append(binary.BigEndian.AppendUint64(v, at.bytes), byte(e.GetType())&formType)
	if l.o.ChunkKey == nil || len(data) == 0 || e.GetType() != pb.EntryNormal {
		set(b, entryKey(at.index), append(v, data...))
		return 0, nil
	}
	parsed, err := entry.Parse(data)
	if err != nil {
		return 0, fmt.Errorf("entry %d of the log: %w", at.index, err)
	}
	for i := range parsed.Chunks {
		c := &parsed.Chunks[i]
		set(b, l.o.ChunkKey(c.First), c.Sealed)
	}
	v[16] |= formThin
	set(b, entryKey(at.index), entry.Thin(v, &parsed))
	return entry.First(data), nil
}

// keep remembers the newest entries.
func (l *Log) keep(entries []*pb.Entry) {
	if len(entries) == 0 {
		return
	}
	for n := len(l.recent); n > 0 && l.recent[n-1].GetIndex() >= entries[0].GetIndex(); n-- {
		l.size -= len(l.recent[n-1].GetData())
		l.recent = l.recent[:n-1]
	}
	for _, e := range entries {
		l.recent = append(l.recent, e)
		l.size += len(e.GetData())
	}
	drop := 0
	for ; drop < len(l.recent)-1 && l.size > recentBytes; drop++ {
		l.size -= len(l.recent[drop].GetData())
		l.recent[drop] = nil
	}
	l.recent = l.recent[drop:]
}

// Compact drops the entries through one: all that need them have them.
func (l *Log) Compact(through uint64) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	at, err := l.mark(through)
	if err != nil {
		return err
	}
	l.mu.RLock()
	first, commit := l.first, l.hard.commit
	l.mu.RUnlock()
	if through <= first.index {
		return nil
	}
	if through > commit {
		return fmt.Errorf("entry %d of the log isn't agreed yet, it can't be dropped", through)
	}
	record, err := l.firstRecord(through + 1)
	if err != nil {
		return err
	}
	b := l.db.NewBatch()
	_ = b.DeleteRange(entryKey(0), entryKey(through+1), nil)
	set(b, []byte(keyFirst), at.value())
	if err := l.o.Write(b, false); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.first, l.record = at, record
	for len(l.recent) > 0 && l.recent[0].GetIndex() <= through {
		l.size -= len(l.recent[0].GetData())
		l.recent[0] = nil
		l.recent = l.recent[1:]
	}
	return nil
}

// Release says that nobody needs the entries through one any more, which all are agreed. They stay
// until Compact or DropRecords.
func (l *Log) Release(through uint64) {
	l.Known(through)
	l.released.Store(through)
}

// DropRecords drops what nobody needs of the entries that hold records before one, as these are to
// be dropped from the journal.
func (l *Log) DropRecords(before uint64) error {
	first, _ := l.FirstIndex()
	it, err := l.iterate(first)
	if err != nil {
		return err
	}
	through := uint64(0)
	for ok := it.First(); ok; ok = it.Next() {
		v := it.Value()
		index := binary.BigEndian.Uint64(it.Key()[len(familyEntry):])
		if len(v) <= entryHead || index > l.released.Load() {
			break
		}
		if record := entry.First(v[entryHead:]); v[16]&formThin != 0 && record >= before {
			break
		}
		through = index
	}
	if err := it.Close(); err != nil || through == 0 {
		return err
	}
	return l.Compact(through)
}

// Found adds to a batch that the log is a node's. What the journal has already counts as the first
// entry; members are those of a new cluster, none if the node is to learn them from the others. The
// cluster's terms come after the one given.
func (l *Log) Found(b *pebble.Batch, id Identity, members []Member, after uint64) error {
	set(b, []byte(keyIdentity), id.Append(nil))
	if len(members) == 0 {
		return nil
	}
	conf, err := proto.Marshal(Conf(members))
	if err != nil {
		return err
	}
	set(b, []byte(KeyConf), conf)
	for _, m := range members {
		set(b, memberKey(m.ID), m.Append(nil))
	}
	hard := hardState{term: max(FirstEntry, after), commit: FirstEntry}
	set(b, []byte(keyHard), hard.value())
	set(b, []byte(keyFirst), mark{index: FirstEntry, term: FirstEntry}.value())
	return nil
}

// Begin adds to a batch of another journal, which is as of an entry, what makes it this node's: its
// name, what raft must not forget, and a log that begins after that entry.
func (l *Log) Begin(b *pebble.Batch, index, term uint64) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	hard := l.hard
	hard.commit = index
	if hard.term < term {
		hard.term, hard.vote = term, 0
	}
	_ = b.DeleteRange(entryKey(0), afterEntries(), nil)
	set(b, []byte(keyIdentity), l.identity.Append(nil))
	set(b, []byte(keyHard), hard.value())
	set(b, []byte(keyFirst), mark{index: index, term: term}.value())
}

// FirstEntry stands for what a node had before the cluster was.
const FirstEntry = 1

// Reload reads anew what a batch beside Append has written.
func (l *Log) Reload() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	fresh := &Log{o: l.o, db: l.db}
	if err := fresh.load(); err != nil {
		return err
	}
	l.identity, l.conf, l.members = fresh.identity, fresh.conf, fresh.members
	l.hard, l.written = fresh.hard, fresh.written
	l.first, l.last, l.record, l.recent, l.size = fresh.first, fresh.last, fresh.record, nil, 0
	return nil
}

// Known says that entries are agreed through one: what is applied was, though it may not have been
// written that it is.
func (l *Log) Known(index uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hard.commit = max(l.hard.commit, index)
}

// set adds to a Pebble batch, which fails only beyond 4 GB.
func set(b *pebble.Batch, key, value []byte) { _ = b.Set(key, value, nil) }
