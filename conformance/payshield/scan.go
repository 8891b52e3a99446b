package payshield

import (
	"encoding/hex"
	"strconv"
	"strings"
)

// fields is what follows a command's code. Each take cuts something off, and what isn't there as it
// should be makes bad true, and everything that follows empty.
type fields struct {
	rest string
	bad  bool
}

func (f *fields) take(n int) string {
	if n < 0 || n > len(f.rest) {
		f.bad, f.rest = true, ""
		return ""
	}
	var t string
	t, f.rest = f.rest[:n], f.rest[n:]
	return t
}

// is takes a constant.
func (f *fields) is(text string) {
	if f.take(len(text)) != text {
		f.bad = true
	}
}

// optional takes a constant if it is there.
func (f *fields) optional(text string) bool {
	rest, there := strings.CutPrefix(f.rest, text)
	f.rest = rest
	return there
}

// one takes a character of several.
func (f *fields) one(of string) string {
	c := f.take(1)
	if c == "" || !strings.Contains(of, c) {
		f.bad = true
	}
	return c
}

// number takes n decimal digits, or hexadecimal ones.
func (f *fields) number(n, radix int) int {
	t := f.take(n)
	v, err := strconv.ParseUint(t, radix, 32)
	if err != nil || strings.HasPrefix(t, "+") || strings.Contains(t, "_") {
		f.bad = true
	}
	return int(v)
}

// hex takes 2n digits as n bytes.
func (f *fields) hex(n int) []byte {
	b, err := hex.DecodeString(f.take(2 * n))
	if err != nil || n < 0 {
		f.bad = true
		return nil
	}
	return b
}

// digits takes n decimal digits as they are.
func (f *fields) digits(n int) string {
	t := f.take(n)
	if len(t) != n || !digits(t) {
		f.bad = true
	}
	return t
}

// block takes a key block with its scheme.
func (f *fields) block(scheme string) string {
	if len(f.rest) < 6 || f.rest[:1] != scheme {
		f.bad, f.rest = true, ""
		return ""
	}
	size, err := strconv.Atoi(f.rest[2:6])
	if err != nil || size < 16 {
		f.bad = true
		return ""
	}
	return f.take(1 + size)
}

// data takes four hexadecimal digits and so many bytes, or digits of them.
func (f *fields) data(format string) []byte {
	n := f.number(4, 16)
	if format == "1" {
		return f.hex(n / 2)
	}
	return []byte(f.take(n))
}

// lmk takes the LMK identifier, if there is one; it must be ours.
func (f *fields) lmk(id string) (code string) {
	if f.optional("%") && f.digits(2) != id && !f.bad {
		return "13"
	}
	return ""
}

// last takes the LMK identifier where it is the last field, and gives the error code of all.
func (f *fields) last(id string) string {
	other := f.lmk(id)
	return first(f.end(), other)
}

// end is the error code of fields that aren't all there, or aren't all.
func (f *fields) end() string {
	if f.bad || f.rest != "" {
		return "15"
	}
	return ""
}

func digits(t string) bool { return strings.Trim(t, "0123456789") == "" }

func printable(t string) bool {
	return !strings.ContainsFunc(t, func(r rune) bool { return r <= ' ' || r > '~' })
}

func upper(b []byte) string { return strings.ToUpper(hex.EncodeToString(b)) }
