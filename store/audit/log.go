package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"cardswitch/store/wholefile"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// request is a record that waits for the disk.
type request struct {
	record Record
	done   chan error // takes one
}

// Append records an entry and returns its number once it is durable, with all before it. It waits
// for Options.Patience at most. After an error what the entry is to allow must not be done, though
// the entry may still turn up in the log.
func (l *Log) Append(ctx context.Context, e Entry) (uint64, error) {
	if err := e.check(); err != nil {
		return 0, &Error{"write the audit log", err, "this is a fault of the program; report it"}
	}
	return l.put(ctx, Record{Entry: e.cleaned()})
}

func (l *Log) put(ctx context.Context, record Record) (uint64, error) {
	if err := l.err(); err != nil {
		return 0, err
	}
	r := &request{record: record, done: make(chan error, 1)}
	timer := time.NewTimer(l.o.Patience)
	defer timer.Stop()
	select {
	case l.queue <- r:
	case <-l.failed:
		return 0, l.failure
	case <-l.closing:
		return 0, ErrClosed
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-timer.C:
		return 0, &Error{"write the audit log", ErrBusy, "try again; if it stays so, check the disk"}
	}
	select {
	case err := <-r.done:
		return r.record.Seq, err
	case <-l.failed:
		return 0, l.failure
	case <-l.done:
		return 0, l.late(r)
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-timer.C:
		l.fail(fmt.Errorf("%w for %s", ErrStalled, l.o.Patience))
		return 0, l.failure
	}
}

// late is what became of a request that met with the end of the writer.
func (l *Log) late(r *request) error {
	select {
	case err := <-r.done:
		return err
	default:
		return ErrClosed
	}
}

func (l *Log) err() error {
	select {
	case <-l.failed:
		return l.failure
	case <-l.closing:
		return ErrClosed
	default:
		return nil
	}
}

// run is the writer: what waits together becomes durable together.
func (l *Log) run() {
	defer close(l.done)
	for {
		select {
		case r := <-l.queue:
			l.serve(l.collect([]*request{r}), false)
		case <-l.deadline.C:
			l.armed = false
			l.serve(nil, true)
		case <-l.failed:
			return
		case <-l.closing:
			l.serve(append(l.collect(nil), &request{done: make(chan error, 1), record: Record{
				Entry: Entry{Actor: self, Source: "local", Event: LogStopped, Result: Done}}}), true)
			return
		}
	}
}

func (l *Log) collect(list []*request) []*request {
	for len(list) < queueLength {
		select {
		case r := <-l.queue:
			list = append(list, r)
		default:
			return list
		}
	}
	return list
}

// serve writes a group of records and tells those who wait.
func (l *Log) serve(list []*request, anchor bool) {
	select {
	case <-l.failed: // who waits has seen it
		return
	default:
	}
	line, err := l.write(list, anchor || l.bare+len(list) >= l.o.AnchorEvery)
	for _, r := range list {
		r.done <- err
	}
	if line != nil {
		l.armed = false
		l.deadline.Stop()
	} else if l.bare > 0 && !l.armed {
		l.armed = true
		l.deadline.Reset(l.o.AnchorAfter)
	}
	if line != nil && l.o.Anchored != nil {
		go l.o.Anchored(line)
	}
}

// write makes a group of records durable, then the state, and returns the anchor's line if there is
// one. Until all is durable the log stands where it stood.
func (l *Log) write(list []*request, anchor bool) (anchored []byte, err error) {
	next, file, now := l.at, l.file, time.Now().UTC()
	clock := clockNow()
	var out []byte
	begins := next.segment == 0 || next.size >= l.o.SegmentBytes || dayOf(now) != l.day
	if begins {
		next.segment, next.size = next.next, 0
		if file, err = l.create(next.segment); err != nil {
			return nil, l.notWritten(err)
		}
		out = next.append(out, &Record{Time: now, Clock: clock, Entry: Entry{Actor: self,
			Source: "local", Event: LogSegment, Result: Done}}, nil)
	}
	for _, r := range list {
		r.record.Time, r.record.Clock = now, clock
		out = next.append(out, &r.record, nil)
	}
	if anchor {
		start := len(out)
		out = next.append(out, &Record{Time: now, Clock: clock, Entry: Entry{Actor: self,
			Source: "local", Event: LogAnchor, Result: Done}}, l.signing)
		anchored = bytes.Clone(out[start : len(out)-1])
	}
	if _, err := file.WriteAt(out, next.size); err != nil {
		if begins {
			err = l.abandon(next.segment, file, err)
		}
		return nil, l.notWritten(err)
	}
	next.size += int64(len(out))
	if err := l.settle(file, begins, &next); err != nil {
		l.fail(err)
		return nil, l.failure
	}
	if begins && l.file != nil {
		_ = l.file.Close() // all of it was synced
	}
	l.at, l.file = next, file
	if begins {
		l.day = dayOf(now)
	}
	l.bare += len(list)
	if anchor {
		l.bare = 0
	}
	return anchored, nil
}

// create begins the file of a segment.
func (l *Log) create(first uint64) (vfs.File, error) {
	name := l.o.FS.PathJoin(l.o.Dir, segmentName(first))
	f, err := l.o.FS.OpenReadWrite(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return nil, err
	}
	if err := wholefile.Private(f); err != nil {
		return nil, l.abandon(first, f, err)
	}
	return f, nil
}

// abandon takes back a segment that couldn't be begun. If it can't, the log has failed, for the
// file would stand where a later one belongs.
func (l *Log) abandon(first uint64, f vfs.File, err error) error {
	gone := errors.Join(f.Close(), l.o.FS.Remove(l.o.FS.PathJoin(l.o.Dir, segmentName(first))))
	if gone != nil {
		l.fail(errors.Join(err, gone))
	}
	return err
}

// settle makes what was written durable: lines first, then the state that goes on behind them.
func (l *Log) settle(file vfs.File, begins bool, next *state) error {
	if err := file.Sync(); err != nil {
		return err
	}
	if begins {
		if err := wholefile.SyncDir(l.o.FS, l.o.Dir); err != nil {
			return err
		}
	}
	return next.save(l.o.FS, l.o.Dir)
}

// Close records that the log stops, with an anchor, and lets go of it. It doesn't wait for a disk
// for ever.
func (l *Log) Close() error {
	l.stop.Do(func() { close(l.closing) })
	timer := time.NewTimer(l.o.Patience)
	defer timer.Stop()
	select {
	case <-l.done:
	case <-timer.C:
		l.fail(fmt.Errorf("%w for %s", ErrStalled, l.o.Patience))
		return l.failure // the file and the lock stay with the writer
	}
	l.deadline.Stop()
	var err error
	if l.file != nil {
		err = l.file.Close()
		l.file = nil
	}
	if l.lock != nil {
		err = errors.Join(err, l.lock.Close())
		l.lock = nil
	}
	clear(l.signing)
	select {
	case <-l.failed:
		return l.failure
	default:
		return err
	}
}
