package main

import "errors"

// The exit codes. They are part of the interface to scripts.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitUnhealthy   = 3
	exitUnreachable = 4
)

const exitCodes = `Exit codes:
  0  done
  1  failed
  2  wrong usage: arguments, flags or configuration
  3  the switch is there but not healthy
  4  the switch can't be reached`

// failure is an error with its exit code and what the operator can do about it.
type failure struct {
	Code int
	What error // nil: the output has said it already
	Hint string
}

func (f *failure) Error() string {
	if f.What == nil {
		return ""
	}
	return f.What.Error()
}

func (f *failure) Unwrap() error { return f.What }

func failed(err error, hint string) error {
	return &failure{Code: exitFailed, What: err, Hint: hint}
}

func wrongUsage(what, hint string) error {
	return &failure{Code: exitUsage, What: errors.New(what), Hint: hint}
}
