package vault

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"cardswitch/store"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// shapes are the ways in which a program may write ten digits in a row of a number, from each place
// on; the first six and last four never make up ten.
func shapes(digits string) (list [][]byte) {
	for at := 0; at+10 <= len(digits); at++ {
		part := digits[at : at+10]
		packed, _ := hex.DecodeString(part)
		list = append(list, []byte(part), packed, []byte(hex.EncodeToString([]byte(part))))
		for skip := range 3 { // it may stand anywhere in what is encoded
			whole := (len(part) - skip) / 3 * 3
			list = append(list, []byte(base64.StdEncoding.EncodeToString([]byte(part[skip:skip+whole]))))
		}
		ebcdic := []byte(part)
		for i := range ebcdic {
			ebcdic[i] |= 0xF0
		}
		list = append(list, ebcdic)
	}
	n, _ := strconv.ParseUint(digits, 10, 64)
	return append(list, binary.BigEndian.AppendUint64(nil, n)[1:],
		binary.LittleEndian.AppendUint64(nil, n)[:7], binary.AppendUvarint(nil, n))
}

func shows(data []byte, digits string) bool {
	for _, shape := range shapes(digits) {
		if bytes.Contains(data, shape) {
			return true
		}
	}
	return false
}

// TestNoNumberOnDisk looks into every file of a data directory with tokens, made, found, spent,
// deleted and re-encrypted, for the digits of each card.
func TestNoNumberOnDisk(t *testing.T) {
	dir := t.TempDir()
	s, err := store.Open(store.Options{Dir: dir, Key: make([]byte, 32)})
	if err != nil {
		t.Fatal(err)
	}
	y := &yard{diary: new(diary)}
	y.shelf = &shelf{Store: s, filling: s.NewBatch(), wake: make(chan struct{}, 1),
		stop: make(chan struct{}), done: make(chan struct{})}
	go y.shelf.commits()
	o := options(y.shelf, vfs.Default, y.diary)
	o.KeyFile = filepath.Join(dir, "vault.keys")
	if y.Vault, err = Open(o); err != nil {
		t.Fatal(err)
	}
	digits := preserving(t, "990000", "990999", true)
	const cards = 40
	work := func() {
		t.Helper()
		for n := range cards {
			token := y.put(t, Ask{PAN: cardOf(n), Scope: "m", Format: digits})
			y.put(t, Ask{PAN: cardOf(n), Scope: "m", Format: opaque(t), Life: time.Hour})
			y.redeem(t, token, "m")
			if n%4 == 0 {
				if err := y.Delete(t.Context(), token, officer()); err != nil {
					t.Error(err)
				}
			}
		}
		if err := y.Rekey(t.Context(), officer()); err != nil {
			t.Fatal(err)
		}
		y.ended(t)
	}
	look := func(when string) {
		t.Helper()
		files := 0
		err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			files++
			data, err := os.ReadFile(name)
			for n := range cards {
				if shows(data, cardOf(n).Reveal()) {
					t.Fatalf("%s: %s shows a card number", when, name)
				}
			}
			return err
		})
		if err != nil || files < 6 {
			t.Fatalf("%d files, %v", files, err)
		}
	}
	work()
	look("running")
	y.close(t)
	look("closed")
	info, err := os.Stat(o.KeyFile)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key file has mode %v, %v", info.Mode(), err)
	}
}

func TestCanarySees(t *testing.T) {
	const digits = "4539121234567895"
	packed, _ := hex.DecodeString(digits)
	ebcdic := []byte(digits)
	for i := range ebcdic {
		ebcdic[i] |= 0xF0
	}
	number := binary.BigEndian.AppendUint64(nil, 4539121234567895)
	for _, data := range [][]byte{[]byte("x" + digits), packed,
		[]byte(hex.EncodeToString([]byte(digits))),
		[]byte(base64.StdEncoding.EncodeToString([]byte("ab" + digits))), ebcdic, number,
		append([]byte{0x04}, packed[1:]...)} {
		if !shows(data, digits) {
			t.Errorf("%x isn't seen", data)
		}
	}
	if shows([]byte("453912******7895"), digits) {
		t.Error("a masked number is seen")
	}
}
