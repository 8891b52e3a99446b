package protect

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"

	"cardswitch/conformance/secretfile"
)

// keys are clear ones of tests, by what they are for (zak:in, zpk:out, bdk) and by generation. All
// guards that were made of the same Options have the same.
type keys struct {
	mu  sync.RWMutex
	all map[string]map[uint16][]byte
}

// String keeps even test keys out of any output.
func (*keys) String() string { return "(keys)" }

// GoString does so for %#v.
func (*keys) GoString() string { return "(keys)" }

func readKeys(name string) (*keys, error) {
	text, err := secretfile.Read(name, 64<<10)
	if err != nil {
		return nil, err
	}
	k, err := parseKeys(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return k, nil
}

func parseKeys(r io.Reader) (*keys, error) {
	k := &keys{all: make(map[string]map[uint16][]byte)}
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		text, _, _ := strings.Cut(lines.Text(), "#")
		fields := strings.Fields(text)
		if len(fields) == 0 {
			continue
		}
		if len(fields) != 2 {
			return nil, fmt.Errorf("line %d: write a name, as zak:hq-aoyama:in@1, and hex digits", n)
		}
		use, generation, err := parseName(fields[0])
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		key, err := hex.DecodeString(fields[1])
		if err != nil || len(key) != 16 && len(key) != 24 && len(key) != 32 {
			return nil, fmt.Errorf("line %d: a key has 32, 48 or 64 hex digits", n)
		}
		if k.get(use, generation) != nil {
			return nil, fmt.Errorf("line %d: this key is there already", n)
		}
		k.put(use, generation, key)
	}
	return k, lines.Err()
}

// parseName reads the name of a key: of which center it is doesn't matter here.
func parseName(text string) (use string, generation uint16, err error) {
	name, number, ok := strings.Cut(text, "@")
	g, wrong := strconv.ParseUint(number, 10, 16)
	parts := strings.Split(name, ":")
	if !ok || wrong != nil || g == 0 {
		return "", 0, fmt.Errorf("%q isn't a name with a generation, as zak:hq-aoyama:in@1", text)
	}
	switch {
	case parts[0] == "bdk" && len(parts) == 2:
		return "bdk", uint16(g), nil
	case (parts[0] == "zak" || parts[0] == "zpk") && len(parts) == 3 &&
		(parts[2] == "in" || parts[2] == "out"):
		return parts[0] + ":" + parts[2], uint16(g), nil
	}
	return "", 0, fmt.Errorf("%q is no zak, zpk (with in or out) or bdk", text)
}

// newest is the latest generation of a key.
func (k *keys) newest(use string) (key []byte, generation uint16, err error) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	for g := range k.all[use] {
		generation = max(generation, g)
	}
	if generation == 0 {
		return nil, 0, fmt.Errorf("there is no key %s in the file", use)
	}
	return k.all[use][generation], generation, nil
}

// get is a generation of a key, nil if there is none.
func (k *keys) get(use string, generation uint16) []byte {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.all[use][generation]
}

func (k *keys) put(use string, generation uint16, key []byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.all[use] == nil {
		k.all[use] = make(map[uint16][]byte)
	}
	k.all[use][generation] = key
}
