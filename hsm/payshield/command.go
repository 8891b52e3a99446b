package payshield

import "time"

// command is a host command, by the two characters of the wire.
type command string

// The commands that are used. CA, from a terminal's static key to a zone's, has no use here, and CI
// takes single DES where its successor G0 takes TDES.
const (
	makeKey     command = "A0"
	joinKey     command = "A4"
	importKey   command = "A6"
	exportKey   command = "A8"
	checkKey    command = "BU"
	zonePIN     command = "CC"
	terminalPIN command = "G0"
	decrypt     command = "M2"
	makeMAC     command = "M6"
	verifyMAC   command = "M8"
	random      command = "N0"
	diagnose    command = "NC"
)

// answer is the code that the command's answer has.
func (c command) answer() string { return string([]byte{c[0], c[1] + 1}) }

// repeatable tells that a command may be done twice: whoever asks again is no worse off, and the
// first answer is lost to everybody. Units keep no state, so that is all of them but A0: each A0
// makes another key, which the units' audit log shows, and nobody could say what became of the
// first. N0 gives other bytes the second time, which is what it is for.
func (c command) repeatable() bool { return c != makeKey }

// patience is how long an answer may take.
func (c command) patience(l Limits) time.Duration {
	switch c {
	case makeKey, joinKey, importKey, exportKey, checkKey:
		return l.KeyTimeout
	}
	return l.Timeout
}

// ofPIN tells that what is wrong with the command's data isn't told; see class.
func (c command) ofPIN() bool { return c == zonePIN || c == terminalPIN }
