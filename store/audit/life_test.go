package audit

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

func ctx() context.Context { return context.Background() }

// TestYears lets a log grow for two years: a segment a day that has records, an anchor an hour
// after the first record without one, and Trim leaves twelve months.
func TestYears(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := vfs.NewMem()
		anchors := make(chan []byte, 1000)
		o := Options{Dir: "audit", FS: disk, Anchored: func(line []byte) { anchors <- line }}
		birth := create(t, o)
		l := open(t, o)
		check := Check{FS: disk, Key: birth.Key, Public: birth.Public}
		const months = 24
		for n := range months {
			record(t, l, n)
			time.Sleep(59 * time.Minute)
			synctest.Wait()
			if n == 0 && len(anchors) != 0 {
				t.Error("an anchor too early")
			}
			record(t, l, 100+n)
			time.Sleep(2 * time.Minute)
			synctest.Wait()
			if len(anchors) != n+1 {
				t.Fatalf("%d anchors after %d months", len(anchors), n)
			}
			time.Sleep(30*24*time.Hour - 61*time.Minute)
		}
		list, err := segments(disk, "audit")
		if err != nil || len(list) != months {
			t.Fatalf("%d segments, %v", len(list), err)
		}
		who := Entry{Actor: "tanaka", Role: "auditor", Reason: "by the plan of retention"}
		var e *Error
		if _, err := l.Trim(ctx(), time.Now().AddDate(0, -11, 0), who); !errors.As(err, &e) {
			t.Fatalf("less than twelve months: %v", err)
		}
		if _, err := l.Trim(ctx(), time.Now().AddDate(-1, 0, -1), Entry{}); !errors.As(err, &e) {
			t.Fatalf("by nobody: %v", err)
		}
		removed, err := l.Trim(ctx(), time.Now().AddDate(-1, 0, -1), who)
		if err != nil || removed != 12 { // those of 2000-01-01 to 2000-11-26; it's 2001-12-21
			t.Fatalf("%d removed, %v", removed, err)
		}
		if again, err := l.Trim(ctx(), time.Now().AddDate(-1, 0, -1), who); again != 0 || err != nil {
			t.Errorf("%d removed again, %v", again, err)
		}
		closeLog(t, l)
		synctest.Wait() // until the last anchor was told
		r, err := Verify("audit", check)
		if err != nil || r.First != list[removed] || r.Segments < months-removed || !r.EndKnown {
			t.Errorf("%+v, %v", r, err)
		}
		if r.From.Format(time.DateOnly) != "2000-12-26" {
			t.Errorf("the first that is left is of %s", r.From)
		}
		byAnchor := Check{FS: disk, Public: birth.Public}
		for len(anchors) > 0 {
			byAnchor.Anchors = append(byAnchor.Anchors, <-anchors)
		}
		if r, err := Verify("audit", byAnchor); err != nil || r.Anchor == 0 || !r.EndKnown {
			t.Errorf("%+v, %v", r, err)
		}
		found, err := Read("audit", Filter{FS: disk, Events: []Event{LogTrimmed}})
		if err != nil || len(found) != 1 || found[0].First != r.First || found[0].Actor != "tanaka" {
			t.Errorf("%+v, %v", found, err)
		}
		missed(t, check, r.First)
	})
}

// missed removes a segment without Trim.
func missed(t *testing.T, check Check, first uint64) {
	t.Helper()
	_ = check.FS.Remove("audit/" + segmentName(first))
	var bad *BadRecord
	if _, err := Verify("audit", check); !errors.As(err, &bad) || bad.Fault != Missing ||
		bad.Seq > first || bad.Through < first {
		t.Errorf("a segment too much was removed: %v", err)
	}
}

// TestAnchorAtRestart: what came before a restart without an anchor gets one in time.
func TestAnchorAtRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := vfs.NewMem()
		anchored := 0
		o := Options{Dir: "audit", FS: disk, Anchored: func([]byte) { anchored++ }}
		create(t, o)
		for range 2 {
			l := open(t, o)
			record(t, l, 1)
			time.Sleep(61 * time.Minute)
			synctest.Wait()
			closeLog(t, l)
			synctest.Wait()
		}
		if anchored != 4 {
			t.Errorf("%d anchors", anchored)
		}
	})
}

// twin is a sealer in memory.
type twin struct{ pad byte }

func (s twin) Wrap(key []byte) ([]byte, error) {
	sealed := append([]byte("sealed"), key...)
	for i := range sealed {
		sealed[i] ^= s.pad
	}
	return sealed, nil
}

func (s twin) Unwrap(sealed []byte) ([]byte, error) {
	plain := bytes.Clone(sealed)
	for i := range plain {
		plain[i] ^= s.pad
	}
	key, ok := bytes.CutPrefix(plain, []byte("sealed"))
	if !ok {
		return nil, errors.New("not sealed by this one")
	}
	return key, nil
}

func TestCreate(t *testing.T) {
	disk := vfs.NewMem()
	o := Options{Dir: "audit", FS: disk, Sealer: twin{0x33}}
	var e *Error
	if _, err := Open(o); !errors.As(err, &e) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("opened what isn't there: %v", err)
	}
	lost := errors.New("the printer is out of paper")
	if err := Create(o, func(Birth) error { return lost }); !errors.Is(err, lost) {
		t.Errorf("created without an auditor: %v", err)
	}
	if _, err := Open(o); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("opened what wasn't created: %v", err)
	}
	birth := create(t, o)
	if err := Create(o, func(Birth) error { return nil }); !errors.As(err, &e) {
		t.Errorf("created twice: %v", err)
	}
	closeLog(t, open(t, o))
	o.Sealer = twin{0x34}
	if _, err := Open(o); !errors.As(err, &e) {
		t.Errorf("opened with another sealer: %v", err)
	}
	o.Sealer = nil
	if _, err := Open(o); !errors.As(err, &e) {
		t.Errorf("opened without a sealer: %v", err)
	}
	o.Sealer = twin{0x33}
	l := open(t, o)
	record(t, l, 1)
	closeLog(t, l)
	for _, s := range []Sealer{nil, twin{0x55}} {
		file, err := birth.Export(s)
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseBirth(file, s)
		if err != nil || again.Key != birth.Key || !again.Public.Equal(birth.Public) {
			t.Errorf("%v, %v", again, err)
		}
		if s != nil && bytes.Contains(file, []byte(birth.Key.text())) {
			t.Error("the sealed file shows the key")
		}
		if _, err := ParseBirth(file[:len(file)-10], s); err == nil {
			t.Error("a cut file was taken")
		}
		if _, err := ParseBirth(file, twin{0x56}); (err == nil) != (s == nil) {
			t.Errorf("with another sealer: %v", err)
		}
		if _, err := Verify("audit", Check{FS: disk, Key: again.Key, Public: again.Public}); err != nil {
			t.Error(err)
		}
	}
	// A folder with records but without a state is no place for a new log.
	_ = disk.Remove("audit/" + stateName)
	if err := Create(o, func(Birth) error { return nil }); !errors.As(err, &e) {
		t.Errorf("created over records: %v", err)
	}
}
