package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// TestOnDisk keeps a log on the machine's disk: what was appended is read back, nobody else can
// read the files, and it goes on after a restart.
func TestOnDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "audit")
	o := Options{Dir: dir, SegmentBytes: 3000}
	birth := create(t, o)
	began := time.Now()
	l := open(t, o)
	seq := record(t, l, 1)
	refused := Entry{Actor: "suzuki", Event: CardRevealed, Object: "token x", Result: Refused}
	if _, err := l.Append(t.Context(), refused); err != nil {
		t.Fatal(err)
	}
	closeLog(t, l)
	l = open(t, o)
	for n := range 10 {
		record(t, l, n)
	}
	found, err := Read(dir, Filter{}) // in use
	if err != nil || len(found) < 16 {
		t.Fatalf("%d records, %v", len(found), err)
	}
	for i, r := range found {
		if r.Seq != uint64(i+1) || r.Time.Before(began.Add(-time.Second)) ||
			r.Time.Location() != time.UTC {
			t.Errorf("record %d: %+v", i+1, r)
		}
	}
	if got := found[seq-1].Entry; got != act(1) {
		t.Errorf("%+v", got)
	}
	if got := found[seq].Entry; got.Source != "local" || got.Result != Refused {
		t.Errorf("%+v", got)
	}
	if _, err := Open(o); err == nil || !strings.Contains(err.Error(), "another cardswitch") {
		t.Errorf("opened twice: %v", err)
	}
	if r, err := Verify(dir, Check{Key: birth.Key, Public: birth.Public}); err != nil || !r.EndKnown {
		t.Errorf("in use: %+v, %v", r, err)
	}
	closeLog(t, l)
	if _, err := l.Append(t.Context(), act(1)); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	err = filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		want := fs.FileMode(0o600)
		if d.IsDir() {
			want = 0o700
		}
		if info.Mode().Perm() != want && d.Name() != "LOCK" {
			t.Errorf("%s has mode %o", name, info.Mode().Perm())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestFilter(t *testing.T) {
	s := newSample(t, 12)
	count := func(f Filter) int {
		t.Helper()
		f.FS = s.disk
		found, err := Read("audit", f)
		if err != nil {
			t.Fatal(err)
		}
		return len(found)
	}
	now := time.Now()
	for name, tt := range map[string]struct {
		filter Filter
		want   int
	}{
		"actor":       {Filter{Actor: "tanaka"}, 12},
		"nobody":      {Filter{Actor: "sato"}, 0},
		"event":       {Filter{Events: []Event{LogCreated, LogStopped}}, 2},
		"object":      {Filter{Object: "advice 11"}, 1},
		"result":      {Filter{Result: Refused}, 0},
		"since":       {Filter{Actor: "tanaka", Since: now.Add(-time.Hour)}, 12},
		"since later": {Filter{Since: now.Add(time.Hour)}, 0},
		"until":       {Filter{Until: now.Add(-time.Hour)}, 0},
		"limit":       {Filter{Limit: 5}, 5},
		"many":        {Filter{Limit: 13, Actor: "tanaka"}, 12},
	} {
		if got := count(tt.filter); got != tt.want {
			t.Errorf("%s: %d records, not %d", name, got, tt.want)
		}
	}
	found, _ := Read("audit", Filter{FS: s.disk, Actor: "tanaka", Limit: 3})
	for i, r := range found {
		if r.Object != fmt.Sprintf("advice %d", 9+i) {
			t.Errorf("the newest are %v", found)
		}
	}
	write(t, s.disk, segmentName(s.firsts[1]), []byte("nonsense\n"))
	if found, err := Read("audit", Filter{FS: s.disk}); err == nil || len(found) == 0 {
		t.Errorf("%d records, %v", len(found), err)
	}
}

// TestNoCards gives texts with cards in them, in whatever place.
func TestNoCards(t *testing.T) {
	disk := vfs.NewMem()
	o := Options{Dir: "audit", FS: disk}
	create(t, o)
	l := open(t, o)
	const card = "4539121234567895"
	e := Entry{Actor: "t " + card, Role: card, Source: "4539-1212-3456-7895", Event: CardRevealed,
		Object: "token of ４５３９１２１２３４５６７８９５", Result: Done,
		Reason: strings.Repeat("x", mostReason-10) + card + "\x1b[2J\nforged \u202eline\xff"}
	if _, err := l.Append(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	closeLog(t, l)
	data, _ := disk.UnsafeGetFileDataBuffer("audit/" + segmentName(1))
	for _, secret := range []string{"12123456", "1212-34", "１２１２３４", "\x1b", "\u202e"} {
		if bytes.Contains(data, []byte(secret)) {
			t.Errorf("the log holds %q", secret)
		}
	}
	if !bytes.Contains(data, []byte("453912******7895")) {
		t.Error("the cards weren't even there")
	}
	found, err := Read("audit", Filter{FS: disk, Events: []Event{CardRevealed}})
	if err != nil || len(found) != 1 || len(found[0].Reason) > mostReason {
		t.Fatalf("%v, %v", found, err)
	}
}

func TestWhatIsNoRecord(t *testing.T) {
	disk := vfs.NewMem()
	o := Options{Dir: "audit", FS: disk}
	create(t, o)
	l := open(t, o)
	defer closeLog(t, l)
	for name, change := range map[string]func(*Entry){
		"actor":   func(e *Entry) { e.Actor = " " },
		"result":  func(e *Entry) { e.Result = 0 },
		"result9": func(e *Entry) { e.Result = 9 },
		"event":   func(e *Entry) { e.Event = 0 },
		"event99": func(e *Entry) { e.Event = afterEvents },
		"ours":    func(e *Entry) { e.Event = LogTrimmed },
	} {
		e := act(1)
		change(&e)
		if _, err := l.Append(t.Context(), e); err == nil {
			t.Errorf("%s: recorded %+v", name, e)
		}
	}
}

// TestTogether lets many append at the same time: each is durable, and they share the syncs.
func TestTogether(t *testing.T) {
	disk := vfs.NewCrashableMem()
	var syncs atomic.Int32
	slow := errorfs.Wrap(disk, errorfs.InjectorFunc(func(o errorfs.Op) error {
		if o.Kind == errorfs.OpFileSync && strings.HasSuffix(o.Path, ".jsonl") {
			syncs.Add(1)
			time.Sleep(200 * time.Microsecond)
		}
		return nil
	}))
	o := Options{Dir: "audit", FS: slow}
	birth := create(t, o)
	l := open(t, o)
	var group sync.WaitGroup
	const people, acts = 32, 20
	for n := range people {
		group.Go(func() {
			for i := range acts {
				if _, err := l.Append(context.Background(), act(n*acts+i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	crashed := disk.CrashClone(vfs.CrashCloneCfg{})
	found, err := Read("audit", Filter{FS: crashed, Actor: "tanaka"})
	if err != nil || len(found) != people*acts {
		t.Errorf("%d of %d are durable, %v", len(found), people*acts, err)
	}
	if n := syncs.Load(); n > people*acts/2 {
		t.Errorf("%d syncs for %d records", n, people*acts)
	}
	if _, err := Verify("audit", Check{FS: crashed, Key: birth.Key}); err != nil {
		t.Error(err)
	}
	closeLog(t, l)
}

// TestStuckDisk stops answering: Append gives up in time, later ones at once, and so does Close.
func TestStuckDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var stuck atomic.Bool
		free := make(chan struct{})
		disk := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(o errorfs.Op) error {
			if stuck.Load() && o.Kind == errorfs.OpFileSync {
				<-free
			}
			return nil
		}))
		o := Options{Dir: "audit", FS: disk, Patience: 2 * time.Second}
		create(t, o)
		l := open(t, o)
		stuck.Store(true)
		began := time.Now()
		var group sync.WaitGroup
		for n := range 2 * queueLength {
			group.Go(func() {
				_, err := l.Append(context.Background(), act(n))
				var e *Error
				if !errors.As(err, &e) || e.Hint == "" {
					t.Errorf("a disk that doesn't answer: %v", err)
				}
			})
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := l.Append(ended, act(0)); err == nil {
			t.Error("recorded for one who has gone")
		}
		group.Wait()
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("it took %s to give up", took)
		}
		began = time.Now()
		if _, err := l.Append(t.Context(), act(0)); !errors.Is(err, ErrStalled) {
			t.Error(err)
		}
		if took := time.Since(began); took > 0 {
			t.Errorf("it took %s to give up again", took)
		}
		if err := l.Close(); !errors.Is(err, ErrStalled) {
			t.Error(err)
		}
		close(free)
	})
}

// TestFullDisk has no room for a while, also when a segment is to begin: nothing is recorded then,
// and all goes well after.
func TestFullDisk(t *testing.T) {
	mem := vfs.NewMem()
	var full atomic.Bool
	disk := errorfs.Wrap(mem, errorfs.InjectorFunc(func(o errorfs.Op) error {
		if full.Load() && (o.Kind == errorfs.OpFileWriteAt || o.Kind == errorfs.OpCreate) {
			return errorfs.ErrInjected
		}
		return nil
	}))
	o := small(disk)
	birth := create(t, o)
	l := open(t, o)
	for n := range 20 {
		full.Store(true)
		_, err := l.Append(t.Context(), act(1000+n))
		var e *Error
		if !errors.As(err, &e) || e.Hint == "" {
			t.Fatalf("on a full disk: %v", err)
		}
		full.Store(false)
		record(t, l, n)
	}
	closeLog(t, l)
	if _, err := Verify("audit", Check{FS: mem, Key: birth.Key}); err != nil {
		t.Error(err)
	}
	found, err := Read("audit", Filter{FS: mem, Actor: "tanaka"})
	if err != nil || len(found) != 20 {
		t.Errorf("%d records, %v", len(found), err)
	}
}

// TestBrokenDisk fails in each kind of write, for good.
func TestBrokenDisk(t *testing.T) {
	kinds := map[string]func(errorfs.Op) bool{
		"lines": func(o errorfs.Op) bool {
			return o.Kind == errorfs.OpFileSync && strings.HasSuffix(o.Path, ".jsonl")
		},
		"state": func(o errorfs.Op) bool {
			return o.Kind == errorfs.OpFileSync && strings.Contains(o.Path, stateName)
		},
		"rename": func(o errorfs.Op) bool { return o.Kind == errorfs.OpRename },
		"wipe": func(o errorfs.Op) bool {
			return o.Kind == errorfs.OpFileWriteAt && strings.HasSuffix(o.Path, stateName)
		},
		"segment": func(o errorfs.Op) bool {
			return o.Kind == errorfs.OpFileWriteAt && strings.HasSuffix(o.Path, ".jsonl") ||
				o.Kind == errorfs.OpRemove
		},
	}
	for name, breaks := range kinds {
		t.Run(name, func(t *testing.T) {
			mem := vfs.NewMem()
			var broken atomic.Bool
			disk := errorfs.Wrap(mem, errorfs.InjectorFunc(func(o errorfs.Op) error {
				if broken.Load() && breaks(o) {
					return errorfs.ErrInjected
				}
				return nil
			}))
			o := small(disk)
			o.SegmentBytes = 1
			birth := create(t, o)
			l := open(t, o)
			seq := record(t, l, 1)
			broken.Store(true)
			for range 2 {
				_, err := l.Append(t.Context(), act(2))
				var e *Error
				if !errors.As(err, &e) || e.Hint == "" {
					t.Fatal(err)
				}
			}
			broken.Store(false)
			if _, err := l.Append(t.Context(), act(3)); err == nil {
				t.Error("the log goes on as if nothing had been")
			}
			if err := l.Close(); err == nil {
				t.Error("closed as if nothing had been")
			}
			l = open(t, o)
			closeLog(t, l)
			r, err := Verify("audit", Check{FS: mem, Key: birth.Key})
			if err != nil || r.Last < seq {
				t.Errorf("%+v, %v", r, err)
			}
		})
	}
}

func TestKeyShowsNothing(t *testing.T) {
	birth := Birth{Key: randomKey()}
	plain := birth.Key.plain()
	l := Log{at: state{chain: newChain(birth.Key, nil)}}
	var logged bytes.Buffer
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("x", "birth", birth, "key", birth.Key)
	for _, text := range []string{
		fmt.Sprint(birth), fmt.Sprintf("%+v %#v %x %s", birth, birth, birth, birth),
		fmt.Sprintf("%+v %#v %v", l.at, l.at, l.at), logged.String(),
		fmt.Sprintf("%v %d %x", birth.Key, birth.Key, &birth.Key),
	} {
		for _, shape := range []string{fmt.Sprintf("%x", plain), fmt.Sprintf("%X", plain[:6]),
			fmt.Sprint(plain)[1:20], string(plain)} {
			if strings.Contains(text, shape) {
				t.Errorf("a key shows in %q", text)
			}
		}
	}
	if _, err := os.Stat(stateName); err == nil {
		t.Error("the test wrote into its own folder")
	}
}

func TestEvents(t *testing.T) {
	seen := make(map[string]bool)
	for _, e := range Events() {
		name := e.String()
		again, err := ParseEvent(name)
		if name == "" || seen[name] || err != nil || again != e {
			t.Errorf("event %d is named %q: %d, %v", e, name, again, err)
		}
		seen[name] = true
	}
	if _, err := ParseEvent(""); err == nil {
		t.Error("an event without a name")
	}
}
