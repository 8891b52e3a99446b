package store

import (
	"errors"
	"math/rand/v2"
	"testing"

	"cardswitch/store/journal"
	"cardswitch/store/raftlog"
	"cardswitch/store/registry"
	"cardswitch/store/total"

	"github.com/cockroachdb/pebble/v2/vfs"
	pb "go.etcd.io/raft/v3/raftpb"
)

// table is an agreement in which all stores sit at one table: the first proposes.
type table struct {
	stores []*Store
	term   uint64
	refuse error
}

func (a *table) Propose(epoch uint64, data []byte) error {
	if a.refuse != nil {
		return a.refuse
	}
	if epoch != a.term {
		return errors.New("made in another epoch")
	}
	last, _ := a.stores[0].Log().LastIndex()
	for _, s := range a.stores {
		mine := append([]byte(nil), data...)
		e := &pb.Entry{Index: new(last + 1), Term: new(epoch), Data: mine}
		if err := s.Log().Append([]*pb.Entry{e}, &pb.HardState{Term: new(epoch), Vote: new(uint64(1)),
			Commit: new(last)}); err != nil {
			return err
		}
		if err := s.Apply(last+1, epoch, mine); err != nil {
			return err
		}
	}
	return nil
}

// sit opens nodes of one new cluster and has the first lead.
func sit(t *testing.T, disks ...vfs.FS) *table {
	t.Helper()
	a := &table{term: 2}
	members := make([]raftlog.Member, len(disks))
	for i := range members {
		members[i] = raftlog.Member{ID: uint64(i + 1), Kind: raftlog.Data}
	}
	for i, disk := range disks {
		s := openOn(t, disk)
		err := s.Found(raftlog.Identity{Cluster: "tokyo", Node: uint64(i + 1)}, members)
		if err != nil {
			t.Fatal(err)
		}
		s.AgreeBy(a)
		a.stores = append(a.stores, s)
	}
	if err := a.stores[0].Lead(a.term); err != nil {
		t.Fatal(err)
	}
	return a
}

// what is in a store, as far as all nodes must have the same.
func contents(t *testing.T, s *Store) (r Report, owed int, names string) {
	t.Helper()
	r, err := s.Verify(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range s.Queue(9) {
		if err != nil {
			t.Fatal(err)
		}
		owed++
	}
	for id := uint16(1); s.Registry().Name(id) != ""; id++ {
		names += s.Registry().Name(id) + " "
	}
	return r, owed, names
}

func TestAllNodesHaveTheSame(t *testing.T) {
	disks := []vfs.FS{vfs.NewCrashableMem(), vfs.NewCrashableMem(), vfs.NewCrashableMem()}
	a := sit(t, disks...)
	lead := a.stores[0]
	if err := a.stores[1].Commit(oneRecord(a.stores[1])); !errors.Is(err, ErrNotLeading) {
		t.Fatalf("a node that follows committed: %v", err)
	}
	l := &load{s: lead, rng: rand.New(rand.NewPCG(1, 2))}
	for i := range 20 {
		if _, err := lead.Registry().ID(registry.Center, string(rune('a'+i)), nil); err != nil {
			t.Fatal(err)
		}
		if err := l.run(3); err != nil {
			t.Fatal(err)
		}
	}
	want, owed, names := contents(t, lead)
	if want.Records == 0 || len(names) != 40 {
		t.Fatalf("%d records, names %s", want.Records, names)
	}
	for n, s := range a.stores {
		checkAll(t, s)
		for again := range 2 {
			got, o, nn := contents(t, s)
			if got != want || o != owed || nn != names {
				t.Fatalf("node %d, opened %d times: %+v %d %s, node 1: %+v %d %s", n+1, again, got, o,
					nn, want, owed, names)
			}
			closeStore(t, s)
			s = openOn(t, disks[n])
			if err := s.Commit(oneRecord(s)); err == nil {
				t.Fatal("a node of a cluster wrote alone")
			}
		}
		closeStore(t, s)
	}
}

// TestAnotherLeads: totals, numbers and the chain go on with who leads next.
func TestAnotherLeads(t *testing.T) {
	a := sit(t, vfs.NewCrashableMem(), vfs.NewCrashableMem())
	for range 4 {
		l := &load{s: a.stores[0], rng: rand.New(rand.NewPCG(1, 2))}
		if err := l.run(3); err != nil {
			t.Fatal(err)
		}
		b := a.stores[0].NewBatch()
		b.Append(&journal.Record{Kind: journal.Closed, Center: 1, Dest: 2, Moves: 1, Amount: 70,
			Day: 261122, Slice: 1, Txn: 1})
		commit(t, a.stores[0], b)
		a.stores[0].Yield()
		if err := a.stores[0].Commit(oneRecord(a.stores[0])); !errors.Is(err, ErrNotLeading) {
			t.Fatalf("after Yield: %v", err)
		}
		a.stores[0], a.stores[1] = a.stores[1], a.stores[0]
		a.term++
		if err := a.stores[0].Lead(a.term); err != nil {
			t.Fatal(err)
		}
	}
	one, _, _ := contents(t, a.stores[0])
	other, _, _ := contents(t, a.stores[1])
	if one != other || one.Records == 0 {
		t.Fatalf("%+v and %+v", one, other)
	}
	for _, s := range a.stores {
		r, err := s.AddUp(func(total.Key) bool { return true })
		if err != nil || len(r.Differ) > 0 || r.Rows == 0 {
			t.Fatalf("%+v, %v", r, err)
		}
		closeStore(t, s)
	}
}

// TestRefusedIsNotWritten: what wasn't agreed on is nowhere, and an entry that doesn't go on where
// the journal ends is refused.
func TestRefusedIsNotWritten(t *testing.T) {
	a := sit(t, vfs.NewCrashableMem())
	s := a.stores[0]
	defer closeStore(t, s)
	commit(t, s, oneRecord(s))
	a.refuse = errors.New("deposed")
	if err := s.Commit(oneRecord(s)); !errors.Is(err, a.refuse) || s.LastSeq() != 1 {
		t.Fatalf("%v, last record %d", err, s.LastSeq())
	}
	a.refuse = nil
	a.term++
	if err := s.Commit(oneRecord(s)); err == nil {
		t.Fatal("an entry of an old epoch was taken")
	}
	if err := s.Lead(a.term); err != nil {
		t.Fatal(err)
	}
	b := oneRecord(s)
	if b.first != 2 {
		t.Fatalf("the next record is %d", b.first)
	}
	made := b.seal()
	if err := s.Apply(9, a.term, made.entry); err != nil {
		t.Fatal(err)
	}
	if err := s.Apply(10, a.term, made.entry); err == nil {
		t.Fatal("the same records were applied twice")
	}
}

func oneRecord(s *Store) *Batch {
	b := s.NewBatch()
	b.Append(&journal.Record{At: 1, Kind: journal.Event, Text: "one"})
	return b
}
