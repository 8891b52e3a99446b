package audit

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

func TestSoundLog(t *testing.T) {
	s := newSample(t, 20)
	total := uint64(len(s.lines(t)))
	if len(s.firsts) < 3 || len(s.anchors) < 4 || total < 28 {
		t.Fatalf("%d segments, %d anchors, %d records: too small a sample", len(s.firsts),
			len(s.anchors), total)
	}
	byKey, err := Verify("audit", s.byKey())
	if err != nil {
		t.Fatal(err)
	}
	if byKey.First != 1 || byKey.Last != total || byKey.Proven != total || !byKey.EndKnown ||
		byKey.Segments != len(s.firsts) || byKey.Anchor != total || byKey.Unfinished != 0 ||
		byKey.From.IsZero() || byKey.To.Before(byKey.From) {
		t.Errorf("by key: %+v", byKey)
	}
	byAnchor, err := Verify("audit", s.byAnchor())
	if err != nil || byAnchor.Proven != total || byAnchor.EndKnown {
		t.Errorf("by anchors: %+v, %v", byAnchor, err)
	}
	kept := s.byAnchor()
	kept.Anchors = s.anchors
	if r, err := Verify("audit", kept); err != nil || !r.EndKnown {
		t.Errorf("by kept anchors: %+v, %v", r, err)
	}
	_ = s.disk.Remove("audit/" + stateName)
	if _, err := Verify("audit", s.byKey()); err == nil || errors.Is(err, ErrTampered) {
		t.Errorf("without a state: %v", err)
	}
	copied := s.byKey()
	copied.Copy = true
	if r, err := Verify("audit", copied); err != nil || r.EndKnown || r.Last != total {
		t.Errorf("a copy: %+v, %v", r, err)
	}
	if _, err := Verify("audit", Check{FS: s.disk}); err == nil {
		t.Error("verified against nothing")
	}
}

// TestTampering does each kind of harm to each record of a log. With the first key the very record
// is named, with anchors alone a range that holds it.
func TestTampering(t *testing.T) {
	s, other := newSample(t, 16), newSample(t, 16)
	total := uint64(len(s.lines(t)))
	for what, harm := range harms(s, other.lines(t)) {
		for seq := uint64(1); seq <= total; seq++ {
			done := true
			s.with(t, func(files map[string][][]byte) { done = harm(files, seq) }, func() {
				if done {
					blames(t, s.byKey(), what, seq, true)
					blames(t, s.byAnchor(), what, seq, false)
				}
			})
		}
	}
	if _, err := Verify("audit", s.byKey()); err != nil {
		t.Fatalf("the sample wasn't put back: %v", err)
	}
}

// harms are the kinds of harm: each changes the lines of the files at a record, or says that it
// can't.
func harms(s *sample, foreign [][]byte) map[string]func(map[string][][]byte, uint64) bool {
	return map[string]func(files map[string][][]byte, seq uint64) bool{
		"changed": func(files map[string][][]byte, seq uint64) bool {
			name, at := s.place(seq)
			files[name][at] = bytes.Replace(files[name][at], []byte(`"result":"done"`),
				[]byte(`"result":"failed"`), 1)
			return true
		},
		"deleted": func(files map[string][][]byte, seq uint64) bool {
			name, at := s.place(seq)
			files[name] = slices.Delete(files[name], at, at+1)
			return true
		},
		"swapped with the next": func(files map[string][][]byte, seq uint64) bool {
			name, at := s.place(seq)
			if at+1 == len(files[name]) {
				return false
			}
			files[name][at], files[name][at+1] = files[name][at+1], files[name][at]
			return true
		},
		"doubled before": func(files map[string][][]byte, seq uint64) bool {
			name, at := s.place(seq)
			if seq == 1 {
				return false
			}
			before, line := s.place(seq - 1)
			files[name] = slices.Insert(files[name], at, bytes.Clone(files[before][line]))
			return true
		},
		"replaced by another log's": func(files map[string][][]byte, seq uint64) bool {
			name, at := s.place(seq)
			files[name][at] = append(bytes.Clone(foreign[seq-1]), '\n')
			return true
		},
		"cut off, with all behind": func(files map[string][][]byte, seq uint64) bool {
			name, at := s.place(seq)
			files[name] = files[name][:at]
			for _, first := range s.firsts {
				if first > seq {
					delete(files, segmentName(first))
				}
			}
			return true
		},
		"cut in the middle": func(files map[string][][]byte, seq uint64) bool {
			name, at := s.place(seq)
			files[name][at] = files[name][at][:40]
			files[name] = files[name][:at+1]
			return true
		},
		"broken up": func(files map[string][][]byte, seq uint64) bool {
			name, at := s.place(seq)
			files[name][at] = bytes.Replace(files[name][at], []byte(","), []byte(",\n"), 1)
			return true
		},
	}
}

