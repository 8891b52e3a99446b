package store

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"cardswitch/store/fence"
	"cardswitch/store/index"
	"cardswitch/store/journal"
	"cardswitch/store/raftlog"
	"cardswitch/store/registry"
	"cardswitch/store/total"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Open opens or creates a data directory, and brings the index up to the journal.
func Open(o Options) (*Store, error) {
	key, err := make([]byte, journal.KeySize), error(nil)
	if !o.LogOnly {
		key, err = dataKey(&o)
	}
	if err != nil {
		return nil, err
	}
	keys, err := journal.NewKeys(key)
	if err != nil {
		return nil, err
	}
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.StallAfter == 0 {
		o.StallAfter = 5 * time.Second
	}
	s := &Store{dir: o.Dir, log: o.Logger, retention: o.RetentionDays, minFree: o.MinFreeBytes,
		patience: o.StallAfter, onFailure: o.OnFailure, keys: keys, logOnly: o.LogOnly,
		reads: cmp.Or(o.Reads, Reads), until: o.Until,
		fs: fence.New(o.FS), indexFS: fence.New(o.FS), frozen: make(map[uint64]*frozen),
		writes: make(chan *pebble.Batch), written: make(chan error, 1),
		stop: make(chan struct{}), failed: make(chan struct{})}
	if err := s.open(o.Epoch); err != nil {
		return nil, err
	}
	s.fs.Arm(s.fail)
	s.indexFS.Arm(s.fail)
	s.patient = time.NewTimer(s.patience)
	s.patient.Stop()
	s.health.look(s)
	s.finished.Add(2)
	go s.writer()
	go s.keeper()
	return s, nil
}

func (s *Store) open(epoch uint64) error {
	const op = "open the journal"
	if err := s.adopt(); err != nil {
		return &Error{op, err, "check data.dir and who owns it"}
	}
	dir := s.fs.PathJoin(s.dir, "journal")
	err := s.makeFolders(dir, s.fs.PathJoin(s.dir, "index"))
	if err != nil {
		return &Error{op, err, "check data.dir and who owns it"}
	}
	if s.db, err = pebble.Open(dir, s.journalOptions(s.fs)); err != nil {
		return openError(op, dir, err)
	}
	if err := s.load(); err != nil {
		return errors.Join(err, s.db.Close())
	}
	dir = s.fs.PathJoin(s.dir, "index")
	if s.index, err = index.Open(dir, s.indexOptions(s.indexFS), s.patience, s.fail); err != nil {
		err = &Error{"open the index", err,
			"if it is damaged, remove " + dir + "; it is rebuilt from the journal"}
		return errors.Join(err, s.db.Close())
	}
	if err := s.rise(epoch); err != nil {
		return errors.Join(err, s.index.Close(), s.db.Close())
	}
	return nil
}

// rise brings what is derived from the log and the journal up to them.
func (s *Store) rise(epoch uint64) error {
	if err := s.catchUp(s.index.Through()); err != nil {
		return &Error{"open the journal", err, "restore the data directory"}
	}
	s.raft.Known(s.position.index)
	s.last.Store(s.position.last)
	s.next = s.position.last + 1
	rows, err := loadTotals(s.db)
	if err != nil {
		return err
	}
	s.totals = total.NewTable(rows)
	if s.segments.list, err = loadSegments(s.db); err != nil {
		return err
	}
	s.sealer = journal.NewSealer(s.keys, epoch, s.position.head)
	if err := s.loadRegistry(); err != nil {
		return err
	}
	return s.reindex()
}

