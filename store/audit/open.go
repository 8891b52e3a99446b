package audit

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// queueLength is how many records may wait for the disk.
const queueLength = 256

// Log is an audit log that is written. Its methods are safe for concurrent use.
type Log struct {
	o       Options
	signing ed25519.PrivateKey
	lock    io.Closer

	queue    chan *request
	closing  chan struct{}
	stop     sync.Once
	done     chan struct{} // closed by the writer
	failed   chan struct{} // closed after failure is set
	failOnce sync.Once
	failure  error

	// of the writer
	at       state
	file     vfs.File    // the segment being written, nil before the first
	day      int64       // on which that was begun, since 1970
	bare     int         // records since the last anchor
	armed    bool        // the deadline runs
	deadline *time.Timer // for the next anchor
}

// Open goes on with a log, after putting in order what a crash has left.
func Open(o Options) (*Log, error) {
	o.complete()
	l := &Log{o: o, queue: make(chan *request, queueLength), closing: make(chan struct{}),
		done: make(chan struct{}), failed: make(chan struct{}), deadline: time.NewTimer(o.AnchorAfter)}
	l.deadline.Stop()
	dropped, err := l.open()
	if err != nil {
		if l.file != nil {
			err = errors.Join(err, l.file.Close())
		}
		if l.lock != nil {
			err = errors.Join(err, l.lock.Close())
		}
		return nil, err
	}
	go l.run()
	if err := l.began(dropped); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// open takes hold of the log and returns how many bytes of unfinished records it dropped.
func (l *Log) open() (dropped int64, err error) {
	const op = "open the audit log"
	if _, err := l.o.FS.Stat(l.o.FS.PathJoin(l.o.Dir, stateName)); errors.Is(err, fs.ErrNotExist) {
		return 0, &Error{op, fmt.Errorf("there is none in %s: %w", l.o.Dir, err),
			"create it, and give its first key to the auditor"}
	}
	if l.lock, err = l.o.FS.Lock(l.o.FS.PathJoin(l.o.Dir, "LOCK")); err != nil {
		l.lock = nil
		return 0, &Error{op, err, "another cardswitch writes it; stop that one"}
	}
	at, err := loadState(l.o.FS, l.o.Dir)
	if err != nil {
		return 0, &Error{op, err, "check the disk; restore " + l.o.Dir +
			", or move it away for the auditor and create a new log"}
	}
	l.at = *at
	if l.signing, err = loadSigning(&l.o); err != nil {
		return 0, &Error{op, err, "check the module that seals keys; if the file is lost, move the " +
			"folder away for the auditor and create a new log"}
	}
	dropped, err = l.recover()
	if errors.Is(err, ErrTampered) {
		return 0, &Error{op, err, "verify it with the auditor's key; then move it away and create a " +
			"new log"}
	}
	if err != nil {
		return 0, &Error{op, err, "check the disk of " + l.o.Dir}
	}
	return dropped, nil
}

// began records that the log goes on.
func (l *Log) began(dropped int64) error {
	ctx := context.Background() // put gives up by itself
	e := Entry{Actor: self, Source: "local", Event: LogStarted, Result: Done}
	if l.at.next == 1 {
		e.Event = LogCreated
	}
	if _, err := l.put(ctx, Record{Entry: e}); err != nil {
		return err
	}
	if dropped == 0 {
		return nil
	}
	e.Event = LogRecovered
	e.Reason = fmt.Sprintf("%d bytes of unfinished records were dropped", dropped)
	l.o.Logger.Warn("the audit log was put in order", "dropped_bytes", dropped)
	_, err := l.put(ctx, Record{Entry: e})
	return err
}

// self is the actor of the log's own records.
const self = "cardswitch"
