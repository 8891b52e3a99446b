package issuer

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"

	"cardswitch/conformance/format"
)

// Negative says how a center's negative files are called (DE 101).
type Negative struct {
	Emergency string `yaml:"emergency"` // entries that count at once; default EMERGENCY
	Regular   string `yaml:"regular"`   // replaced as a whole; default NEGATIVE
}

// Entry is a card that is to be refused.
type Entry struct {
	PAN    string
	Action string // that who asks gets, as 208; "": the usual one
	Reason string // DE 25: 3000 lost, 3001 stolen ...; "": none
	Expiry string // YYMM; "": none
}

// String keeps the number of even a test card out of any output.
func (Entry) String() string { return "(entry)" }

// GoString does so for %#v.
func (Entry) GoString() string { return "(entry)" }

// Function codes of file actions (DE 24).
const (
	addRecord    = "301"
	deleteRecord = "303"
	askRecord    = "305"
	replaceFile  = "306"
)

func (i *Issuer) fileAction(function, file string, e Entry) *format.Message {
	m := format.New("1304").Set(2, e.PAN).Set(24, function).
		Set(101, cmp.Or(file, "EMERGENCY"))
	for n, v := range map[int]string{14: e.Expiry, 25: e.Reason} {
		if v != "" {
			m.Set(n, v)
		}
	}
	if function == addRecord || function == replaceFile {
		m.Set(72, cmp.Or(e.Action, "000"))
	}
	return m
}

// Block puts a card on the switch's emergency list and gives the answer's action code.
func (i *Issuer) Block(ctx context.Context, e Entry) (string, error) {
	return i.filed(i.insist(ctx, i.fileAction(addRecord, i.options.Negative.Emergency, e)))
}

// Unblock takes a card off it.
func (i *Issuer) Unblock(ctx context.Context, pan string) (string, error) {
	return i.filed(i.insist(ctx,
		i.fileAction(deleteRecord, i.options.Negative.Emergency, Entry{PAN: pan})))
}

// Blocked asks what the list says of a card: 300 if it is there, with its record; 302 if not.
func (i *Issuer) Blocked(ctx context.Context, pan string) (action, record string, err error) {
	a, err := i.insist(ctx, i.fileAction(askRecord, i.options.Negative.Emergency, Entry{PAN: pan}))
	if err != nil {
		return "", "", err
	}
	return a.Get(39), a.Get(72), nil
}

func (i *Issuer) filed(a *format.Message, err error) (string, error) {
	if err != nil {
		return "", err
	}
	return a.Get(39), nil
}

// Load replaces the regular file as a whole: its frame, its entries one after the other, its end.
func (i *Issuer) Load(ctx context.Context, entries []Entry) error {
	regular := cmp.Or(i.options.Negative.Regular, "NEGATIVE")
	frame := func(reason string, last int) error {
		m := format.New("1804").Set(24, "805").Set(25, reason).Set(101, regular)
		if last > 0 {
			m.Set(71, fmt.Sprintf("%08d", last))
		}
		if err := i.accepted(i.insist(ctx, m)); err != nil {
			return fmt.Errorf("the frame %s of the load: %w", reason, err)
		}
		return nil
	}
	if err := frame("8000", 0); err != nil {
		return err
	}
	for n, e := range entries {
		m := i.fileAction(replaceFile, regular, e).Set(71, fmt.Sprintf("%08d", n+1))
		if action, err := i.filed(i.insist(ctx, m)); err != nil || action != "300" {
			return fmt.Errorf("entry %d of the load was answered %s %w", n+1, action, err)
		}
	}
	return frame("8002", len(entries))
}

// ReadEntries reads a negative file: a card number on each line, then, if they are known, an action
// code, a reason and an expiry date, with commas between.
func ReadEntries(r io.Reader) ([]Entry, error) {
	var list []Entry
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		text, _, _ := strings.Cut(lines.Text(), "#")
		if strings.TrimSpace(text) == "" {
			continue
		}
		parts := append(strings.Split(text, ","), "", "", "")
		for k := range parts {
			parts[k] = strings.TrimSpace(parts[k])
		}
		if len(parts[0]) < 12 || len(parts[0]) > 19 || strings.Trim(parts[0], "0123456789") != "" {
			return nil, fmt.Errorf("line %d: a card number has 12 to 19 digits", n)
		}
		list = append(list, Entry{PAN: parts[0], Action: parts[1], Reason: parts[2], Expiry: parts[3]})
	}
	return list, lines.Err()
}
