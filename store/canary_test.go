package store

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// TestNoCardNumberOnDisk looks into every file of a data directory that has seen cards, with all
// its logs and tables, for the digits of each: in clear, packed, and as a number.
func TestNoCardNumberOnDisk(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(Options{Dir: dir, KeyFile: filepath.Join(dir, "data.key"), CreateKey: true})
	if err != nil {
		t.Fatal(err)
	}
	const cards = 100
	fill(t, s, 0, cards)
	if err := s.db.Flush(); err != nil {
		t.Fatal(err)
	}
	fill(t, s, cards, cards) // these stay in the log
	search := func(when string) {
		t.Helper()
		files := 0
		err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			files++
			data, err := os.ReadFile(name)
			for n := range 2 * cards {
				if what := shows(data, cardOf(n)); what != "" {
					t.Fatalf("%s: %s shows a card number %s", when, name, what)
				}
			}
			return err
		})
		if err != nil || files < 8 {
			t.Fatalf("%d files, %v", files, err)
		}
	}
	search("running")
	closeStore(t, s)
	search("closed")
}

// shows says how data holds a card number, "" if it doesn't.
func shows(data []byte, digits string) string {
	if bytes.Contains(data, []byte(digits[6:])) {
		return "in clear"
	}
	packed, _ := hex.DecodeString(digits)
	if bytes.Contains(data, packed[2:]) {
		return "packed"
	}
	var n uint64
	_, _ = fmt.Sscan(digits, &n)
	if bytes.Contains(data, binary.BigEndian.AppendUint64(nil, n)) ||
		bytes.Contains(data, binary.LittleEndian.AppendUint64(nil, n)) {
		return "as a number"
	}
	return ""
}

func TestCanarySees(t *testing.T) {
	const digits = "4539121234567890"
	packed, _ := hex.DecodeString(digits)
	number := binary.BigEndian.AppendUint64(nil, 4539121234567890)
	for _, data := range [][]byte{[]byte("x" + digits + "y"), append([]byte("x"), packed...), number} {
		if shows(data, digits) == "" {
			t.Errorf("%x isn't seen", data)
		}
	}
	if what := shows([]byte("453912******7890"), digits); what != "" {
		t.Errorf("a masked number is seen %s", what)
	}
}
