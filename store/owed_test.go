package store

import (
	"errors"
	"testing"
)

// An operator may ask for the work list while the switch ends.
func TestWorkListOfAClosedStore(t *testing.T) {
	s, err := Open(Options{Dir: "data", FS: Memory(), Key: make([]byte, 32)})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, err := range s.WorkList() {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("the work list of a closed store: %v", err)
		}
	}
	for _, err := range s.Queue(1) {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("the queue of a closed store: %v", err)
		}
	}
}
