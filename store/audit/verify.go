package audit

import (
	"crypto/ed25519"
	"crypto/subtle"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Check is what a log is checked against: its first key, or who signs its anchors, or both.
type Check struct {
	FS      vfs.FS            // nil: the machine's
	Key     Key               // of Birth: every record is checked
	Public  ed25519.PublicKey // of Birth: anchors are checked, and with them all lines before
	Anchors [][]byte          // lines of anchors kept elsewhere: each must still be there
	Copy    bool              // the folder is a copy without the state, which tells where it ends
}

// Report is what Verify found out about a sound log.
type Report struct {
	First, Last uint64 // the records that are there; First may be above 1 by Trim
	Segments    int
	From, To    time.Time // of the first and the last record
	Anchor      uint64    // the newest anchor whose signature was checked; 0: none
	Proven      uint64    // no record through this one was changed, put in, taken out or moved
	EndKnown    bool      // Last is the last there was: by the state with its key, or a kept anchor
	Unfinished  int64     // bytes behind the end, of records that nobody was told are recorded
}

// Fault says what is wrong at a place of the log.
type Fault string

const (
	Changed   Fault = "was changed, or put in"
	Unread    Fault = "isn't a record any more"
	Missing   Fault = "is missing"
	Misplaced Fault = "stands elsewhere; another has its place"
	Unsigned  Fault = "isn't signed by this log's key"
	Unkept    Fault = "isn't the anchor that was kept"
	Stray     Fault = "is of another state of this log, or of another log"
)

// BadRecord names the first record of a log that isn't what was written. Without the first key a
// change is known to lie between two anchors only: then it is one of Seq to Through.
type BadRecord struct {
	Seq, Through uint64
	Segment      string
	Line         int // in Segment; 0: none
	Fault        Fault
}

func (b *BadRecord) Error() string {
	name := fmt.Sprintf("record %d", b.Seq)
	if b.Through > b.Seq {
		name = fmt.Sprintf("at least one of the records %d to %d", b.Seq, b.Through)
	}
	at := ""
	if b.Line > 0 {
		at = fmt.Sprintf(" (%s, line %d)", b.Segment, b.Line)
	}
	return fmt.Sprintf("the audit log isn't sound: %s%s %s; keep the folder as it is for the auditor",
		name, at, b.Fault)
}

func (b *BadRecord) Unwrap() error { return ErrTampered }

// Verify reads a whole log, which may be in use. If it isn't sound the error is a *BadRecord; what
// the report says of the records before is true all the same.
func Verify(dir string, c Check) (Report, error) {
	const op = "verify the audit log"
	if c.FS == nil {
		c.FS = vfs.Default
	}
	if c.Key.IsZero() && c.Public == nil {
		return Report{}, &Error{op, errors.New("there is nothing to check it against"),
			"give the first key, or the public key of the anchors"}
	}
	v := &verifier{Check: c, dir: dir}
	if err := v.keep(); err != nil {
		return Report{}, &Error{op, err, "check the kept anchors and the public key"}
	}
	err := v.run()
	var bad *BadRecord
	if err != nil && !errors.As(err, &bad) {
		err = &Error{op, err, "check the folder and who may read it"}
	}
	return v.report, err
}

// verifier goes through a log once.
type verifier struct {
	Check
	dir     string
	chain   chain
	state   *state            // as it was before the first line was read; nil for a copy
	kept    map[uint64]string // lines of kept anchors
	newest  uint64            // the newest of them
	trimmed uint64            // the first record that Trim says it left
	report  Report

	segment uint64 // being read
	line    int
}

// keep reads the anchors that were kept.
func (v *verifier) keep() error {
	v.kept = make(map[uint64]string)
	for _, text := range v.Anchors {
		r, err := parse(text)
		if err != nil || r.Event != LogAnchor {
			return errors.New("a kept anchor isn't one")
		}
		if v.Public != nil && !signed(text, &r, v.Public) {
			return fmt.Errorf("the kept anchor %d isn't signed by this log's key", r.Seq)
		}
		v.kept[r.Seq] = string(text)
		v.newest = max(v.newest, r.Seq)
	}
	return nil
}

func (v *verifier) run() error {
	if !v.Copy {
		var err error
		if v.state, err = loadState(v.FS, v.dir); err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				err = fmt.Errorf("%s isn't there; it is removed, or this is a copy: %w", stateName, err)
			}
			return err
		}
	}
	list, err := segments(v.FS, v.dir)
	if err != nil {
		return err
	}
	if len(list) > 0 {
		v.start(list[0])
	} else {
		v.start(1)
	}
	for i, first := range list {
		if err := v.readSegment(first, i == len(list)-1); err != nil {
			return err
		}
	}
	return v.end()
}

// start sets the chain before the first record that is there.
func (v *verifier) start(first uint64) {
	v.chain = newChain(v.Key, v.Public)
	for v.chain.next < first {
		v.chain.ratchet()
		v.chain.next++
	}
	v.report.First, v.report.Last = first, first-1
	v.report.Proven = first - 1
}