// blames checks that Verify names a record.
func blames(t *testing.T, c Check, what string, seq uint64, exactly bool) {
	t.Helper()
	_, err := Verify("audit", c)
	var bad *BadRecord
	if !errors.As(err, &bad) || !errors.Is(err, ErrTampered) {
		t.Errorf("record %d %s: %v", seq, what, err)
		return
	}
	if exactly && bad.Seq != seq || bad.Seq > seq || bad.Through < seq {
		t.Errorf("record %d %s: blamed is %v", seq, what, bad)
	}
}

// TestEachBit flips each bit of each line.
func TestEachBit(t *testing.T) {
	s := newSample(t, 3)
	if testing.Short() {
		t.Skip("a few thousand checks")
	}
	for _, name := range s.names() {
		data := s.files[name]
		for i := range data {
			flipped := bytes.Clone(data)
			flipped[i] ^= 1 << (i % 8)
			write(t, s.disk, name, flipped)
			_, err := Verify("audit", s.byKey())
			_, byAnchor := Verify("audit", s.byAnchor())
			if !errors.Is(err, ErrTampered) || !errors.Is(byAnchor, ErrTampered) {
				t.Fatalf("%s, byte %d: %v, %v", name, i, err, byAnchor)
			}
		}
		write(t, s.disk, name, data)
	}
}

func TestTamperedSegments(t *testing.T) {
	s, other := newSample(t, 20), newSample(t, 20)
	last := len(s.firsts) - 1
	for i, name := range s.names() {
		first := s.firsts[i]
		next := segmentName(s.firsts[(i+1)%len(s.firsts)])
		s.with(t, func(files map[string][][]byte) {
			files[name], files[next] = files[next], files[name]
		}, func() { blames(t, s.byKey(), "in swapped segments", s.firsts[min(i, (i+1)%(last+1))], true) })
		s.with(t, func(files map[string][][]byte) { delete(files, name) },
			func() { blames(t, s.byKey(), "in a segment that is removed", first, true) })
		s.with(t, func(files map[string][][]byte) {
			files[name] = bytes.SplitAfter(other.files[other.names()[i]], []byte("\n"))
		}, func() { blames(t, s.byKey(), "in another log's segment", first, true) })
		s.with(t, func(files map[string][][]byte) { files[name] = nil },
			func() { blames(t, s.byKey(), "in an emptied segment", first, true) })
	}
	s.with(t, func(files map[string][][]byte) {
		files[segmentName(2)] = files[segmentName(1)][1:]
	}, func() { blames(t, s.byKey(), "in a planted segment", s.firsts[1], true) })
}

// TestForgedEnd puts records behind the end: they were told to nobody and don't count.
func TestForgedEnd(t *testing.T) {
	s, other := newSample(t, 5), newSample(t, 12)
	total := uint64(len(s.lines(t)))
	name := segmentName(s.firsts[len(s.firsts)-1])
	s.with(t, func(files map[string][][]byte) {
		files[name] = append(files[name], append(other.lines(t)[total], '\n'))
	}, func() {
		r, err := Verify("audit", s.byKey())
		if err != nil || r.Last != total || r.Unfinished == 0 {
			t.Errorf("%+v, %v", r, err)
		}
		copied := s.byKey()
		copied.Copy = true
		if _, err := Verify("audit", copied); !errors.Is(err, ErrTampered) {
			t.Errorf("in a copy: %v", err)
		}
	})
}

