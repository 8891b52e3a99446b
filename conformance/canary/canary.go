// Package canary looks for what nobody may see: card numbers, tracks, PIN blocks, security codes.
//
// A secret is looked for in every shape in which a program may write it: as text, in EBCDIC, packed
// two digits a byte from either nibble, in hex of each of them, in base64, and as a number.
package canary

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
)

// How much of a card number in a row is found. Less would be found by chance, more would let most
// of a number pass. The first six and last four never make up a window.
const (
	window       = 10 // digits as text
	packedWindow = 6  // bytes with two digits each; random data have five of them too often
	textWindow   = 8  // such bytes that are all characters of hex, which seals are written in
)

// Canary is a set of secrets. It may be filled and asked by many goroutines.
type Canary struct {
	mu      sync.RWMutex
	needles []needle
	known   map[string]bool
	starts  map[uint32][]int // needles by their first four bytes
	likely  [1 << 16]bool    // whether a hash of four bytes begins one
}

type needle struct {
	secret string // what it is part of, without a digit of it
	shape  string
	bytes  []byte
}

// Finding is a secret where it must not be.
type Finding struct {
	Where, Secret, Shape string
	At                   int
}

// String says it without the secret.
func (f Finding) String() string {
	return fmt.Sprintf("%s: %s, %s, at byte %d", f.Where, f.Secret, f.Shape, f.At)
}

// New returns an empty set.
func New() *Canary {
	return &Canary{known: make(map[string]bool), starts: make(map[uint32][]int)}
}

// Digits adds a card number, or the digits of a track behind it. Any ten of them in a row are
// found (packed twelve), so that what is masked passes and what is only cut short doesn't.
func (c *Canary) Digits(name, digits string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known[digits] {
		return
	}
	c.known[digits] = true
	for at := 0; at+window <= len(digits); at++ {
		c.text(name, digits[at:at+window])
	}
	for _, first := range []int{0, 1} { // from a high nibble, and from a low one
		for at := first; at+2*packedWindow <= len(digits); at += 2 {
			packed, err := hex.DecodeString(digits[at : at+2*packedWindow])
			if err == nil && !bytes.ContainsFunc(packed, notHex) && at+2*textWindow <= len(digits) {
				packed, err = hex.DecodeString(digits[at : at+2*textWindow])
			}
			if err == nil && (len(packed) == textWindow || bytes.ContainsFunc(packed, notHex)) {
				c.add(name, "packed", packed)
			}
		}
	}
	if n, err := strconv.ParseUint(digits, 10, 64); err == nil && len(digits) >= 12 {
		c.add(name, "number", binary.BigEndian.AppendUint64(nil, n)[1:])
		c.add(name, "number", binary.LittleEndian.AppendUint64(nil, n)[:7])
		c.add(name, "number", binary.AppendUvarint(nil, n))
	}
}

func notHex(r rune) bool { return !strings.ContainsRune("0123456789ABCDEFabcdef", r) }

// Text adds a secret of characters, found as a whole.
func (c *Canary) Text(name, text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.text(name, text)
}

func (c *Canary) text(name, text string) {
	c.add(name, "text", []byte(text))
	c.hex(name, "text", []byte(text))
	ebcdic := bytes.Clone([]byte(text))
	for i, b := range ebcdic {
		if b < '0' || b > '9' {
			return
		}
		ebcdic[i] = b - '0' + 0xF0
	}
	c.add(name, "EBCDIC", ebcdic)
	c.hex(name, "EBCDIC", ebcdic)
}

// Bytes adds a secret of bytes, such as a PIN block.
func (c *Canary) Bytes(name string, b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.add(name, "bytes", b)
	c.hex(name, "bytes", b)
}

func (c *Canary) hex(name, shape string, b []byte) {
	text := hex.EncodeToString(b)
	c.add(name, shape+" in hex", []byte(text))
	if upper := strings.ToUpper(text); upper != text {
		c.add(name, shape+" in HEX", []byte(upper))
	}
	for skip := range 3 { // it may stand anywhere in what is encoded
		whole := (len(b) - skip) / 3 * 3
		if whole >= 6 {
			text := base64.StdEncoding.EncodeToString(b[skip : skip+whole])
			c.add(name, shape+" in base64", []byte(text))
		}
	}
}

func (c *Canary) add(name, shape string, b []byte) {
	start := binary.LittleEndian.Uint32(b)
	c.likely[hash(start)] = true
	c.starts[start] = append(c.starts[start], len(c.needles))
	c.needles = append(c.needles, needle{name, shape, bytes.Clone(b)})
}

func hash(start uint32) uint32 { return start * 0x9E3779B1 >> 16 }

// Search looks through data for every secret; each shape is reported once.
func (c *Canary) Search(where string, data []byte) []Finding {
	c.mu.RLock()
	defer c.mu.RUnlock()
	var found []Finding
	seen := make(map[string]bool)
	for at := 0; at+4 <= len(data); at++ {
		start := binary.LittleEndian.Uint32(data[at:])
		if !c.likely[hash(start)] {
			continue
		}
		for _, i := range c.starts[start] {
			n := &c.needles[i]
			if bytes.HasPrefix(data[at:], n.bytes) && !seen[n.secret+n.shape] {
				seen[n.secret+n.shape] = true
				found = append(found, Finding{where, n.secret, n.shape, at})
			}
		}
	}
	return found
}

// Folder looks through every file under a folder, and through the files' names.
func (c *Canary) Folder(dir string) ([]Finding, error) {
	var found []Finding
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		found = append(found, c.Search("the name "+filepath.Base(name), []byte(name))...)
		if !d.Type().IsRegular() {
			return nil
		}
		data, err := os.ReadFile(name)
		found = append(found, c.Search(name, data)...)
		return err
	})
	return found, err
}
