package vault

import "errors"

// Error is what an operator reads: what failed, why, and what to do about it.
type Error struct {
	Op   string
	Err  error
	Hint string
}

func (e *Error) Error() string { return e.Op + ": " + e.Err.Error() + "; " + e.Hint }
func (e *Error) Unwrap() error { return e.Err }

// What is wrong with a token. A partner is answered the same in each case, and so is a person who
// may not know more.
var (
	ErrNoToken = errors.New("no such token")
	ErrForeign = errors.New("the token belongs to another")
	ErrExpired = errors.New("the token has expired")
	ErrSpent   = errors.New("the token was used before")
)

var (
	ErrRangeFull  = errors.New("no free token was found in the range")
	ErrNoFit      = errors.New("the card number is too short for tokens of this format")
	ErrIsToken    = errors.New("the card number is in the range of the tokens")
	ErrDamaged    = errors.New("damaged token record")
	ErrRefused    = errors.New("not allowed")
	ErrTooMany    = errors.New("too many card numbers were shown in this minute")
	ErrRekeying   = errors.New("a re-keying is under way")
	errUnknownKey = errors.New("the record's data key isn't there")
)
