package raftlog

import (
	"bytes"
	"encoding/binary"
	"errors"

	"github.com/cockroachdb/pebble/v2"
	pb "go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// The keys of the log, and their values:
//
//	rc         the members: raft's own form
//	re<index 8> an entry: term 8, bytes of all up to it 8, form 1, the entry
//	rf         the last entry dropped: index 8, term 8, bytes 8
//	rh         what raft must not forget: term 8, vote 8, commit 8
//	ri         whose log it is: node 8, generation 8, cluster
//	rm<id 8>   a member, see Member
const (
	KeyConf      = "rc"
	familyEntry  = "re"
	keyFirst     = "rf"
	keyHard      = "rh"
	keyIdentity  = "ri"
	familyMember = "rm"
)

// The form of an entry in the log: raft's type of it, and whether its chunks are in the journal.
const (
	entryHead = 17
	formType  = 0x0f
	formThin  = 0x10
)

// Shipped tells whether a key of the log goes with a journal to another node.
func Shipped(key []byte) bool {
	return string(key) == KeyConf || bytes.HasPrefix(key, []byte(familyMember))
}

func entryKey(index uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte(familyEntry), index)
}

// afterEntries is the first key after all entries.
func afterEntries() []byte { return []byte{familyEntry[0], familyEntry[1] + 1} }

func (h hardState) value() []byte {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, 24), h.term)
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(b, h.vote), h.commit)
}

func (m mark) value() []byte {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, 24), m.index)
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(b, m.term), m.bytes)
}

// Append writes an identity.
func (i Identity) Append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, i.Node)
	return append(binary.BigEndian.AppendUint64(b, i.Generation), i.Cluster...)
}

// ParseIdentity reads what Append wrote.
func ParseIdentity(b []byte) (Identity, error) {
	if len(b) < 16 {
		return Identity{}, errors.New("damaged identity of a node")
	}
	return Identity{string(b[16:]), binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])}, nil
}

// load reads what is kept in memory.
func (l *Log) load() error {
	err := errors.Join(
		l.read(keyIdentity, 16, func(v []byte) (err error) {
			l.identity, err = ParseIdentity(v)
			return err
		}),
		l.read(keyHard, 24, func(v []byte) error {
			l.hard = hardState{binary.BigEndian.Uint64(v), binary.BigEndian.Uint64(v[8:]),
				binary.BigEndian.Uint64(v[16:])}
			l.written = l.hard
			return nil
		}),
		l.read(keyFirst, 24, func(v []byte) error {
			l.first = mark{binary.BigEndian.Uint64(v), binary.BigEndian.Uint64(v[8:]),
				binary.BigEndian.Uint64(v[16:])}
			return nil
		}),
		l.read(KeyConf, 0, func(v []byte) error {
			l.conf = new(pb.ConfState)
			return proto.Unmarshal(v, l.conf)
		}),
		l.loadMembers())
	if err != nil {
		return err
	}
	if l.last, err = l.end(); err != nil {
		return err
	}
	l.record, err = l.firstRecord(l.first.index + 1)
	return err
}

func (l *Log) read(key string, least int, parse func(v []byte) error) error {
	v, closer, err := l.db.Get([]byte(key))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	defer closer.Close()
	if len(v) < least {
		return errors.New("damaged state " + key)
	}
	return parse(v)
}

// end finds the last entry.
func (l *Log) end() (mark, error) {
	it, err := l.iterate(l.first.index + 1)
	if err != nil {
		return mark{}, err
	}
	at := l.first
	if it.Last() {
		v := it.Value()
		if len(v) < entryHead {
			return mark{}, errors.Join(errors.New("damaged last entry of the log"), it.Close())
		}
		at = mark{binary.BigEndian.Uint64(it.Key()[len(familyEntry):]), binary.BigEndian.Uint64(v),
			binary.BigEndian.Uint64(v[8:])}
	}
	return at, it.Close()
}

// iterate goes through the entries from one on.
func (l *Log) iterate(from uint64) (*pebble.Iterator, error) {
	return l.db.NewIter(&pebble.IterOptions{LowerBound: entryKey(from), UpperBound: afterEntries()})
}
