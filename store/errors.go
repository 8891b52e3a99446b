package store

import (
	"errors"
	"fmt"
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
	ErrNotFound = errors.New("no such transaction")
)

// SlowReaderError ends Follow for a reader that couldn't keep up. Nothing was skipped: Follow again from Resume.
type SlowReaderError struct{ Resume uint64 }

func (e *SlowReaderError) Error() string {
	return fmt.Sprintf("the reader is too slow; follow again from record %d", e.Resume)
}
