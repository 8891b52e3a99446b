package audit

import (
	"errors"
	"fmt"
	"io"
	"time"

	"cardswitch/store/wholefile"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// recover brings the state up to what lies behind it: records whose seals are right are taken over,
// the rest was never told as recorded and is dropped. A record of before can't be among them, as
// its key is gone. The state itself is written with the next record, which began is.
func (l *Log) recover() (dropped int64, err error) {
	before := l.at.next
	if l.at.segment != 0 {
		if err := l.agrees(); err != nil {
			return 0, err
		}
		if dropped, err = l.takeOver(l.at.segment, l.at.size); err != nil {
			return 0, err
		}
	}
	list, err := segments(l.o.FS, l.o.Dir)
	if err != nil {
		return 0, err
	}
	for _, first := range list {
		if first < before || first <= l.at.segment {
			continue
		}
		if first != l.at.next {
			return 0, fmt.Errorf("%w: %s has no place in it", ErrTampered, segmentName(first))
		}
		more, err := l.takeOver(first, 0)
		if err != nil {
			return 0, err
		}
		dropped += more
	}
	return dropped, l.openSegment()
}

// agrees checks that the segment being written ends, or did before the crash, with the record that
// the state knows as the last.
func (l *Log) agrees() error {
	name := segmentName(l.at.segment)
	f, err := l.o.FS.Open(l.o.FS.PathJoin(l.o.Dir, name))
	if err != nil {
		return errors.Join(ErrTampered, err)
	}
	defer f.Close()
	var end [macTail + 1]byte
	if l.at.size < int64(len(end)) {
		return fmt.Errorf("%w: %s", ErrTampered, stateName)
	}
	_, err = f.ReadAt(end[:], l.at.size-int64(len(end)))
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: %s is cut off before record %d", ErrTampered, name, l.at.next-1)
	}
	if err == nil && string(end[:]) != string(appendMAC(nil, &l.at.mac))+"\n" {
		return fmt.Errorf("%w: %s doesn't end with record %d", ErrTampered, name, l.at.next-1)
	}
	return err
}

// takeOver goes on through the lines of a segment behind a place, and removes what isn't sound.
func (l *Log) takeOver(first uint64, from int64) (dropped int64, err error) {
	in, err := openLines(l.o.FS, l.o.Dir, first)
	if err != nil {
		return 0, err
	}
	defer in.close()
	if err := in.skip(from); err != nil {
		return 0, err
	}
	sound := from
	for {
		text, err := in.next()
		if err != nil {
			return 0, err
		}
		if text == nil || !l.take(text, sound == 0) {
			break
		}
		sound = in.end
		l.at.segment, l.at.size = first, sound
	}
	info, err := in.file.Stat()
	if err != nil || info.Size() == sound {
		return 0, err
	}
	dropped = info.Size() - sound
	if sound == 0 {
		err = l.o.FS.Remove(l.o.FS.PathJoin(l.o.Dir, segmentName(first)))
		return dropped, errors.Join(err, wholefile.SyncDir(l.o.FS, l.o.Dir))
	}
	return dropped, cutSegment(l.o.FS, l.o.Dir, first, sound)
}

// take goes on with a line if it is the next record.
func (l *Log) take(text []byte, begins bool) bool {
	r, err := parse(text)
	if err != nil || r.Seq != l.at.next || begins != (r.Event == LogSegment) ||
		!l.at.right(text, &r) {
		return false
	}
	l.at.pass(text, &r.MAC)
	return true
}

// openSegment opens the segment being written, and finds out when it was begun.
func (l *Log) openSegment() error {
	if l.at.segment == 0 {
		return nil
	}
	in, err := openLines(l.o.FS, l.o.Dir, l.at.segment)
	if err != nil {
		return err
	}
	text, err := in.next()
	if err = errors.Join(err, in.close()); err != nil {
		return err
	}
	head, err := parse(text)
	if err != nil {
		return fmt.Errorf("%w: the head of %s", ErrTampered, segmentName(l.at.segment))
	}
	l.day = dayOf(head.Time)
	l.bare = 1 // what came before the restart gets an anchor soon
	l.file, err = l.o.FS.OpenReadWrite(l.o.FS.PathJoin(l.o.Dir, segmentName(l.at.segment)),
		vfs.WriteCategoryUnspecified)
	return err
}

func dayOf(t time.Time) int64 { return t.Unix() / int64(24*time.Hour/time.Second) }
