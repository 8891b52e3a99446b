package store

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"cardswitch/store/entry"
	"cardswitch/store/raftlog"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"
)

// TestFormsOfALevel: what is written at a level never changes. Another form is another level.
func TestFormsOfALevel(t *testing.T) {
	levels := [][]Form{1: {{"chunks of records", 1}, {"parts of a record", 22}, {"entries", 1},
		{"owed advices", 2}, {"totals", 1}, {"shipped journals", 1}, {"Pebble", 24}}}
	if d := cmp.Diff(levels[Reads], Forms()); d != "" {
		t.Errorf("the forms of level %d changed (- were, + are):\n%s", Reads, d)
	}
	if Raises > Reads || Raises < Reads-1 {
		t.Errorf("it reads level %d and raises to %d", Reads, Raises)
	}
	e := entry.AppendChunk(entry.Begin(nil, 1), 7, func(b []byte) []byte { return append(b, "c"...) })
	e = entry.AppendDelete(entry.AppendSet(e, []byte("vk"), []byte("v")), []byte("q"))
	if got := hex.EncodeToString(e); got != "010001000000000000000700000001630102766b0176020171" {
		t.Errorf("an entry is %s", got)
	}
}

func reading(t *testing.T, disk vfs.FS, level uint8) (*Store, error) {
	t.Helper()
	return Open(Options{Dir: "data", FS: disk, Key: testKey, Reads: level})
}

// TestLevels: a level is agreed on, once and for all; who can't read it doesn't open the journal,
// doesn't take it from another node, and doesn't apply what raises it.
func TestLevels(t *testing.T) {
	disks := []vfs.FS{vfs.NewMem(), vfs.NewMem()}
	a := sit(t, disks...)
	for _, s := range a.stores {
		s.reads = 3
	}
	lead := a.stores[0]
	l := &load{s: lead, rng: rand.New(rand.NewPCG(1, 2))}
	raise := func(to uint8, well bool) {
		t.Helper()
		if err := lead.Raise(to); (err == nil) != well {
			t.Errorf("to level %d: %v", to, err)
		}
		if err := l.run(5); err != nil {
			t.Fatal(err)
		}
	}
	raise(1, false)
	raise(4, false)
	raise(2, true)
	raise(2, false)
	at, err := lead.Log().Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	var shipped bytes.Buffer
	if err := lead.Ship(at.GetMetadata().GetIndex(), &shipped); err != nil {
		t.Fatal(err)
	}
	a.stores[1].reads = 2
	if err := lead.Raise(3); err == nil || !strings.Contains(err.Error(), "reads up to 2") {
		t.Errorf("a node that can't read it applied it: %v", err)
	}
	for i, s := range a.stores {
		if want := uint8(3 - i); s.Level() != want {
			t.Errorf("node %d is at level %d, not %d", i+1, s.Level(), want)
		}
		closeStore(t, s)
	}
	for _, c := range []struct {
		disk  vfs.FS
		reads uint8
		well  bool
	}{{disks[0], 3, true}, {disks[0], 2, false}, {disks[1], 2, true}, {disks[1], 1, false}} {
		s, err := reading(t, c.disk, c.reads)
		if (err == nil) != c.well {
			t.Errorf("with a program of level %d: %v", c.reads, err)
		}
		if err == nil {
			closeStore(t, s)
			continue
		}
		if e := (*Error)(nil); !errors.As(err, &e) || !strings.Contains(e.Hint, "newer") {
			t.Errorf("no way out is named: %v", err)
		}
	}
	late, err := reading(t, vfs.NewMem(), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer closeStore(t, late)
	if err := late.Found(raftlog.Identity{Cluster: "tokyo", Node: 7}, nil); err != nil {
		t.Fatal(err)
	}
	err = late.Receive(bytes.NewReader(shipped.Bytes()))
	if err == nil || !strings.Contains(err.Error(), "reads up to 1") {
		t.Errorf("a journal of level 2 was taken: %v", err)
	}
}
