package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"

	"cardswitch/store/entry"
	"cardswitch/store/fence"
	"cardswitch/store/journal"
	"cardswitch/store/queue"
	"cardswitch/store/raftlog"
	"cardswitch/store/registry"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Found is the journal of a node that was lost when this store's site was promoted: its data
// directory, or a copy, which is read and never written.
type Found struct {
	s               *Store // whose keys and names they are
	db              *pebble.DB
	names           map[uint16]registry.Entry
	queued, shelved map[uint64]queue.Owed // what centers must still get, and the work list, by id
}

// OpenFound opens it. No process may run on the directory.
func (s *Store) OpenFound(dir string) (*Found, error) {
	const op = "read the journal of a lost node"
	o := &Store{dir: dir, log: slog.New(slog.DiscardHandler), fs: fence.New(vfs.Default),
		failed: make(chan struct{}), keys: s.keys}
	name := o.fs.PathJoin(dir, "journal")
	if _, err := o.fs.Stat(name); errors.Is(err, fs.ErrNotExist) {
		return nil, &Error{op, fmt.Errorf("there is none in %s", dir),
			"name the data folder (data.dir) of a lost data node"}
	}
	options := o.journalOptions(o.fs)
	options.ReadOnly = true
	db, err := pebble.Open(name, options)
	if err != nil {
		return nil, openError(op, name, err)
	}
	f := &Found{s: s, db: db, names: make(map[uint16]registry.Entry),
		queued: make(map[uint64]queue.Owed), shelved: make(map[uint64]queue.Owed)}
	if err := errors.Join(f.fits(), f.read()); err != nil {
		return nil, errors.Join(&Error{op, err, "name the data folder of a data node of this cluster"},
			db.Close())
	}
	return f, nil
}

// fits checks that it is of the same cluster, before the promotion.
func (f *Found) fits() error {
	l, err := f.log()
	if err != nil {
		return err
	}
	is, own := l.Identity(), f.s.raft.Identity()
	if l.Member(is.Node).Kind == raftlog.Witness {
		return errors.New("it has no journal: a witness keeps the log by which the others agree")
	}
	key, closer, err := f.db.Get([]byte(aboutKey))
	if err != nil {
		return fmt.Errorf("it says of no data key: %w", err)
	}
	id := f.s.keys.ID()
	same := bytes.Equal(key, id[:])
	if err := closer.Close(); err != nil || !same {
		return errors.Join(err, errors.New("it is under another data key"))
	}
	if is.Cluster != own.Cluster || is.Generation >= own.Generation {
		return fmt.Errorf("it is of cluster %q, generation %d; this one is of %q, generation %d",
			is.Cluster, is.Generation, own.Cluster, own.Generation)
	}
	return nil
}

func (f *Found) log() (*raftlog.Log, error) {
	return raftlog.Open(f.db, raftlog.Options{
		ChunkKey: func(first uint64) []byte { return seqKey(familyChunk, first) }})
}

// read takes in the tables as they were, and then what the log has beyond them: they are never
// synced.
func (f *Found) read() error {
	for _, family := range []byte{familyName, familyQueue, familyWorkList} {
		it, err := f.db.NewIter(within([]byte{family}))
		if err != nil {
			return err
		}
		for ok := it.First(); ok && err == nil; ok = it.Next() {
			err = f.set(it.Key(), it.Value())
		}
		if err := errors.Join(err, it.Close()); err != nil {
			return err
		}
	}
	at, _, errAt := readPosition(f.db)
	l, err := f.log()
	if err := errors.Join(err, errAt); err != nil {
		return err
	}
	last, _ := l.LastIndex()
	for next := at.index + 1; next <= last; next++ {
		e, err := l.Entry(next)
		if err != nil {
			return err
		}
		if e.Conf || len(e.Data) == 0 {
			continue
		}
		parsed, err := entry.Parse(e.Data)
		if err != nil {
			return err
		}
		var fault error
		err = parsed.Changes.Each(func(key, value []byte) {
			fault = errors.Join(fault, f.set(key, value))
		}, func(key []byte) {
			switch key[0] {
			case familyQueue:
				delete(f.queued, idOf(key))
			case familyWorkList:
				delete(f.shelved, idOf(key))
			}
		})
		if err := errors.Join(err, fault); err != nil {
			return err
		}
	}
	return nil
}

func (f *Found) set(key, value []byte) (err error) {
	switch key[0] {
	case familyName:
		var e registry.Entry
		e, err = registry.Parse(binary.BigEndian.Uint16(key[1:]), value)
		f.names[e.ID] = e
	case familyQueue:
		f.queued[idOf(key)], err = queue.Parse(idOf(key), value)
	case familyWorkList:
		f.shelved[idOf(key)], err = queue.Parse(idOf(key), value)
	}
	return err
}

// idOf is the id at the end of a key of the queues or the work list.
func idOf(key []byte) uint64 { return binary.BigEndian.Uint64(key[len(key)-8:]) }

// Knows tells whether a number stands for the same here and there.
func (f *Found) Knows(id uint16) bool {
	own, ok := f.s.registry.Entry(id)
	e, has := f.names[id]
	return id == 0 || ok && has && own.Kind == e.Kind && own.Name == e.Name &&
		bytes.Equal(own.Definition, e.Definition)
}

// Name is what a number stands for there.
func (f *Found) Name(id uint16) string { return f.names[id].Name }

// Common is the last record that both journals have, by their chunks.
func (f *Found) Common() (common uint64, err error) {
	it, err := f.db.NewIter(within([]byte{familyChunk}))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	p, _, err := f.s.Promoted()
	if err != nil {
		return 0, err
	}
	for ok := it.SeekLT(seqKey(familyChunk, p.Last+1)); ok; ok = it.Prev() {
		theirs, err := it.ValueAndErr()
		if err != nil {
			return 0, err
		}
		own, closer, err := f.s.db.Get(it.Key())
		if errors.Is(err, pebble.ErrNotFound) {
			continue
		}
		if err != nil {
			return 0, err
		}
		same := bytes.Equal(own, theirs)
		if err := closer.Close(); err != nil {
			return 0, err
		}
		if same {
			h, err := journal.ReadHeader(theirs)
			return h.Last(), err
		}
	}
	return 0, errors.Join(it.Error(), errors.New("the two journals have nothing in common"))
}

// Beyond calls fn with the records after one, in order: all that were written, also those of which
// that node didn't know any more that they were agreed. A record is valid during its call.
func (f *Found) Beyond(after uint64, fn func(*journal.Record) error) (err error) {
	it, err := f.db.NewIter(within([]byte{familyChunk}))
	if err != nil {
		return err
	}
	c := &chunks{it: it, keys: f.s.keys}
	defer func() { err = errors.Join(err, it.Close()) }()
	for ok, err := c.moved(it.SeekGE(seqKey(familyChunk, after+1))); ok || err != nil; {
		if err == nil {
			err = c.each(after+1, fn)
		}
		if err != nil {
			return err
		}
		ok, err = c.following()
	}
	return nil
}

// Owed gives what was still owed under an id, and whether it was on the work list.
func (f *Found) Owed(id uint64) (o queue.Owed, shelved, ok bool) {
	if o, ok = f.shelved[id]; ok {
		return o, true, true
	}
	o, ok = f.queued[id]
	return o, false, ok
}

// Close lets go of it.
func (f *Found) Close() error { return f.db.Close() }
