package audit

import (
	"bytes"
	"encoding/json"
	"fmt"

	"cardswitch/store/wholefile"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// state is what lies in the state file: where the chain stands, and the next key.
type state struct {
	chain
	segment uint64 // Seq of the first record of the segment being written; 0: none yet
	size    int64  // its bytes up to there
}

const (
	stateName    = "audit.state"
	stateVersion = 1
)

// stateText is a state as JSON. It holds a key: it goes to its file and nowhere else.
type stateText struct {
	Version int    `json:"version"`
	Next    uint64 `json:"next"`
	Segment uint64 `json:"segment"`
	Size    int64  `json:"size"`
	MAC     string `json:"mac"`
	Digest  string `json:"digest"`
	Key     string `json:"key"`
}

func (s *state) save(fs vfs.FS, dir string) error {
	text, err := json.Marshal(&stateText{stateVersion, s.next, s.segment, s.size, s.mac.String(),
		s.digest.String(), s.key.text()})
	if err != nil {
		return err
	}
	defer clear(text)
	return wholefile.Replace(fs, fs.PathJoin(dir, stateName), append(text, '\n'))
}

func loadState(fs vfs.FS, dir string) (*state, error) {
	data, err := wholefile.Read(fs, fs.PathJoin(dir, stateName))
	if err != nil {
		return nil, err
	}
	defer clear(data)
	return parseState(data)
}

func parseState(data []byte) (*state, error) {
	var t stateText
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&t); err != nil {
		return nil, fmt.Errorf("%s: %w", stateName, wholefile.ErrDamaged)
	}
	if t.Version != stateVersion {
		return nil, fmt.Errorf("%s is of version %d, this program knows %d", stateName, t.Version,
			stateVersion)
	}
	s := &state{segment: t.Segment, size: t.Size}
	s.next = t.Next
	var err [3]error
	s.mac, err[0] = parseHash(t.MAC)
	s.digest, err[1] = parseHash(t.Digest)
	s.key, err[2] = parseKey(t.Key)
	for _, err := range err {
		if err != nil {
			return nil, fmt.Errorf("%s: %w", stateName, err)
		}
	}
	if s.next == 0 || s.size < 0 || s.segment >= s.next {
		return nil, fmt.Errorf("%s: %w", stateName, wholefile.ErrDamaged)
	}
	return s, nil
}
