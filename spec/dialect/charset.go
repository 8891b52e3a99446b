package dialect

import (
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/moov-io/iso8583/encoding"
)

// charset is a code page of one byte a character: what each byte means in ASCII or JIS X 0201.
type charset struct {
	canonical [256]byte
	wire      [256]byte
	ascii     bool
	katakana  bool
}

// charsetOf is a code page by its name, or by its 256 bytes in hexadecimal.
func charsetOf(name string, katakana bool) (*charset, error) {
	if name == "ascii" {
		return &charset{ascii: true, katakana: katakana}, nil
	}
	digits := name
	if len(name) != 512 {
		table, err := files.ReadFile("charsets/" + name + ".txt")
		if err != nil {
			return nil, fmt.Errorf("text %q is none of ascii, cp037, cp290, cp500, cp1047", name)
		}
		digits = strings.Join(strings.Fields(string(table)), "")
	}
	table, err := hex.DecodeString(digits)
	if err != nil || len(table) != 256 {
		return nil, fmt.Errorf("text: a code page has 256 bytes in hexadecimal")
	}
	c := &charset{katakana: katakana}
	for b, ch := range table {
		c.canonical[b] = ch
		if ch != 0 {
			c.wire[ch] = byte(b)
		}
	}
	return c, nil
}

// lengths is how length prefixes are written beside such text.
func (c *charset) lengths() string {
	if c.ascii {
		return "ascii"
	}
	return "ebcdic"
}

// encoder is moov's own for ASCII; its Binary leaves the bytes of half-width katakana alone.
func (c *charset) encoder() encoding.Encoder {
	switch {
	case c.ascii && c.katakana:
		return encoding.Binary
	case c.ascii:
		return encoding.ASCII
	}
	return codePage{c}
}

// codePage is a moov encoder. moov has EBCDIC of its own, but not the code pages that centers use.
type codePage struct{ *charset }

// Encode writes characters.
func (c codePage) Encode(text []byte) ([]byte, error) {
	out := make([]byte, len(text))
	for i, ch := range text {
		if out[i] = c.wire[ch]; out[i] == 0 {
			return nil, errCharacter
		}
	}
	return out, nil
}

// Decode reads so many characters.
func (c codePage) Decode(data []byte, length int) ([]byte, int, error) {
	if length < 0 || length > len(data) {
		return nil, 0, errShort
	}
	out := make([]byte, length)
	for i, b := range data[:length] {
		if out[i] = c.canonical[b]; out[i] == 0 {
			return nil, 0, errCharacter
		}
	}
	return out, length, nil
}

// hexText is a moov encoder for bytes as hexadecimal digits in a code page.
type hexText struct{ *charset }

// Encode writes bytes.
func (h hexText) Encode(data []byte) ([]byte, error) {
	return codePage{h.charset}.Encode([]byte(strings.ToUpper(hex.EncodeToString(data))))
}

// Decode reads so many bytes.
func (h hexText) Decode(data []byte, length int) ([]byte, int, error) {
	text, read, err := codePage{h.charset}.Decode(data, 2*length)
	if err != nil {
		return nil, 0, err
	}
	out := make([]byte, length)
	if _, err := hex.Decode(out, text); err != nil {
		return nil, 0, errCharacter
	}
	return out, read, nil
}
