package audit

import "errors"

// Error is what an operator reads: what failed, why, and what to do about it.
type Error struct {
	Op   string
	Err  error
	Hint string
}

func (e *Error) Error() string { return e.Op + ": " + e.Err.Error() + "; " + e.Hint }
func (e *Error) Unwrap() error { return e.Err }

var (
	ErrClosed   = errors.New("the audit log is closed")
	ErrBusy     = errors.New("too many wait for the audit log; nothing was recorded")
	ErrStalled  = errors.New("the disk doesn't answer")
	ErrTampered = errors.New("the audit log isn't what was written")
)

// fail ends the writing. What was told as recorded is.
func (l *Log) fail(err error) {
	l.failOnce.Do(func() {
		l.failure = &Error{"write the audit log", err,
			"what must be recorded is refused; check the disk of " + l.o.Dir +
				", then restart cardswitch"}
		close(l.failed)
		l.o.Logger.Error("the audit log failed", "error", l.failure)
	})
}

// notWritten is that of records for which there was no room; the next may find some.
func (l *Log) notWritten(err error) error {
	return &Error{"write the audit log", err,
		"make room on the disk of " + l.o.Dir + " and try again"}
}
