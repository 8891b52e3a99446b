package payshield

import (
	"fmt"

	"cardswitch/hsm"
)

// Error is a unit's answer that it didn't do what it was asked. It wraps the hsm error that fits.
type Error struct {
	Command string
	Code    string // two characters
	class   error
}

// Error names the command and says what the code means.
func (e *Error) Error() string {
	return fmt.Sprintf("payshield: %s: %v: %s", e.Command, e.class, e.meaning())
}

func (e *Error) meaning() string { return "error " + e.Code + ", " + meaning(e.Code) }

// Unwrap is the hsm error.
func (e *Error) Unwrap() error { return e.class }

// done is the code of success.
const done = "00"

// errRefused is a code that fits no error of hsm.
var errRefused = fmt.Errorf("the unit refused")

// refusal makes the error of a code. All that a PIN block can be refused for is one error, the same
// to the letter: the code would say which test failed, and that is what a guesser wants to know.
func refusal(c command, code string) error {
	if c.ofPIN() && hidden(code) {
		return fmt.Errorf("payshield: %w", hsm.ErrPIN)
	}
	return &Error{string(c), code, class(c, code)}
}

// hidden tells that a code depends on what is in a PIN block: 14, 20 and 24, the account number of
// 22, and 39, which is the unit's own alarm for too many of them.
func hidden(code string) bool {
	switch code {
	case "14", "20", "22", "24", "39":
		return true
	}
	return false
}

// class is the hsm error of a code. The codes and their meanings are those that ut-codec, smoke and
// pressure list alike.
func class(c command, code string) error {
	switch code {
	case "01":
		if c == verifyMAC {
			return hsm.ErrMAC
		}
		return hsm.ErrKey // A6: wrong parity
	case "02", "04", "05", "10", "11", "26", "27", "28", "29", "48", "75", "83", "84":
		return hsm.ErrKey
	case "17", "23", "69":
		return hsm.ErrForbidden
	case "32", "47", "67", "68":
		return hsm.ErrAbsent
	case "12", "13", "33", "41", "42":
		return hsm.ErrUnavailable
	}
	if code >= "A1" && code <= "BE" {
		return hsm.ErrKey
	}
	return errRefused
}

// sick tells that a code is about the unit and not about the question: another unit may do it.
func sick(code string) bool { return class("", code) == hsm.ErrUnavailable }

// meaning is a code in words.
func meaning(code string) string {
	switch code {
	case "01":
		return "verification failed, or wrong key parity"
	case "02":
		return "key length doesn't go with the algorithm"
	case "04", "28":
		return "invalid key type"
	case "05":
		return "invalid key length flag"
	case "10":
		return "parity of the first key"
	case "11":
		return "parity of the second key"
	case "12":
		return "user storage isn't loaded"
	case "13":
		return "invalid LMK identifier"
	case "15":
		return "invalid input data"
	case "17":
		return "not authorized, or against the security settings"
	case "23":
		return "PIN block format not allowed"
	case "26":
		return "invalid key scheme"
	case "27", "A5":
		return "incompatible key length"
	case "29":
		return "key function not permitted"
	case "33":
		return "LMK key change storage is corrupted"
	case "41":
		return "internal fault"
	case "42":
		return "DES failure"
	case "69":
		return "PIN block format is disabled"
	case "75":
		return "single length key in a longer one"
	case "80":
		return "wrong length of data"
	}
	return meaningOfMore(code)
}

func meaningOfMore(code string) string {
	switch code {
	case "32", "47", "67":
		return "not licensed"
	case "48":
		return "the LMK is too weak for the key"
	case "68":
		return "the command is disabled"
	case "83":
		return "malformed key block"
	case "84":
		return "wrong check value of the key block"
	case "A1":
		return "incompatible LMK schemes"
	case "A2", "A3":
		return "key block of another LMK identifier"
	case "A4":
		return "the key block isn't authentic"
	case "A6":
		return "invalid key usage"
	case "A7":
		return "invalid algorithm"
	case "A8":
		return "invalid mode of use"
	case "A9":
		return "invalid key version number"
	case "AA":
		return "invalid exportability"
	case "AB", "AC", "B3", "B4", "BC":
		return "invalid optional block"
	case "B5", "BD":
		return "incompatible keys"
	case "BB":
		return "invalid wrapping key"
	}
	return "see the unit's manual"
}
