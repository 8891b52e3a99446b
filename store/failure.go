package store

import (
	"errors"
	"fmt"
	"time"
)

// Error is what an operator reads: what failed, why, and what to do about it.
type Error struct {
	Op   string
	Err  error
	Hint string
}

func (e *Error) Error() string { return e.Op + ": " + e.Err.Error() + "; " + e.Hint }
func (e *Error) Unwrap() error { return e.Err }

var (
	ErrClosed   = errors.New("the store is closed")
	ErrDiskFull = errors.New("too little free space")
	ErrStalled  = errors.New("the disk doesn't answer")
	ErrNotFound = errors.New("no such record")
)

// SlowReaderError ends Follow for a reader that couldn't keep up. Nothing was skipped: Follow again
// from Resume.
type SlowReaderError struct{ Resume uint64 }

func (e *SlowReaderError) Error() string {
	return fmt.Sprintf("the reader is too slow; follow again from record %d", e.Resume)
}

// fail takes the store out of service. It may be called from inside Pebble, with its locks held.
func (s *Store) fail(err error) {
	s.failOnce.Do(func() {
		s.failure = &Error{"write the journal", err,
			"the node is out of service; check the disk, then restart cardswitch"}
		// First: what a shut fence swallows, commit must not take for written.
		close(s.failed)
		s.fs.Shut()
		s.indexFS.Shut()
		s.log.Error("the store failed", "error", s.failure)
		if s.onFailure != nil {
			go s.onFailure(s.failure)
		}
	})
}

// err is the failure, if there is one.
func (s *Store) err() error {
	select {
	case <-s.failed:
		return s.failure
	default:
	}
	if s.closed.Load() {
		return ErrClosed
	}
	return nil
}

// protect turns a panic of Pebble into a failure.
func (s *Store) protect(fn func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("pebble: %v", p)
			s.fail(err)
		}
	}()
	return fn()
}

// closeFailed closes what may have stopped in the middle, and doesn't wait for it for ever.
func (s *Store) closeFailed(closers ...func() error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, c := range closers {
			_ = s.protect(c)
		}
	}()
	timer := time.NewTimer(3 * time.Second)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
}
