package store

import (
	"errors"
	"fmt"

	"cardswitch/store/entry"
	"cardswitch/store/journal"
	"cardswitch/store/queue"
	"cardswitch/store/total"

	"github.com/cockroachdb/pebble/v2"
)

// A journal has a level: the forms of all that may stand in it, in the nodes' log and in what is
// shipped to a node. It is the version in the directory, and goes up only by an entry that the
// nodes have agreed on, once the programs of all members can read the new one. The lowest of those
// that are connected just now would not do: one that was away, or goes back to an older program,
// would find what it can't read. So that one can always go back by one program, a program reads a
// new level one release before there is one that raises to it.
//
// What a level is made of is in Forms.
const (
	firstLevel = 1
	// pebbleForm is that of both Pebbles. A newer library would raise it by itself if it were asked
	// for its newest.
	pebbleForm = pebble.FormatValueSeparation
	// Reads is the newest level that this program can read, Raises the one it raises a cluster to.
	Reads  = 1
	Raises = 1
)

// Form is one of the forms of a level.
type Form struct {
	Name    string `json:"name"`
	Version int    `json:"version"`
}

// Forms are those that this program writes at its newest level.
func Forms() []Form {
	return []Form{{"chunks of records", journal.Version}, {"parts of a record", journal.Parts},
		{"entries", entry.Version}, {"owed advices", queue.Version}, {"totals", total.Version},
		{"shipped journals", shipVersion}, {"Pebble", int(pebbleForm)}}
}

// Level is that of the journal.
func (s *Store) Level() uint8 { return uint8(s.level.Load()) }

// Raise agrees with the other nodes on a higher level. That all of them can read it is for the
// caller to know.
func (s *Store) Raise(to uint8) error {
	if _, err := s.levelOf([]byte{to}); err != nil {
		return err
	}
	if to <= s.Level() {
		return fmt.Errorf("the journal is of level %d, it doesn't go to %d", s.Level(), to)
	}
	return s.decree([]byte(aboutVersion), []byte{to})
}

// levelOf reads the level of a journal, and refuses one that this program can't read.
func (s *Store) levelOf(version []byte) (uint8, error) {
	const op = "open the journal"
	switch {
	case len(version) != 1 || version[0] < firstLevel:
		return 0, &Error{op, errors.New("damaged level"), "restore the data directory"}
	case version[0] > s.reads:
		return 0, &Error{op, fmt.Errorf("it is of level %d, this program reads up to %d", version[0],
			s.reads), "run the cardswitch that wrote it, or a newer one"}
	}
	return version[0], nil
}
