package keyring

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"cardswitch/hsm"
	"cardswitch/hsm/keyblock"
)

const (
	storeFormat = "cardswitch key store 1"
	codeDigits  = 2 * sha256.Size
	mostStore   = 64 << 20 // bytes: a hundred thousand keys
)

// storeHead is the first line. It is read before its code can be checked, as it has the seal key.
type storeHead struct {
	Format  string    `json:"format"`
	Version uint64    `json:"version"`
	Count   int       `json:"count"`
	Seal    string    `json:"seal"`
	Method  string    `json:"check_method"`
	Check   string    `json:"check"`
	Written time.Time `json:"written"`
}

// VersionOf is the version that the text of a key store says it has. Nothing of it is checked.
func VersionOf(text []byte) (uint64, error) {
	var head storeHead
	err := json.NewDecoder(bytes.NewReader(text)).Decode(&head)
	if err == nil && head.Format != storeFormat {
		err = fmt.Errorf("its format is %q", head.Format)
	}
	return head.Version, err
}

// storeLine is a record as it is written.
type storeLine struct {
	Key         string     `json:"key"`
	Label       string     `json:"label,omitempty"`
	Maker       string     `json:"maker,omitempty"`
	State       State      `json:"state"`
	Test        bool       `json:"test,omitempty"`
	Usage       string     `json:"usage"`
	Algorithm   string     `json:"algorithm"`
	Size        int        `json:"size"`
	Mode        string     `json:"mode"`
	Export      string     `json:"export"`
	Block       string     `json:"block,omitempty"`
	Method      string     `json:"check_method"`
	Check       string     `json:"check"`
	Created     time.Time  `json:"created"`
	ActiveFrom  *time.Time `json:"active_from,omitempty"`
	Expires     time.Time  `json:"expires"`
	RetireUntil *time.Time `json:"retire_until,omitempty"`
	Ended       *time.Time `json:"ended,omitempty"`
}

func lineOf(r *Record) storeLine {
	date := func(t time.Time) *time.Time {
		if t.IsZero() {
			return nil
		}
		t = t.UTC()
		return &t
	}
	s := r.Wrapped.Spec
	return storeLine{
		Key: r.ID.String(), Label: r.Label, Maker: r.Maker, State: r.State, Test: r.Test,
		Usage: string(s.Usage), Algorithm: string(s.Algorithm), Size: s.Size, Mode: string(s.Mode),
		Export: string(s.Export), Block: r.Wrapped.Block, Method: string(r.Wrapped.Check.Method),
		Check: r.Wrapped.Check.Hex, Created: r.Created.UTC(), ActiveFrom: date(r.ActiveFrom),
		Expires: r.Expires.UTC(), RetireUntil: date(r.RetireUntil), Ended: date(r.Ended),
	}
}

func (l *storeLine) record() (Record, error) {
	id, err := ParseID(l.Key)
	if err != nil {
		return Record{}, err
	}
	date := func(t *time.Time) time.Time {
		if t == nil {
			return time.Time{}
		}
		return *t
	}
	return Record{
		ID: id, Label: l.Label, Maker: l.Maker, State: l.State, Test: l.Test,
		Wrapped: hsm.Wrapped{
			Spec: hsm.KeySpec{Usage: keyblock.Usage(l.Usage), Size: l.Size,
				Algorithm: keyblock.Algorithm(l.Algorithm), Mode: keyblock.Mode(l.Mode),
				Export: keyblock.Export(l.Export)},
			Block: l.Block,
			Check: keyblock.CheckValue{Method: keyblock.CheckMethod(l.Method), Hex: l.Check},
		},
		Created: l.Created, ActiveFrom: date(l.ActiveFrom), Expires: l.Expires,
		RetireUntil: date(l.RetireUntil), Ended: date(l.Ended),
	}, nil
}

// text is the whole file.
func (f *File) text(code []byte, version uint64, s Set) ([]byte, error) {
	head := storeHead{Format: storeFormat, Version: version, Count: s.Len(), Seal: f.seal.Block,
		Method: string(f.seal.Check.Method), Check: f.seal.Check.Hex, Written: time.Now().UTC()}
	out := seals{code: code}
	if err := out.add(head); err != nil {
		return nil, err
	}
	for i := range s.records {
		if err := out.add(lineOf(&s.records[i])); err != nil {
			return nil, err
		}
	}
	out.end()
	return out.text.Bytes(), nil
}

