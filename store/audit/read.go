package audit

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Filter says which records somebody wants to see. What is zero doesn't matter.
type Filter struct {
	FS           vfs.FS // nil: the machine's
	Since, Until time.Time
	Actor        string
	Events       []Event
	Object       string // a part of it
	Result       Result
	Limit        int // the newest ones; 0: 1000
}

func (f *Filter) takes(r *Record) bool {
	return (f.Since.IsZero() || !r.Time.Before(f.Since)) &&
		(f.Until.IsZero() || r.Time.Before(f.Until)) &&
		(f.Actor == "" || r.Actor == f.Actor) &&
		(len(f.Events) == 0 || slices.Contains(f.Events, r.Event)) &&
		strings.Contains(r.Object, f.Object) &&
		(f.Result == 0 || r.Result == f.Result)
}

// Read returns the newest records that a filter takes, oldest first. The log may be in use. It
// shows what is there: only Verify tells whether that is what was written.
func Read(dir string, f Filter) ([]Record, error) {
	if f.FS == nil {
		f.FS = vfs.Default
	}
	if f.Limit <= 0 {
		f.Limit = 1000
	}
	list, err := segments(f.FS, dir)
	if err != nil {
		return nil, &Error{"read the audit log", err, "check the folder and who may read it"}
	}
	var found []Record
	for _, first := range slices.Backward(list) {
		older, err := f.segment(dir, first, f.Limit-len(found))
		found = append(older, found...)
		if err != nil {
			return found, err
		}
		if len(found) >= f.Limit {
			break
		}
	}
	return found, nil
}

// segment returns the newest records of a segment, up to a limit.
func (f *Filter) segment(dir string, first uint64, limit int) ([]Record, error) {
	in, err := openLines(f.FS, dir, first)
	if err != nil {
		return nil, &Error{"read the audit log", err, "check the folder and who may read it"}
	}
	defer in.close()
	var found []Record
	for line := 1; ; line++ {
		text, err := in.next()
		if text == nil || err != nil {
			return found[max(0, len(found)-limit):], err
		}
		r, err := parse(text)
		if err != nil {
			return found[max(0, len(found)-limit):], &Error{"read the audit log",
				fmt.Errorf("line %d of %s: %w", line, segmentName(first), err),
				"verify the log with the auditor's key"}
		}
		if f.takes(&r) {
			if len(found) >= 2*limit {
				found = append(found[:0], found[len(found)-limit:]...)
			}
			found = append(found, r)
		}
	}
}
