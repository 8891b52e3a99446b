package store

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"cardswitch/store/raftlog"
	"cardswitch/store/registry"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestAJournalIsTakenOver: a node that was away for too long gets the whole journal as it was at
// an entry, whatever was written since, and goes on from there; also after a power cut.
func TestAJournalIsTakenOver(t *testing.T) {
	a := sit(t, vfs.NewCrashableMem())
	lead := a.stores[0]
	l := &load{s: lead, rng: rand.New(rand.NewPCG(1, 2))}
	if _, err := lead.Registry().ID(registry.Center, "ginza", nil); err != nil {
		t.Fatal(err)
	}
	if err := l.run(20); err != nil {
		t.Fatal(err)
	}
	at, err := lead.Log().Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	want, owed, names := contents(t, lead)
	if err := l.run(20); err != nil { // goes on meanwhile
		t.Fatal(err)
	}
	var shipped bytes.Buffer
	if err := lead.Ship(at.GetMetadata().GetIndex(), &shipped); err != nil {
		t.Fatal(err)
	}
	disk := vfs.NewCrashableMem()
	late := openOn(t, disk)
	if err := late.Found(raftlog.Identity{Cluster: "tokyo", Node: 7}, nil); err != nil {
		t.Fatal(err)
	}
	half := bytes.NewReader(shipped.Bytes()[:shipped.Len()/2])
	if err := late.Receive(half); err == nil {
		t.Fatal("half a journal was taken")
	}
	if err := late.Receive(bytes.NewReader(shipped.Bytes())); err != nil {
		t.Fatal(err)
	}
	if err := late.Replace(); err != nil {
		t.Fatal(err)
	}
	cut := disk.CrashClone(vfs.CrashCloneCfg{})
	closeStore(t, late)
	for _, disk := range []vfs.FS{disk, cut} {
		late = openOn(t, disk)
		got, o, n := contents(t, late)
		if got != want || o != owed || n != names {
			t.Fatalf("%+v %d %s, want %+v %d %s", got, o, n, want, owed, names)
		}
		checkAll(t, late)
		last, _ := late.Log().LastIndex()
		if last != at.GetMetadata().GetIndex() || late.Applied() != last ||
			late.Log().Identity().Node != 7 || len(late.Log().Members()) != 1 {
			t.Fatalf("the log ends with %d, %d are applied, %v", last, late.Applied(),
				late.Log().Members())
		}
		closeStore(t, late)
	}
	closeStore(t, lead)
}

// FuzzShipped: what another node sends may be anything.
func FuzzShipped(f *testing.F) {
	f.Add([]byte{shipVersion, 1, 'v', 2, 'x', 'y', 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		size := 0
		_ = shipped(bytes.NewReader(b), func(key, value []byte) error {
			size += len(key) + len(value)
			return nil
		})
		if size > len(b) {
			t.Fatalf("%d bytes out of %d", size, len(b))
		}
	})
}
