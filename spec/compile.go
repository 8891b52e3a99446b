package spec

import (
	"errors"

	"github.com/moov-io/iso8583"
)

// Compile makes a Dialect of a moov-io/iso8583 definition.
func Compile(name string, s *iso8583.MessageSpec) (*Dialect, error) {
	return nil, errors.New("not yet")
}
