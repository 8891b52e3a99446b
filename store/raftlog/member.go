package raftlog

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/cockroachdb/pebble/v2"
	pb "go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// Kind says what a member does.
type Kind uint8

const (
	Data    Kind = iota + 1 // votes, and can lead
	Witness                 // votes and keeps the log, but has no journal and can't lead
	Learner                 // follows without a vote
	Removed                 // was one: its number is never given again
)

// String is the kind's name.
func (k Kind) String() string {
	switch k {
	case Data:
		return "data"
	case Witness:
		return "witness"
	case Learner:
		return "learner"
	case Removed:
		return "removed"
	}
	return "unknown"
}

// Member is one node of the cluster.
type Member struct {
	ID      uint64
	Kind    Kind
	Address string
}

// Append writes a member, as it goes with a change of the members.
func (m Member) Append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, m.ID)
	return append(append(b, byte(m.Kind)), m.Address...)
}

// ParseMember reads what Append wrote.
func ParseMember(b []byte) (Member, error) {
	if len(b) < 9 || b[8] == 0 || Kind(b[8]) > Removed {
		return Member{}, errors.New("damaged member of the cluster")
	}
	return Member{binary.BigEndian.Uint64(b), Kind(b[8]), string(b[9:])}, nil
}

// Conf is what raft calls these members.
func Conf(members []Member) *pb.ConfState {
	conf := new(pb.ConfState)
	for _, m := range members {
		switch m.Kind {
		case Data, Witness:
			conf.Voters = append(conf.Voters, m.ID)
		case Learner:
			conf.Learners = append(conf.Learners, m.ID)
		}
	}
	return conf
}

// Member is what is known of a number, the zero Member if it was never given.
func (l *Log) Member(id uint64) Member {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.members[id]
}

// Members are all that were ever taken in, in the order of their numbers.
func (l *Log) Members() []Member {
	l.mu.RLock()
	defer l.mu.RUnlock()
	list := make([]Member, 0, len(l.members))
	for _, m := range l.members {
		list = append(list, m)
	}
	slices.SortFunc(list, func(a, b Member) int { return cmp.Compare(a.ID, b.ID) })
	return list
}

// SetConf adds to a batch who votes now, and what changed of a member. It must carry the applied
// index too, and be synced; then call Changed.
func (l *Log) SetConf(b *pebble.Batch, conf *pb.ConfState, m Member) error {
	v, err := proto.Marshal(conf)
	if err != nil {
		return err
	}
	set(b, []byte(KeyConf), v)
	set(b, memberKey(m.ID), m.Append(nil))
	return nil
}

// Changed says that the batch of SetConf is durable.
func (l *Log) Changed(conf *pb.ConfState, m Member) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conf = proto.CloneOf(conf)
	l.members[m.ID] = m
}

// Promote adds to a batch that the log's node is the only member from now on, in a new generation
// and a new term, which comes after the one given. Changes of the members that it has not applied
// will never be: they are those of the old generation, and one that gave a vote there would have
// the node wait for it for ever.
func (l *Log) Promote(b *pebble.Batch, generation, applied, after uint64) error {
	if err := l.forgetChanges(b, applied); err != nil {
		return err
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	id := l.identity
	id.Generation = generation
	conf, err := proto.Marshal(&pb.ConfState{Voters: []uint64{id.Node}})
	if err != nil {
		return err
	}
	set(b, []byte(keyIdentity), id.Append(nil))
	set(b, []byte(KeyConf), conf)
	set(b, []byte(keyHard), hardState{max(l.hard.term, after) + 1, 0, l.hard.commit}.value())
	for _, m := range l.members {
		m.Kind = Removed
		if m.ID == id.Node {
			m.Kind = Data
		}
		set(b, memberKey(m.ID), m.Append(nil))
	}
	return nil
}

// Demote adds to a batch that nobody has a vote: the log's node is the only member, and can't lead.
// If it was alone, all that it has was agreed.
func (l *Log) Demote(b *pebble.Batch, self Member) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.alone() {
		hard := l.hard
		hard.commit = l.last.index
		set(b, []byte(keyHard), hard.value())
	}
	set(b, []byte(KeyConf), nil) // raft knows no members without a vote among them
	set(b, memberKey(self.ID), self.Append(nil))
}

// forgetChanges adds to a batch that the changes of the members after an entry are empty entries.
func (l *Log) forgetChanges(b *pebble.Batch, after uint64) error {
	it, err := l.iterate(after + 1)
	if err != nil {
		return err
	}
	for ok := it.First(); ok; ok = it.Next() {
		v := it.Value()
		if len(v) >= entryHead && pb.EntryType(v[16]&formType) != pb.EntryNormal {
			set(b, it.Key(), append(bytes.Clone(v[:entryHead-1]), byte(pb.EntryNormal)))
		}
	}
	return errors.Join(it.Error(), it.Close())
}

func memberKey(id uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte(familyMember), id)
}

// loadMembers reads the table of members.
func (l *Log) loadMembers() error {
	l.members = make(map[uint64]Member)
	from := []byte(familyMember)
	it, err := l.db.NewIter(&pebble.IterOptions{LowerBound: from,
		UpperBound: []byte{from[0], from[1] + 1}})
	if err != nil {
		return err
	}
	for ok := it.First(); ok; ok = it.Next() {
		m, err := ParseMember(it.Value())
		if err != nil {
			return errors.Join(err, it.Close())
		}
		l.members[m.ID] = m
	}
	return it.Close()
}