func (v *verifier) readSegment(first uint64, last bool) error {
	in, err := openLines(v.FS, v.dir, first)
	if err != nil {
		return err
	}
	defer in.close()
	v.segment, v.line = first, 0
	if first != v.chain.next {
		return v.outOfPlace(first)
	}
	for {
		text, err := in.next()
		if err != nil {
			return err
		}
		if text == nil {
			break
		}
		at := in.end - int64(len(text)) - 1
		v.line++
		if bad := v.record(text); bad != nil {
			if last && v.unfinished(first, at) {
				return v.tail(in, at)
			}
			return bad
		}
	}
	v.report.Segments++
	if in.rest == 0 {
		return nil
	}
	if last && v.unfinished(first, in.end) {
		return v.tail(in, in.end)
	}
	v.line++
	return v.bad(v.chain.next, v.chain.next, Unread)
}

// unfinished tells that what lies at a place of the last segment was told to nobody.
func (v *verifier) unfinished(segment uint64, at int64) bool {
	return v.state != nil && v.chain.next >= v.state.next &&
		(segment > v.state.segment || segment == v.state.segment && at >= v.state.size)
}

// tail counts what is behind the end.
func (v *verifier) tail(in *lines, at int64) error {
	info, err := in.file.Stat()
	if err == nil {
		v.report.Unfinished = info.Size() - at
	}
	return err
}

// record checks the next line.
func (v *verifier) record(text []byte) error {
	r, err := parse(text)
	n := v.chain.next
	switch {
	case err != nil:
		return v.bad(n, n, Unread)
	case r.Seq != n:
		return v.outOfPlace(r.Seq)
	case (v.line == 1) != (r.Event == LogSegment):
		return v.bad(n, n, Stray)
	}
	if r.Event == LogSegment {
		if err := v.head(&r); err != nil {
			return err
		}
	}
	if !v.Key.IsZero() && !v.chain.right(text, &r) {
		return v.bad(n, n, Changed)
	}
	if kept, ok := v.kept[n]; ok && kept != string(text) {
		return v.bad(v.report.Proven+1, n, Unkept)
	}
	if r.Event == LogAnchor {
		if err := v.anchor(text, &r); err != nil {
			return err
		}
	}
	v.chain.pass(text, &r.MAC)
	v.passed(&r)
	return v.meetsState()
}

// passed notes what a sound record tells.
func (v *verifier) passed(r *Record) {
	v.report.Last, v.report.To = r.Seq, r.Time
	if r.Seq == v.report.First {
		v.report.From = r.Time
	}
	if !v.Key.IsZero() {
		v.report.Proven = r.Seq
	}
	if r.Event == LogTrimmed {
		v.trimmed = max(v.trimmed, r.First)
	}
}

// head checks that a segment goes on where the one before ended. The first one that is there says
// itself where that was; the seal or the next anchor proves it.
func (v *verifier) head(r *Record) error {
	if r.Seq != v.report.First {
		if r.Previous != v.chain.mac || r.Digest != v.chain.digest {
			return v.bad(v.report.Proven+1, r.Seq, Stray)
		}
		return nil
	}
	if r.Seq == 1 && v.Public != nil && (r.Previous != v.chain.mac || r.Digest != v.chain.digest) {
		return v.bad(1, 1, Stray)
	}
	v.chain.mac, v.chain.digest = r.Previous, r.Digest
	return nil
}

// anchor checks what an anchor says of all lines before, and who says it.
func (v *verifier) anchor(text []byte, r *Record) error {
	if r.Digest != v.chain.digest {
		return v.bad(v.report.Proven+1, r.Seq, Changed)
	}
	if v.Public == nil {
		return nil
	}
	if !signed(text, r, v.Public) {
		return v.bad(r.Seq, r.Seq, Unsigned)
	}
	v.report.Anchor, v.report.Proven = r.Seq, r.Seq
	return nil
}

// meetsState compares the chain with the state once it is there.
func (v *verifier) meetsState() error {
	if v.state == nil || v.chain.next != v.state.next {
		return nil
	}
	same := subtle.ConstantTimeCompare(v.chain.mac[:], v.state.mac[:])&
		subtle.ConstantTimeCompare(v.chain.digest[:], v.state.digest[:]) == 1
	if !v.Key.IsZero() {
		same = same && v.chain.key.equal(&v.state.key)
	}
	if same {
		return nil
	}
	if v.Key.IsZero() {
		return v.bad(v.report.Proven+1, v.state.next-1, Changed)
	}
	return fmt.Errorf("%w: %s doesn't belong to its records", ErrTampered, stateName)
}

// end checks that nothing is missing behind the last record, or before the first.
func (v *verifier) end() error {
	last := v.report.Last
	v.line = 0
	if v.state != nil && last+1 < v.state.next {
		return v.bad(last+1, v.state.next-1, Missing)
	}
	if v.newest > last {
		return v.bad(last+1, v.newest, Missing)
	}
	if v.report.First > max(v.trimmed, 1) {
		return v.bad(1, v.report.First-1, Missing)
	}
	v.report.EndKnown = v.state != nil && !v.Key.IsZero() || v.newest != 0 && v.newest == last
	return nil
}

// outOfPlace is the fault where a record of another number stands.
func (v *verifier) outOfPlace(seq uint64) error {
	n := v.chain.next
	if seq > n {
		return v.bad(n, n, Missing)
	}
	return v.bad(n, n, Misplaced)
}

func (v *verifier) bad(from, through uint64, f Fault) error {
	return &BadRecord{from, max(from, through), segmentName(v.segment), v.line, f}
}