// seals writes and checks lines: each closes with a code over its number and text, the last line
// has one over all codes.
type seals struct {
	code  []byte
	text  bytes.Buffer
	lines int
	all   strings.Builder
}

func (s *seals) next(text string) string {
	m := hmac.New(sha256.New, s.code)
	fmt.Fprintf(m, "%d\n%s", s.lines, text)
	code := hex.EncodeToString(m.Sum(nil))
	s.lines++
	s.all.WriteString(code)
	return code
}

func (s *seals) add(value any) error {
	line, err := json.Marshal(value)
	if err != nil {
		return err
	}
	fmt.Fprintf(&s.text, "%s %s\n", line, s.next(string(line)))
	return nil
}

func (s *seals) end() {
	fmt.Fprintf(&s.text, "end %s\n", s.next("end "+s.all.String()))
}

// load checks and reads a file.
func (f *File) load(ctx context.Context, text []byte) (Set, error) {
	lines := strings.Split(string(text), "\n")
	head, err := f.head(ctx, lines[0])
	if err != nil {
		return Set{}, err
	}
	code, err := f.codeKey(ctx, head.Version)
	if err != nil {
		return Set{}, err
	}
	defer clear(code)
	check := seals{code: code}
	if !check.right(lines[0]) {
		return Set{}, f.fault(ErrTampered, restoreHint, "its header was altered")
	}
	var records []Record
	for i, line := range lines[1:min(len(lines), head.Count+1)] {
		r, err := f.record(&check, i, line)
		if err != nil {
			return Set{}, err
		}
		records = append(records, r)
	}
	rest := lines[min(len(lines), head.Count+1):]
	end := "end " + check.next("end "+check.all.String())
	switch {
	case len(rest) != 2 || rest[1] != "":
		return Set{}, f.fault(ErrTampered, restoreHint, "it has %d of %d records, or was cut off",
			len(records), head.Count)
	case !equalCode(rest[0], end):
		return Set{}, f.fault(ErrTampered, restoreHint, "its end was altered")
	}
	set, err := NewSet(records)
	if err != nil {
		return Set{}, f.fault(err, restoreHint, "it makes no sense")
	}
	f.version = head.Version
	return set, nil
}

// head reads the first line and makes the seal key ready.
func (f *File) head(ctx context.Context, line string) (storeHead, error) {
	var head storeHead
	text, _, _ := cutCode(line)
	if err := strictly(text, &head); err != nil || head.Format != storeFormat || head.Count < 0 {
		return head, f.fault(ErrTampered, restoreHint, "its first line isn't that of a key store")
	}
	f.seal = hsm.Wrapped{Spec: sealSpec(), Block: head.Seal, Check: keyblock.CheckValue{
		Method: keyblock.CheckMethod(head.Method), Hex: head.Check}}
	key, err := f.options.Module.Load(ctx, f.seal)
	if err != nil {
		return head, f.fault(err, "use the security module and master key that it was made with",
			"its seal key isn't taken by %s", f.options.Module.Name())
	}
	f.key = key
	if key.Spec() != sealSpec() || !key.Check().Matches(f.seal.Check) {
		return head, f.fault(ErrTampered, restoreHint, "its seal key is another key")
	}
	return head, nil
}

// record reads the line of a record whose code is right, and names the one whose isn't.
func (f *File) record(check *seals, at int, line string) (Record, error) {
	var l storeLine
	text, _, ok := cutCode(line)
	malformed := strictly(text, &l)
	id, err := ParseID(l.Key)
	name := fmt.Sprintf("record %d", at+1)
	if err == nil {
		name += " (" + id.String() + ")"
	}
	if !ok || !check.right(line) {
		return Record{}, f.fault(ErrTampered, restoreHint, "%s was altered, or is of another version",
			name)
	}
	if malformed == nil {
		var r Record
		if r, malformed = l.record(); malformed == nil {
			return r, nil
		}
	}
	return Record{}, f.fault(malformed, "use the release that wrote it", "%s can't be read", name)
}

func (s *seals) right(line string) bool {
	text, code, ok := cutCode(line)
	return equalCode(code, s.next(text)) && ok
}

func cutCode(line string) (text, code string, ok bool) {
	at := len(line) - codeDigits - 1
	if at < 0 || line[at] != ' ' {
		return line, "", false
	}
	return line[:at], line[at+1:], true
}

func strictly(text string, into any) error {
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	return d.Decode(into)
}
