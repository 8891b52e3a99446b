package store

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"cardswitch/store/raftlog"

	"github.com/cockroachdb/pebble/v2"
	pb "go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// A node that needs what the log no longer has gets the whole journal as it is at one entry, with
// the tables beside it; the index it makes itself. The stream is a version, then the keys and
// values in order, each with its length before it, and an empty key.
const (
	shipVersion = 1
	mostShipped = 256 << 20 // bytes of one value
	frozenTime  = 10 * time.Minute
)

// frozen is the journal as it was at an entry.
type frozen struct {
	view  *pebble.Snapshot
	users int
	stale bool // to be let go by the last user
}

// freeze holds the journal as it is now until another one is frozen, or for frozenTime.
func (s *Store) freeze() (*pb.Snapshot, error) {
	view := s.db.NewSnapshot()
	at, ok, err := readPosition(view)
	if err == nil && !ok {
		err = errors.New("nothing was agreed yet")
	}
	conf := new(pb.ConfState)
	if err == nil {
		err = readConf(view, conf)
	}
	if err != nil {
		return nil, errors.Join(err, view.Close())
	}
	s.freezing.Lock()
	defer s.freezing.Unlock()
	for index, f := range s.frozen {
		if index != at.index {
			s.thaw(index, f)
		}
	}
	if s.frozen[at.index] != nil {
		err = view.Close()
	} else {
		f := &frozen{view: view}
		s.frozen[at.index] = f
		time.AfterFunc(frozenTime, func() { s.forget(at.index, f) })
	}
	return &pb.Snapshot{Metadata: &pb.SnapshotMetadata{Index: new(at.index), Term: new(at.term),
		ConfState: conf}}, err
}

func readConf(from pebble.Reader, conf *pb.ConfState) error {
	v, closer, err := from.Get([]byte(raftlog.KeyConf))
	if err != nil {
		return err
	}
	return errors.Join(proto.Unmarshal(v, conf), closer.Close())
}

// thaw lets go of a frozen journal once nobody ships it. With freezing held.
func (s *Store) thaw(index uint64, f *frozen) {
	f.stale = true
	if f.users == 0 && s.frozen[index] == f {
		delete(s.frozen, index)
		_ = f.view.Close() // never fails
	}
}

func (s *Store) forget(index uint64, f *frozen) {
	s.freezing.Lock()
	defer s.freezing.Unlock()
	s.thaw(index, f)
}

// thawAll is for Close; nobody ships any more.
func (s *Store) thawAll() {
	s.freezing.Lock()
	defer s.freezing.Unlock()
	for index, f := range s.frozen {
		s.thaw(index, f)
	}
}

// Ship writes the journal as it was frozen at an entry.
func (s *Store) Ship(index uint64, to io.Writer) error {
	s.freezing.Lock()
	f := s.frozen[index]
	if f != nil {
		f.users++
	}
	s.freezing.Unlock()
	if f == nil {
		return fmt.Errorf("the journal at entry %d isn't held any more", index)
	}
	defer func() {
		s.freezing.Lock()
		defer s.freezing.Unlock()
		if f.users--; f.stale {
			s.thaw(index, f)
		}
	}()
	return ship(f.view, to)
}

func ship(view *pebble.Snapshot, to io.Writer) error {
	at, _, err := readPosition(view)
	if err != nil {
		return err
	}
	it, err := view.NewIter(nil)
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(to, 64<<10)
	_ = out.WriteByte(shipVersion) // an error comes again at Flush
	var length [binary.MaxVarintLen64]byte
	write := func(p []byte) {
		_, _ = out.Write(length[:binary.PutUvarint(length[:], uint64(len(p)))])
		_, _ = out.Write(p)
	}
	for ok := it.First(); ok; ok = it.Next() {
		key := it.Key()
		if key[0] == familyRaft && !raftlog.Shipped(key) ||
			key[0] == familyChunk && binary.BigEndian.Uint64(key[1:]) > at.last {
			continue
		}
		value, err := it.ValueAndErr()
		if err != nil {
			return errors.Join(err, it.Close())
		}
		write(key)
		write(value)
	}
	write(nil)
	return errors.Join(it.Close(), out.Flush())
}

// shipped reads what Ship wrote, key by key.
func shipped(from io.Reader, each func(key, value []byte) error) error {
	in := bufio.NewReaderSize(from, 64<<10)
	v, err := in.ReadByte()
	if err != nil {
		return err
	}
	if v != shipVersion {
		return fmt.Errorf("a journal of form %d, this program knows %d", v, shipVersion)
	}
	for {
		key, err := readPart(in)
		if err != nil || len(key) == 0 {
			return err
		}
		value, err := readPart(in)
		if err != nil {
			return err
		}
		if err := each(key, value); err != nil {
			return err
		}
	}
}

func readPart(in *bufio.Reader) ([]byte, error) {
	n, err := binary.ReadUvarint(in)
	if err == nil && n > mostShipped {
		err = fmt.Errorf("a part of %d bytes, at most %d", n, mostShipped)
	}
	if err != nil {
		return nil, noEnd(err)
	}
	var b []byte
	for chunk := uint64(1 << 20); n > 0; n -= min(n, chunk) { // allocates what came, not what is said
		at := len(b)
		b = append(b, make([]byte, min(n, chunk))...)
		if _, err := io.ReadFull(in, b[at:]); err != nil {
			return nil, noEnd(err)
		}
	}
	return b, nil
}

// noEnd is for where more must come.
func noEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
