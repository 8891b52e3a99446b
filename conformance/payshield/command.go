package payshield

import (
	"crypto/rand"
)

// done is the error code of success.
const done = "00"

// do does a command and gives the error code and the fields of the answer.
func (s *Simulator) do(command string, text []byte) (code, rest string) {
	f := &fields{rest: string(text)}
	switch command {
	case "NC":
		rest, code = s.diagnose(f)
	case "N0":
		rest, code = s.random0(f)
	case "A0":
		rest, code = s.makeKey(f)
	case "A4":
		rest, code = s.joinKey(f)
	case "A6":
		rest, code = s.importKey(f)
	case "A8":
		rest, code = s.exportKey(f)
	case "BU":
		rest, code = s.checkKey(f)
	case "CC":
		rest, code = s.zonePIN(f)
	case "G0":
		rest, code = s.terminalPIN(f)
	case "M0":
		rest, code = s.crypt(f, false)
	case "M2":
		rest, code = s.crypt(f, true)
	case "M6":
		rest, code = s.makeMAC(f)
	case "M8":
		rest, code = s.verifyMAC(f)
	default:
		code = "68"
	}
	if code == "" {
		return done, rest
	}
	return code, ""
}

// first gives the first error code.
func first(codes ...string) string {
	for _, c := range codes {
		if c != "" {
			return c
		}
	}
	return ""
}

func (s *Simulator) diagnose(f *fields) (rest, code string) {
	code = f.last(s.lmk.id)
	return s.lmk.check + "0000-SIM1", code
}

func (s *Simulator) random0(f *fields) (rest, code string) {
	n := f.number(3, 10)
	if code := f.end(); code != "" {
		return "", code
	}
	if n < 1 || n > 256 {
		return "", "01"
	}
	b := make([]byte, n)
	_, _ = rand.Read(b) // it never fails
	return string(b), ""
}
