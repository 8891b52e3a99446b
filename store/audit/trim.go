package audit

import (
	"context"
	"fmt"
	"time"

	"cardswitch/store/wholefile"
)

// LeastMonths is what Trim leaves in any case (PCI DSS 10.5.1).
const LeastMonths = 12

// Trim removes the segments whose records are all older than a time, which must be twelve months
// ago, and returns how many. It records before what it removes, in whose name. The segment being
// written stays.
func (l *Log) Trim(ctx context.Context, before time.Time, who Entry) (int, error) {
	const op = "trim the audit log"
	if least := time.Now().AddDate(0, -LeastMonths, 0); before.After(least) {
		return 0, &Error{op, fmt.Errorf("records after %s may not be removed",
			least.Format(time.DateOnly)), fmt.Sprintf("%d months must be kept", LeastMonths)}
	}
	old, first, err := l.old(before)
	if err != nil || len(old) == 0 {
		return 0, err
	}
	who.Event, who.Result = ConfigChanged, Done
	if err := who.check(); err != nil {
		return 0, &Error{op, err, "say who trims it"}
	}
	who.Event = LogTrimmed
	who.Object = fmt.Sprintf("records %d to %d", old[0], first-1)
	if _, err := l.put(ctx, Record{Entry: who.cleaned(), First: first}); err != nil {
		return 0, err
	}
	for n, segment := range old { // oldest first, so that a crash leaves no gap
		if err := l.o.FS.Remove(l.o.FS.PathJoin(l.o.Dir, segmentName(segment))); err != nil {
			return n, &Error{op, err, "check the disk of " + l.o.Dir + " and try again"}
		}
	}
	if err := wholefile.SyncDir(l.o.FS, l.o.Dir); err != nil {
		return len(old), &Error{op, err, "check the disk of " + l.o.Dir}
	}
	return len(old), nil
}

// old lists the segments that end before a time, and the first record that stays.
func (l *Log) old(before time.Time) (old []uint64, first uint64, err error) {
	list, err := segments(l.o.FS, l.o.Dir)
	if err != nil {
		return nil, 0, err
	}
	young := Filter{FS: l.o.FS, Since: before}
	for i := 1; i < len(list); i++ {
		// All times are looked at: where the clock had jumped, the last isn't the newest.
		records, err := young.segment(l.o.Dir, list[i-1], 1)
		if err != nil {
			return nil, 0, err
		}
		if len(records) > 0 {
			break
		}
		old, first = append(old, list[i-1]), list[i]
	}
	return old, first, nil
}
