package audit

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Record is one line of the log.
type Record struct {
	Seq   uint64
	Time  time.Time // UTC
	Clock Clock
	Entry

	First     uint64 // LogTrimmed: the first record that stays
	Previous  Hash   // LogSegment: the seal of the record before
	Digest    Hash   // LogSegment, LogAnchor: the hash of all lines before
	Signature []byte // LogAnchor
	MAC       Hash   // the seal
}

// Hash is a seal of one record, or the hash of all lines up to one.
type Hash [32]byte

func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// errRecord is that of a line that isn't one that this package writes.
var errRecord = errors.New("not an audit record")

// lineSize is the size that no line reaches: the texts, each byte of which may become six.
const lineSize = 16 << 10

const timeLayout = "2006-01-02T15:04:05.000000000Z"

// line is a record as JSON. The last two follow what they seal, see chain.
type line struct {
	Seq       uint64 `json:"seq"`
	Time      string `json:"time"`
	Clock     string `json:"clock"`
	Actor     string `json:"actor"`
	Role      string `json:"role,omitempty"`
	Source    string `json:"source"`
	Event     string `json:"event"`
	Object    string `json:"object,omitempty"`
	Reason    string `json:"reason,omitempty"`
	Result    string `json:"result"`
	First     uint64 `json:"first,omitempty"`
	Previous  string `json:"previous,omitempty"`
	Digest    string `json:"digest,omitempty"`
	Signature string `json:"signature,omitempty"`
	MAC       string `json:"mac,omitempty"`
}

// What stands at the end of a line, and of an anchor's before that.
const (
	macOpen   = `,"mac":"`
	macClose  = `"}`
	macTail   = len(macOpen) + 2*len(Hash{}) + len(macClose)
	signOpen  = `,"signature":"`
	signClose = `"`
	signTail  = len(signOpen) + 2*64 + len(signClose)
)

// appendBody writes a record without signature, seal and closing brace.
func appendBody(dst []byte, r *Record) []byte {
	l := line{Seq: r.Seq, Time: r.Time.UTC().Format(timeLayout), Clock: r.Clock.String(),
		Actor: r.Actor, Role: r.Role, Source: r.Source, Event: r.Event.String(), Object: r.Object,
		Reason: r.Reason, Result: r.Result.String(), First: r.First}
	if r.Event == LogSegment {
		l.Previous = r.Previous.String()
	}
	if r.Event == LogSegment || r.Event == LogAnchor {
		l.Digest = r.Digest.String()
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(&l) // strings and numbers always can be
	return append(dst, b.Bytes()[:b.Len()-len("}\n")]...)
}

func appendSignature(dst, signature []byte) []byte {
	return append(hex.AppendEncode(append(dst, signOpen...), signature), signClose...)
}

func appendMAC(dst []byte, mac *Hash) []byte {
	return append(hex.AppendEncode(append(dst, macOpen...), mac[:]), macClose...)
}

// parse reads a line without its line feed. It takes only what would be written again byte for
// byte.
func parse(text []byte) (Record, error) {
	var l line
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&l); err != nil {
		return Record{}, errRecord
	}
	r, err := l.record()
	if err != nil {
		return Record{}, errRecord
	}
	again := appendBody(make([]byte, 0, len(text)), &r)
	if r.Event == LogAnchor {
		again = appendSignature(again, r.Signature)
	}
	if !bytes.Equal(appendMAC(again, &r.MAC), text) {
		return Record{}, errRecord
	}
	return r, nil
}

func (l *line) record() (Record, error) {
	r := Record{Seq: l.Seq, First: l.First, Entry: Entry{Actor: l.Actor, Role: l.Role,
		Source: l.Source, Object: l.Object, Reason: l.Reason}}
	var errs [7]error
	r.Time, errs[0] = time.Parse(timeLayout, l.Time)
	r.Clock, errs[1] = parseClock(l.Clock)
	r.Event, errs[2] = ParseEvent(l.Event)
	r.Result, errs[3] = parseResult(l.Result)
	r.MAC, errs[4] = parseHash(l.MAC)
	if r.Event == LogSegment {
		r.Previous, errs[5] = parseHash(l.Previous)
	}
	if r.Event == LogSegment || r.Event == LogAnchor {
		r.Digest, errs[6] = parseHash(l.Digest)
	}
	var err error
	if r.Event == LogAnchor {
		r.Signature, err = hex.DecodeString(l.Signature)
	}
	return r, errors.Join(append(errs[:], err)...)
}

func parseHash(text string) (Hash, error) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != len(Hash{}) {
		return Hash{}, fmt.Errorf("a hash has %d hexadecimal digits", 2*len(Hash{}))
	}
	return Hash(b), nil
}
