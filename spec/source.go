package spec

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// describe writes the whole dialect in the words of package dialect, with nothing left to defaults
// or to the standard's table. Equal wire formats give equal text.
func (d *Dialect) describe(katakana bool) []byte {
	var b strings.Builder
	text := d.mainText()
	fmt.Fprintf(&b, "base: none\ntext: %s\nkatakana: %t\n", text.describe(), katakana)
	fmt.Fprintf(&b, "mti: {%s}\n", d.mti.describe(text))
	fmt.Fprintf(&b, "bitmap: {%s}\n", d.bitmap.describe(text))
	b.WriteString("elements:\n")
	for n := d.known.Next(0); n != 0; n = d.known.Next(n) {
		l := &d.elements[n]
		fixed := "" // said only here: the MTI and the bitmap are never anything else
		if l.prefix == 0 {
			fixed = ", prefix: 0"
		}
		fmt.Fprintf(&b, "  %d: {%s%s}\n", n, l.describe(text), fixed)
	}
	return []byte(b.String())
}

// mainText is the charset of the first element that has one.
func (d *Dialect) mainText() *charset {
	if d.mti.form == formText {
		return d.mti.text
	}
	for i := range d.elements {
		if l := &d.elements[i]; l.form == formText {
			return l.text
		}
	}
	return ascii
}

func (l *layout) describe(main *charset) string {
	s := fmt.Sprintf("class: %s, length: %d, form: %s", l.class, l.length, l.formName())
	if l.prefix != 0 {
		s += fmt.Sprintf(", prefix: %d, lengths: %s", l.prefixDigits(), l.countingName())
	}
	if l.text != nil && l.text != main && l.form != formPacked {
		s += ", text: " + l.text.describe()
	}
	return s
}

// prefixDigits is the digits that the bytes of the prefix hold.
func (l *layout) prefixDigits() int {
	if l.counting == countText {
		return int(l.prefix)
	}
	return 2 * int(l.prefix)
}

func (l *layout) countingName() string {
	if l.counting == countText && l.zero != '0' {
		return "ebcdic"
	}
	return [...]string{countText: "ascii", countPacked: "packed", countBinary: "binary"}[l.counting]
}

func (l *layout) formName() string {
	switch l.form {
	case formPacked, formSigned:
		side := "left"
		if l.padRight {
			side = "right"
		}
		return fmt.Sprintf("packed-%s-%x", side, l.pad)
	case formBytes:
		return "bytes"
	case formHex:
		return "hex"
	}
	return "text"
}

func (c *charset) describe() string {
	if c.ascii {
		return "ascii"
	}
	return hex.EncodeToString(c.canonical[:])
}