// TestForwardSecurity takes over the machine: with the key that lies there, no record of before can
// be written anew, and a log that is put back to an older state lacks a kept anchor.
func TestForwardSecurity(t *testing.T) {
	disk := vfs.NewMem()
	o := small(disk)
	birth := create(t, o)
	l := open(t, o)
	for n := range 6 {
		record(t, l, n)
	}
	closeLog(t, l)
	old := disk2(t, disk)
	stolen, err := loadState(disk, "audit")
	if err != nil {
		t.Fatal(err)
	}
	key := birth.Key
	for range stolen.next - 1 {
		if key.equal(&stolen.key) {
			t.Fatal("the key of a record that is durable still lies there")
		}
		c := chain{key: key}
		c.ratchet()
		key = c.key
	}
	if !key.equal(&stolen.key) {
		t.Fatal("the key isn't the one that follows from the first")
	}
	l = open(t, o)
	for n := range 6 {
		record(t, l, n)
	}
	closeLog(t, l)
	found, err := Read("audit", Filter{FS: disk, Events: []Event{LogAnchor}, Limit: 1})
	if err != nil || len(found) != 1 {
		t.Fatalf("%d anchors, %v", len(found), err)
	}
	anchor := appendMAC(appendSignature(appendBody(nil, &found[0]), found[0].Signature), &found[0].MAC)
	if _, err := Verify("audit", Check{FS: old, Key: birth.Key}); err != nil {
		t.Fatalf("an older state can't be told by itself: %v", err)
	}
	_, err = Verify("audit", Check{FS: old, Key: birth.Key, Public: birth.Public,
		Anchors: [][]byte{anchor}})
	var bad *BadRecord
	if !errors.As(err, &bad) || bad.Fault != Missing || bad.Seq != stolen.next {
		t.Errorf("an older state with a kept anchor: %v", err)
	}
	// The thief goes on with the older state: the records are sealed rightly, but not these.
	o.FS = old
	l = open(t, o)
	for n := range 9 {
		record(t, l, 100+n)
	}
	closeLog(t, l)
	_, err = Verify("audit", Check{FS: old, Public: birth.Public, Anchors: [][]byte{anchor}})
	if !errors.As(err, &bad) || bad.Fault != Unkept || bad.Seq > found[0].Seq {
		t.Errorf("another past with a kept anchor: %v", err)
	}
}

// disk2 is a copy of a disk.
func disk2(t *testing.T, disk vfs.FS) *vfs.MemFS {
	t.Helper()
	to := vfs.NewMem()
	ok, err := vfs.Clone(disk, to, "audit", "audit")
	if !ok || err != nil {
		t.Fatal(ok, err)
	}
	return to
}

// TestForeignProofs checks against what isn't of this log.
func TestForeignProofs(t *testing.T) {
	s, other := newSample(t, 9), newSample(t, 9)
	for name, c := range map[string]Check{
		"key":    {FS: s.disk, Key: other.birth.Key},
		"public": {FS: s.disk, Public: other.birth.Public},
		"both":   {FS: s.disk, Key: s.birth.Key, Public: other.birth.Public},
	} {
		_, err := Verify("audit", c)
		if !errors.Is(err, ErrTampered) {
			t.Errorf("%s of another log: %v", name, err)
		}
	}
	for name, line := range map[string][]byte{
		"of another log": other.anchors[0],
		"no anchor":      s.lines(t)[1],
		"cut":            s.anchors[0][:50],
		"changed":        bytes.Replace(s.anchors[0], []byte(`"seq":`), []byte(`"seq":1`), 1),
	} {
		c := s.byAnchor()
		c.Anchors = [][]byte{line}
		if _, err := Verify("audit", c); err == nil {
			t.Errorf("a kept anchor, %s, was taken", name)
		}
	}
}

// TestTamperedState changes the state file: what it says must be what the records say.
func TestTamperedState(t *testing.T) {
	s := newSample(t, 6)
	for name, change := range map[string]func(*state){
		"key":    func(st *state) { st.key = randomKey() },
		"mac":    func(st *state) { st.mac[0] ^= 1 },
		"digest": func(st *state) { st.digest[0] ^= 1 },
		"next":   func(st *state) { st.next++ },
		"back":   func(st *state) { st.next-- },
	} {
		st, err := loadState(s.disk, "audit")
		if err != nil {
			t.Fatal(err)
		}
		good := *st
		change(st)
		if err := st.save(s.disk, "audit"); err != nil {
			t.Fatal(err)
		}
		if _, err := Verify("audit", s.byKey()); !errors.Is(err, ErrTampered) {
			t.Errorf("%s: %v", name, err)
		}
		if err := good.save(s.disk, "audit"); err != nil {
			t.Fatal(err)
		}
	}
}

func TestErrorsTell(t *testing.T) {
	b := &BadRecord{3, 7, segmentName(1), 3, Changed}
	want := "the audit log isn't sound: at least one of the records 3 to 7 " +
		"(audit-0000000000000001.jsonl, line 3) was changed, or put in; " +
		"keep the folder as it is for the auditor"
	if b.Error() != want {
		t.Error(b)
	}
	if got := fmt.Sprint(&BadRecord{Seq: 3, Through: 3, Fault: Missing}); got !=
		"the audit log isn't sound: record 3 is missing; keep the folder as it is for the auditor" {
		t.Error(got)
	}
}
