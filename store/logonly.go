package store

import (
	"errors"
	"io"
	"log/slog"
	"time"

	"cardswitch/store/fence"
	"cardswitch/store/raftlog"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	pb "go.etcd.io/raft/v3/raftpb"
)

// LogOnly is the directory of a witness: the log that the nodes agree by, and nothing else. It
// needs no data key, for it reads nothing of what it keeps.
type LogOnly struct {
	s    *Store
	next *pebble.Batch // received, as of at
	at   position
}

// OpenLogOnly opens or creates it. Of the options it takes Dir, FS, MinFreeBytes, StallAfter,
// Logger and OnFailure.
func OpenLogOnly(o Options) (*LogOnly, error) {
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.StallAfter == 0 {
		o.StallAfter = 5 * time.Second
	}
	s := &Store{dir: o.Dir, log: o.Logger, minFree: o.MinFreeBytes, patience: o.StallAfter,
		onFailure: o.OnFailure, fs: fence.New(o.FS), indexFS: fence.New(o.FS),
		failed: make(chan struct{})}
	dir := s.fs.PathJoin(o.Dir, "log")
	if err := s.makeFolders(dir); err != nil {
		return nil, &Error{"open the log", err, "check data.dir and who owns it"}
	}
	var err error
	if s.db, err = pebble.Open(dir, s.journalOptions(s.fs)); err != nil {
		return nil, openError("open the log", dir, err)
	}
	if s.raft, err = raftlog.Open(s.db, raftlog.Options{Write: s.writeLog}); err == nil {
		s.position, _, err = readPosition(s.db)
	}
	if err != nil {
		return nil, errors.Join(err, s.db.Close())
	}
	first, _ := s.raft.FirstIndex()
	if s.raft.Founded() && first > 0 {
		s.position.index = max(s.position.index, first-1)
	}
	s.raft.Known(s.position.index)
	s.fs.Arm(s.fail)
	s.health.look(s)
	return &LogOnly{s: s}, nil
}

// Log is the log that the nodes agree by.
func (l *LogOnly) Log() *raftlog.Log { return l.s.raft }

// Failed is closed when nothing can be written any more.
func (l *LogOnly) Failed() <-chan struct{} { return l.s.failed }

// Found makes the directory a node's.
func (l *LogOnly) Found(id raftlog.Identity, members []raftlog.Member) error {
	return l.s.Found(id, members)
}

// Applied is how far the log is applied, to nothing.
func (l *LogOnly) Applied() uint64 { return l.s.Applied() }

// Apply takes note that an entry is agreed.
func (l *LogOnly) Apply(index, term uint64, _ []byte) error {
	l.s.applying.Lock()
	defer l.s.applying.Unlock()
	l.s.position.index, l.s.position.term = index, term
	return nil
}

// ApplyMembers applies a change of the members, durably.
func (l *LogOnly) ApplyMembers(index, term uint64, conf *pb.ConfState,
	changed raftlog.Member) error {
	return l.s.ApplyMembers(index, term, conf, changed)
}

// Ship refuses: a witness has no journal.
func (l *LogOnly) Ship(uint64, io.Writer) error {
	return errors.New("a witness has no journal to ship")
}

// Receive takes of a journal only how far it goes, and who the members are.
func (l *LogOnly) Receive(from io.Reader) error {
	b := l.s.db.NewBatch()
	at, found := position{}, false
	err := shipped(from, func(key, value []byte) (err error) {
		switch {
		case string(key) == aboutPosition:
			at, err = parsePosition(value)
			found = true
			set(b, key, value)
		case raftlog.Shipped(key):
			set(b, key, value)
		}
		return err
	})
	if err == nil && !found {
		err = errors.New("the journal received doesn't say how far it goes")
	}
	if err != nil {
		return errors.Join(err, b.Close())
	}
	l.next, l.at = b, at
	return nil
}

// Replace makes what was received the node's own, from the next Open on.
func (l *LogOnly) Replace() error {
	l.s.raft.Begin(l.next, l.at.index, l.at.term)
	return errors.Join(l.next.Commit(pebble.Sync), l.next.Close())
}

// Yield does nothing: a witness never commits.
func (l *LogOnly) Yield() {}

// Close closes the directory. No other method may run or be called then.
func (l *LogOnly) Close() error {
	if l.s.closed.Swap(true) {
		return nil
	}
	select {
	case <-l.s.failed:
		l.s.closeFailed(l.s.db.Close)
		return nil
	default:
		return l.s.db.Close()
	}
}