// makeFolders makes folders that only the owner may read, and makes sure that they survive a power
// cut: a synced file in a folder that was never synced is lost with it.
func (s *Store) makeFolders(dirs ...string) error {
	for _, dir := range dirs {
		if err := s.fs.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	for dir := s.dir; ; dir = s.fs.PathDir(dir) {
		f, err := s.fs.OpenDir(dir)
		if err != nil {
			return err
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return err
		}
		if s.fs.PathDir(dir) == dir {
			return nil
		}
	}
}

// openError tells a directory in use from a damaged one.
func openError(op, dir string, err error) error {
	if bytes.Contains([]byte(err.Error()), []byte("resource temporarily unavailable")) ||
		bytes.Contains([]byte(err.Error()), []byte("lock held")) {
		return &Error{op, fmt.Errorf("%s is in use: %w", dir, err),
			"another cardswitch runs on it; stop that one or use another data.dir"}
	}
	return &Error{op, err, "check the disk and the permissions of " + dir +
		"; if files are damaged or missing, restore the directory"}
}

// load reads where the journal and its log begin and end, or writes the first lines of a new one.
func (s *Store) load() error {
	if err := s.about(); err != nil {
		return err
	}
	at, err := readAnchor(s.db)
	if err != nil {
		return err
	}
	s.first.Store(at.first)
	if s.raft, err = raftlog.Open(s.db, s.raftOptions()); err != nil {
		return err
	}
	var agreed bool
	if s.position, agreed, err = readPosition(s.db); err != nil || agreed {
		return err
	}
	s.position.last, s.position.head, err = s.end(at)
	return err
}

// about checks version and key of the directory.
func (s *Store) about() error {
	const op = "open the journal"
	id := s.keys.ID()
	v, closer, err := s.db.Get([]byte(aboutVersion))
	if errors.Is(err, pebble.ErrNotFound) {
		b := s.db.NewBatch()
		firstLines(b, id)
		s.level.Store(firstLevel)
		return b.Commit(pebble.Sync)
	}
	if err != nil {
		return err
	}
	level, err := s.levelOf(v)
	if err = errors.Join(err, closer.Close()); err != nil {
		return err
	}
	s.level.Store(uint32(level))
	v, closer, err = s.db.Get([]byte(aboutKey))
	if err != nil {
		return err
	}
	defer closer.Close()
	if !bytes.Equal(v, id[:]) {
		return &Error{op, fmt.Errorf("it was written under data key %x, this one is %x", v, id),
			"use the key file that belongs to this data.dir"}
	}
	return nil
}

func firstLines(b *pebble.Batch, key [8]byte) {
	set(b, []byte(aboutVersion), []byte{firstLevel})
	set(b, []byte(aboutKey), key[:])
	set(b, []byte(aboutAnchor), (&anchor{first: 1}).value())
}

// end returns the last record and the hash of the last chunk.
func (s *Store) end(at anchor) (uint64, journal.Hash, error) {
	c, err := s.chunks(s.db)
	if err != nil {
		return 0, journal.Hash{}, err
	}
	ok, err := c.moved(c.it.Last())
	if err = errors.Join(err, c.it.Close()); err != nil {
		return 0, journal.Hash{}, &Error{"open the journal", err, "restore the data directory"}
	}
	if !ok {
		return at.first - 1, at.previous, nil
	}
	return c.chunk.Last(), c.chunk.Hash, nil
}

// reindex brings the index up to the journal.
func (s *Store) reindex() error {
	through, last := s.index.Through(), s.last.Load()
	if through > last {
		return &Error{"open the journal", fmt.Errorf("it ends with record %d, but the index knows %d",
			last, through), "records were lost: restore the journal; if it is meant to end there, " +
			"remove the folder index beside it"}
	}
	from, start := max(s.index.Start(), s.first.Load()), time.Now()
	if last > through+1_000_000 {
		s.log.Info("the index is being rebuilt", "records", last-through)
	}
	notes := make([]index.Note, 1)
	err := s.Replay(from, func(r *journal.Record) error {
		notes[0] = index.NoteOf(r)
		if r.Seq <= through {
			s.index.Reopen(&notes[0])
			return nil
		}
		s.index.Add(notes)
		return s.err()
	})
	if err != nil {
		return &Error{"read the journal", err, "restore the data directory"}
	}
	s.index.Flush()
	s.log.Info("the store is open", "first", s.FirstSeq(), "last", last, "replayed", last+1-from,
		"took", time.Since(start))
	return nil
}

func (s *Store) loadRegistry() error {
	saved, err := savedNames(s.db)
	if err != nil {
		return err
	}
	s.registry, err = registry.New(saved, s.saveName)
	return err
}

func savedNames(db pebble.Reader) (saved []registry.Entry, err error) {
	it, err := db.NewIter(within([]byte{familyName}))
	if err != nil {
		return nil, err
	}
	for ok := it.First(); ok; ok = it.Next() {
		e, err := registry.Parse(binary.BigEndian.Uint16(it.Key()[1:]), it.Value())
		if err != nil {
			return nil, errors.Join(err, it.Close())
		}
		saved = append(saved, e)
	}
	return saved, it.Close()
}

// saveName makes a registry entry durable.
func (s *Store) saveName(e registry.Entry) error {
	return s.decree(binary.BigEndian.AppendUint16([]byte{familyName}, e.ID), e.Append(nil))
}

// Close writes what the index still has in memory and closes. No other method may run or be called
// then.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	s.thawAll()
	close(s.stop)
	select {
	case <-s.failed:
		s.closeFailed(func() error { s.finished.Wait(); return nil }, s.index.Close, s.db.Close)
		return nil
	default:
	}
	s.finished.Wait()
	return errors.Join(s.index.Close(), s.db.Close())
}
