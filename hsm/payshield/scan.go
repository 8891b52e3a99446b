package payshield

import (
	"encoding/hex"
	"fmt"
)

// scanner takes the fields of an answer one after the other. Once a field isn't there, or isn't of
// its form, all that follow are empty, and end says so.
type scanner struct {
	rest []byte
	bad  string
}

func (s *scanner) fail(what string) {
	if s.bad == "" {
		s.bad = what
	}
	s.rest = nil
}

// text takes n characters.
func (s *scanner) text(n int, what string) string {
	if len(s.rest) < n {
		s.fail(what)
		return ""
	}
	t := string(s.rest[:n])
	s.rest = s.rest[n:]
	return t
}

// hex takes n bytes that are written as 2n digits, in capitals or not.
func (s *scanner) hex(n int, what string) []byte {
	if n < 0 || len(s.rest) < 2*n {
		s.fail(what)
		return nil
	}
	b := make([]byte, n)
	if _, err := hex.Decode(b, s.rest[:2*n]); err != nil {
		s.fail(what)
		return nil
	}
	s.rest = s.rest[2*n:]
	return b
}

// keyBlock takes a key block: its scheme, 'S' or 'R', then the block, whose second to fifth
// character say how long it is.
func (s *scanner) keyBlock(scheme byte, what string) string {
	const head = 5
	if len(s.rest) < 1+head || s.rest[0] != scheme {
		s.fail(what)
		return ""
	}
	size := number(string(s.rest[2 : 1+head]))
	if size < head || len(s.rest) < 1+size || !printable(string(s.rest[:1+size])) {
		s.fail(what)
		return ""
	}
	return s.text(1+size, what)
}

// checkValue takes the six digits after a key.
func (s *scanner) checkValue() string {
	v := s.text(2*checkSize, "check value")
	if !hexadecimal(v) {
		s.fail("check value")
	}
	return v
}

// end is nil if all fields were there, and nothing else.
func (s *scanner) end() error {
	if s.bad == "" && len(s.rest) > 0 {
		s.bad = "end"
	}
	if s.bad != "" {
		return fmt.Errorf("%w: it has no %s", errFormat, s.bad)
	}
	return nil
}
