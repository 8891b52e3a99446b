package scenario

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"cardswitch/conformance/format"
	"cardswitch/conformance/ledger"
)

// numbers gives trace and reference numbers that no scenario of a session shares.
type numbers struct {
	stan, rrn uint64
	prefix    string
	before    atomic.Uint64 // reference numbers up to here belong to earlier scenarios
}

// past reports whether a message is about an earlier scenario: an advice that the host still
// owed when that one ended, for example.
func (n *numbers) past(m *format.Message) bool {
	digits, ours := strings.CutPrefix(m.Get(37), n.prefix)
	rrn, err := strconv.ParseUint(digits, 10, 64)
	return ours && err == nil && rrn <= n.before.Load()
}

func (n *numbers) nextSTAN() string {
	n.stan++
	return fmt.Sprintf("%06d", n.stan%1000000)
}

func (n *numbers) nextRRN() string {
	n.rrn++
	return fmt.Sprintf("%s%08d", n.prefix, n.rrn%100000000)
}

// expand replaces what stands in braces.
func (r *run) expand(text string) (string, error) {
	var b strings.Builder
	for {
		before, rest, open := strings.Cut(text, "{")
		b.WriteString(before)
		if !open {
			return b.String(), nil
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed {
			return "", errors.New("a brace isn't closed")
		}
		v, err := r.lookup(name)
		if err != nil {
			return "", err
		}
		b.WriteString(v)
		text = after
	}
}

func (r *run) lookup(name string) (string, error) {
	switch name {
	case "stan":
		return r.session.numbers.nextSTAN(), nil
	case "rrn":
		return r.session.numbers.nextRRN(), nil
	case "now":
		return time.Now().In(r.session.zone).Format("060102150405"), nil
	case "utc":
		return time.Now().UTC().Format("0102150405"), nil
	case "yesterday", "today", "tomorrow":
		days := map[string]int{"yesterday": -1, "today": 0, "tomorrow": 1}
		return time.Now().In(r.session.zone).AddDate(0, 0, days[name]).Format("060102"), nil
	case "unsent":
		return r.unsent(), nil
	}
	if v, ok := r.kept[name]; ok {
		return v, nil
	}
	if v, ok := r.session.target.Values[name]; ok {
		return v, nil
	}
	if v, ok := r.ofKey(name); ok {
		return v, nil
	}
	message, element, dotted := strings.Cut(name, ".")
	a, ok := r.named[message]
	if !dotted || !ok {
		return "", fmt.Errorf("{%s} is neither kept nor a value of the target", name)
	}
	if element == "original" {
		return ledger.Original(a.message), nil
	}
	n, err := strconv.Atoi(element)
	if err != nil || !a.message.Has(n) {
		return "", fmt.Errorf("{%s}: the message has no such element", name)
	}
	return a.message.Get(n), nil
}

// unsent is element 56 of a sale that nobody has sent.
func (r *run) unsent() string {
	return ledger.Original(format.New("1200").
		Set(11, r.session.numbers.nextSTAN()).
		Set(12, time.Now().In(r.session.zone).Format("060102150405")).
		Set(32, r.session.target.Values["acquirer"]))
}

// apply puts the indented lines of a step into a message.
func (r *run) apply(m *format.Message, f *format.Format, fields []field) error {
	for _, line := range fields {
		if err := r.applyOne(m, f, line); err != nil {
			return fmt.Errorf("line %d: %w", line.line, err)
		}
	}
	return nil
}

func (r *run) applyOne(m *format.Message, f *format.Format, line field) error {
	switch line.verb {
	case "without":
		for _, word := range strings.Fields(line.value) {
			n, err := strconv.Atoi(word)
			if err != nil {
				return fmt.Errorf("%q is no element", word)
			}
			m.Remove(n)
		}
		return nil
	case "tail":
		b, err := hex.DecodeString(line.value)
		m.SetTail(string(b))
		return err
	}
	v, err := r.expand(line.value)
	if err != nil {
		return err
	}
	kind, rest, _ := strings.Cut(v, ":")
	switch kind {
	case "hex", "wire":
		b, err := hex.DecodeString(rest)
		if err != nil {
			return errors.New("write the bytes in hex")
		}
		if kind == "wire" {
			m.SetWire(line.element, string(b))
			return nil
		}
		v = string(b)
	default:
		if v, err = plain(v); err != nil {
			return err
		}
		v = f.Pad(line.element, v)
	}
	m.Set(line.element, v)
	if line.name != "" {
		r.kept[line.name] = v
	}
	return nil
}

// plain takes the quotes or the kana mark off a value.
func plain(v string) (string, error) {
	if len(v) >= 2 && v[0] == '"' && v[len(v)-1] == '"' {
		v = v[1 : len(v)-1]
	}
	if kana, ok := strings.CutPrefix(v, "kana:"); ok {
		return katakana(kana)
	}
	return v, nil
}

// katakana writes half-width katakana as the bytes of JIS X 0201.
func katakana(text string) (string, error) {
	var b strings.Builder
	for _, c := range text {
		switch {
		case c >= 0xff61 && c <= 0xff9f:
			b.WriteByte(byte(c - 0xff61 + 0xa1))
		case c >= ' ' && c <= '~':
			b.WriteByte(byte(c))
		default:
			return "", fmt.Errorf("%q has no half-width form", c)
		}
	}
	return b.String(), nil
}
