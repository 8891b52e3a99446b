package backup

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"cardswitch/dr/replica"
	"cardswitch/spec"
	"cardswitch/store"
	"cardswitch/store/journal"
	"cardswitch/store/queue"
	"cardswitch/store/total"
)

var (
	testKey = bytes.Repeat([]byte{42}, journal.KeySize)
	dataKey = DataKey{Raw: testKey}
)

// yard is a node's data folder under load, with files beside its journal.
type yard struct {
	t      testing.TB
	dir    string
	store  *store.Store
	rng    *rand.Rand
	n      uint64
	txn    uint64 // that is open
	agreed *replica.Replica
	cards  []string
}

func newYard(t *testing.T, seed uint64) *yard {
	t.Helper()
	y := newYardIn(t, filepath.Join(t.TempDir(), "data"), seed)
	t.Cleanup(func() { y.close() })
	return y
}

func newYardIn(t testing.TB, dir string, seed uint64) *yard {
	t.Helper()
	y := &yard{t: t, dir: dir, rng: rand.New(rand.NewPCG(seed, 0))}
	y.open()
	y.putKeys(1)
	y.put("negative/00001-0000000001.negative", "hashes")
	y.put("audit/audit-0000000000000001.jsonl", "{}\n")
	y.put("audit/audit.state", "the next key")
	return y
}

// putKeys writes a key store of a version, as far as a backup looks at one.
func (y *yard) putKeys(version int) {
	y.put("keys", fmt.Sprintf(`{"format":"cardswitch key store 1","version":%d} code`, version))
}

func (y *yard) open() {
	y.t.Helper()
	var err error
	if y.store, err = store.Open(store.Options{Dir: y.dir, Key: testKey}); err != nil {
		y.t.Fatal(err)
	}
}

func (y *yard) close() {
	if y.agreed != nil {
		y.agreed.Close()
		y.agreed = nil
	}
	if err := y.store.Close(); err != nil {
		y.t.Error(err)
	}
}

// restart makes tables of what was in Pebble's log.
func (y *yard) restart() { y.close(); y.open() }

func (y *yard) put(name, text string) {
	y.t.Helper()
	path := filepath.Join(y.dir, name)
	must(y.t, os.MkdirAll(filepath.Dir(path), 0o700))
	must(y.t, os.WriteFile(path+".new", []byte(text), 0o600))
	must(y.t, os.Rename(path+".new", path))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func read(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	must(t, err)
	return string(text)
}

// trade commits batches of random records, with cards, what is owed, totals and a table beside.
func (y *yard) trade(batches int) {
	y.t.Helper()
	b := y.store.NewBatch()
	for range batches {
		for range 1 + y.rng.IntN(30) {
			y.record(b)
		}
		must(y.t, y.store.Commit(b))
	}
}

func (y *yard) record(b *store.Batch) {
	y.n++
	digits := fmt.Sprintf("453912%010d", y.rng.Uint64()%10_000_000_000)
	y.cards = append(y.cards, digits)
	pan, err := spec.ParsePAN(digits)
	must(y.t, err)
	r := journal.Record{At: int64(y.n) * 1_000_000, Kind: journal.Opened, Center: 1, Dest: 2,
		MTI: 0x1200, PAN: pan, Card: y.store.HashPAN(pan), Amount: y.rng.Uint64() % 100_000, Day: 261126,
		Currency: 392, Moves: uint8(1 + y.rng.IntN(3)),
		Key: journal.KeyOf(1, 0x1200, 261122000000+y.n, uint32(y.n), 12345678901, 11)}
	noise := make([]byte, y.rng.IntN(400))
	for i := range noise {
		noise[i] = byte(y.rng.Uint32())
	}
	r.Add(journal.Image{Role: journal.Request, Data: noise})
	if y.txn > 0 && y.rng.IntN(2) == 0 {
		r.Kind, r.Txn, y.txn = journal.Closed, y.txn, 0
	}
	seq := b.Append(&r)
	if r.Kind == journal.Opened {
		y.txn = seq
	}
	b.Set(fmt.Appendf(nil, "t%08d", y.rng.IntN(500)), fmt.Appendf(nil, "token %d", y.n))
	switch y.rng.IntN(8) {
	case 0:
		b.Enqueue(2, queue.Entry{ID: seq, Txn: seq})
	case 1:
		b.Shelve(2, queue.Entry{ID: seq, Txn: seq})
	case 2:
		b.Delete(fmt.Appendf(nil, "t%08d", y.rng.IntN(500)))
	}
}

// source is the yard as a node would give it away.
func (y *yard) source() *Source {
	return &Source{Journal: y.store, Scratch: filepath.Join(y.dir, "checkpoint"), Node: "tokyo-1",
		Program: "test", Parts: []Part{
			{Name: "keys", Path: filepath.Join(y.dir, "keys")},
			{Name: "vault.keys", Path: filepath.Join(y.dir, "vault.keys")}, // isn't there
			{Name: "negative", Path: filepath.Join(y.dir, "negative")},
			{Name: "audit", Path: filepath.Join(y.dir, "audit"),
				Only: func(name string) bool { return name != "audit.state" }},
		}}
}

func (y *yard) backup(r *Repository, o Options) Manifest {
	y.t.Helper()
	m, err := r.Create(context.Background(), y.source(), o)
	must(y.t, err)
	return m
}

// books is all that a store holds, as text.
func books(t testing.TB, s *store.Store) string {
	t.Helper()
	var text bytes.Buffer
	must(t, s.Replay(1, func(r *journal.Record) error {
		fmt.Fprintf(&text, "%d %v %x %x\n", r.Seq, r.At, r.Card, r.Images[0].Data)
		return nil
	}))
	for o, err := range s.Queues() {
		must(t, err)
		fmt.Fprintf(&text, "owed %+v\n", o)
	}
	for o, err := range s.WorkList() {
		must(t, err)
		fmt.Fprintf(&text, "shelved %+v\n", o)
	}
	must(t, s.Scan(nil, []byte{0xff}, func(k, v []byte) bool {
		fmt.Fprintf(&text, "%s = %s\n", k, v)
		return true
	}))
	m, err := s.Mark()
	must(t, err)
	fmt.Fprintf(&text, "%+v %+v\n", m, s.Totals().List(func(total.Key) bool { return true }))
	return text.String()
}

func testRepository(t testing.TB, target Target) *Repository {
	t.Helper()
	key, err := NewKey(bytes.Repeat([]byte{7}, KeySize))
	must(t, err)
	r, err := Open(context.Background(), target, key, true)
	must(t, err)
	return r
}

func folderOf(t *testing.T) Folder { return Folder(filepath.Join(t.TempDir(), "target")) }

// restored opens a backup as a node would.
func restored(t *testing.T, r *Repository, m *Manifest) (*store.Store, string) {
	t.Helper()
	into := filepath.Join(t.TempDir(), "restored")
	must(t, r.Restore(context.Background(), m, into, nil, nil))
	s, err := dataKey.open(into)
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return s, into
}
