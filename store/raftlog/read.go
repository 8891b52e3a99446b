package raftlog

import (
	"bytes"
	"encoding/binary"
	"errors"

	"cardswitch/store/entry"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// InitialState is raft's.
func (l *Log) InitialState() (*pb.HardState, *pb.ConfState, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	conf := new(pb.ConfState)
	if l.conf != nil {
		conf = proto.CloneOf(l.conf)
	}
	if l.hard == (hardState{}) {
		return nil, conf, nil
	}
	return &pb.HardState{Term: new(l.hard.term), Vote: new(l.hard.vote),
		Commit: new(l.hard.commit)}, conf, nil
}

// FirstIndex, LastIndex and Term are raft's.
func (l *Log) FirstIndex() (uint64, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.first.index + 1, nil
}

func (l *Log) LastIndex() (uint64, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.last.index, nil
}

func (l *Log) Term(index uint64) (uint64, error) {
	if found := l.fromMemory(index, index+1, 0); found != nil {
		return found[0].GetTerm(), nil
	}
	at, err := l.mark(index)
	return at.term, err
}

// Entries is raft's.
func (l *Log) Entries(lo, hi, most uint64) ([]*pb.Entry, error) {
	l.mu.RLock()
	first, last := l.first.index, l.last.index
	l.mu.RUnlock()
	switch {
	case lo <= first:
		return nil, raft.ErrCompacted
	case hi > last+1:
		return nil, raft.ErrUnavailable
	}
	if found := l.fromMemory(lo, hi, most); found != nil {
		return found, nil
	}
	return l.fromDisk(lo, hi, most)
}

// fromMemory returns nil if the first of the entries isn't kept in memory.
func (l *Log) fromMemory(lo, hi, most uint64) []*pb.Entry {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if len(l.recent) == 0 || lo < l.recent[0].GetIndex() || hi > l.last.index+1 || lo >= hi {
		return nil
	}
	found := l.recent[lo-l.recent[0].GetIndex() : hi-l.recent[0].GetIndex()]
	n, size := 1, uint64(len(found[0].GetData()))
	for ; n < len(found); n++ {
		if size += uint64(len(found[n].GetData())); size > most {
			break
		}
	}
	return append([]*pb.Entry(nil), found[:n]...)
}

func (l *Log) fromDisk(lo, hi, most uint64) (found []*pb.Entry, err error) {
	it, err := l.iterate(lo)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	size := uint64(0)
	for ok := it.First(); ok && lo+uint64(len(found)) < hi; ok = it.Next() {
		index := binary.BigEndian.Uint64(it.Key()[len(familyEntry):])
		if index != lo+uint64(len(found)) {
			return nil, damaged("place of entry", index)
		}
		v, err := it.ValueAndErr()
		if err != nil {
			return nil, err
		}
		e, err := l.whole(index, v)
		if err != nil {
			return nil, err
		}
		size += uint64(len(e.GetData()))
		if len(found) > 0 && size > most {
			break
		}
		found = append(found, e)
	}
	if err := it.Error(); err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, raft.ErrUnavailable
	}
	return found, nil
}

// whole puts an entry together from what the log and the journal have of it.
func (l *Log) whole(index uint64, v []byte) (*pb.Entry, error) {
	if len(v) < entryHead {
		return nil, damaged("entry", index)
	}
	form := v[16]
	e := &pb.Entry{Term: new(binary.BigEndian.Uint64(v)), Index: new(index),
		Type: pb.EntryType(form & formType).Enum()}
	var err error
	switch {
	case form&formThin != 0 && l.o.ChunkKey == nil:
		return nil, damaged("entry", index)
	case form&formThin != 0:
		e.Data, err = entry.Whole(nil, v[entryHead:], l.chunk)
	case len(v) > entryHead:
		e.Data = bytes.Clone(v[entryHead:])
	}
	return e, err
}

func (l *Log) chunk(first uint64) ([]byte, error) {
	v, closer, err := l.db.Get(l.o.ChunkKey(first))
	if err != nil {
		return nil, err
	}
	return bytes.Clone(v), closer.Close()
}

// Snapshot is raft's. A node that needs what the log no longer has gets the whole journal, see
// dr/replica.
func (l *Log) Snapshot() (*pb.Snapshot, error) {
	if l.o.Freeze == nil {
		return nil, raft.ErrSnapshotTemporarilyUnavailable
	}
	return l.o.Freeze()
}

// RecordAfter is the Seq of the first record that an entry after one holds, 0 if none does. Of
// entries that were dropped nothing is known.
func (l *Log) RecordAfter(index uint64) (uint64, error) { return l.firstRecord(index + 1) }

// firstRecord finds the first record that an entry from one on holds.
func (l *Log) firstRecord(from uint64) (uint64, error) {
	if l.o.ChunkKey == nil {
		return 0, nil
	}
	it, err := l.iterate(from)
	if err != nil {
		return 0, err
	}
	for ok := it.First(); ok; ok = it.Next() {
		if v := it.Value(); len(v) > entryHead && v[16]&formThin != 0 {
			if first := entry.First(v[entryHead:]); first != 0 {
				return first, it.Close()
			}
		}
	}
	return 0, it.Close()
}
