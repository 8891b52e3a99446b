package negative

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"cardswitch/spec"
	"cardswitch/store/journal"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

type noBatch struct{}

func (noBatch) Set(_, _ []byte) {}
func (noBatch) Delete(_ []byte) {}

func pan(t testing.TB, n int) spec.PAN {
	t.Helper()
	p, err := spec.ParsePAN(fmt.Sprintf("%016d", 3530111333300000+n))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestExport: a center that has the key finds its cards; the list holds no card number, and says by
// its last line that it is whole.
func TestExport(t *testing.T) {
	keys, err := journal.NewKeys(make([]byte, journal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	hash := func(n int) Hash { return keys.HashPAN(pan(t, n)) }
	now := time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC)
	today := DayOf(now, time.UTC)
	f, m := build(t, vfs.NewMem(), "n", id(1), nil, 10,
		Entry{hash(1), Terms{Action: 208, Reason: 3000, Until: today}},
		Entry{hash(2), Terms{Action: 208, Until: today - 1}}, // over
		Entry{hash(3), Terms{Action: 100, From: today + 9}},
		Entry{hash(4), Terms{Action: 100}}, Entry{hash(5), Terms{Action: 100}})
	l := newList(7, time.UTC)
	m.Effective = 1
	l.Enter(noBatch{}, m, f)
	l.Delete(noBatch{}, hash(4), now.UnixNano())                                // released
	l.Put(noBatch{}, Entry{hash(5), Terms{Action: 209, Reason: 3001}})          // by an entry
	l.Put(noBatch{}, Entry{hash(6), Terms{Action: 210, From: 1, Until: 40000}}) // only there
	key := bytes.Repeat([]byte{7}, ExportKeySize)
	var out bytes.Buffer
	n, err := l.Export(&out, key, now.UnixNano(), keys.CardOf)
	if err != nil || n != 4 {
		t.Fatal(n, err)
	}
	named := func(n int) string {
		name := Named(key, pan(t, n))
		return hex.EncodeToString(name[:])
	}
	text := out.String()
	for _, want := range []string{"name,action,reason,from,until\n",
		named(1) + ",208,3000,,2026-11-26\n", named(3) + ",100,0000,2026-12-05,\n",
		named(5) + ",209,3001,,\n", named(6) + ",210,0000,1970-01-02,2079-07-08\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q isn't in\n%s", want, text)
		}
	}
	for n := range 8 {
		if strings.Contains(text, pan(t, n).Reveal()) {
			t.Errorf("card %d stands there", n)
		}
		if (n == 2 || n == 4) && strings.Contains(text, named(n)) {
			t.Errorf("card %d is listed", n)
		}
	}
	body, last, _ := strings.Cut(text, "\nT,")
	if want := fmt.Sprintf("4,%x\n", sha256.Sum256([]byte(body+"\n"))); last != want {
		t.Errorf("%q, want %q", last, want)
	}
	if _, err := l.Export(&out, key[1:], now.UnixNano(), keys.CardOf); err == nil {
		t.Error("a short key was taken")
	}
}

// TestNoCardNumberInAFile: neither the file nor its runs show a card number.
func TestNoCardNumberInAFile(t *testing.T) {
	keys, err := journal.NewKeys(make([]byte, journal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	disk := vfs.NewMem()
	if err := disk.MkdirAll("n", 0o700); err != nil {
		t.Fatal(err)
	}
	b := NewBuilder(disk, "n", id(1))
	b.sorter.most = 2
	for n := range 5 {
		if err := b.Add(&Entry{keys.HashPAN(pan(t, n)), Terms{Action: 200}}); err != nil {
			t.Fatal(err)
		}
	}
	look := func() {
		names, err := disk.List("n")
		if err != nil || len(names) == 0 {
			t.Fatal(names, err)
		}
		for _, name := range names {
			content, _, err := hold(disk, "n/"+name)
			if err != nil {
				t.Fatal(err)
			}
			for n := range 5 {
				digits := pan(t, n).Reveal()
				packed, _ := hex.DecodeString(digits)
				if bytes.Contains(content, []byte(digits)) || bytes.Contains(content, packed) {
					t.Errorf("%s shows card %d", name, n)
				}
			}
		}
	}
	look()
	if _, _, err := b.Finish(nil); err != nil {
		t.Fatal(err)
	}
	look()
}

// TestCardOf turns hashes back, and finds out those that are none.
func TestCardOf(t *testing.T) {
	keys, err := journal.NewKeys(make([]byte, journal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	for _, digits := range []string{"1", "0", "00000000", "0000000012345678", "9999999999999999999",
		"3530111333300000"} {
		p, err := spec.ParsePAN(digits)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := keys.CardOf(keys.HashPAN(p)); !ok || got != p {
			t.Errorf("%s: %v %v", digits, got, ok)
		}
	}
	for n := range uint64(1000) {
		if p, ok := keys.CardOf(hashOf(n)); ok {
			t.Errorf("a random hash is card %v", p)
		}
	}
}

// TestAFailingDisk: wherever a build fails, an error comes of it, and nothing of it stays once the
// disk works again.
func TestAFailingDisk(t *testing.T) {
	for fails := range int32(200) {
		disk := vfs.NewMem()
		if err := disk.MkdirAll("n", 0o700); err != nil {
			t.Fatal(err)
		}
		at, n := fails, int32(0)
		broken := errorfs.Wrap(disk, errorfs.InjectorFunc(func(o errorfs.Op) error {
			if o.Kind == errorfs.OpRemove {
				return nil
			}
			if n++; n == at+1 {
				return errorfs.ErrInjected
			}
			return nil
		}))
		b := NewBuilder(broken, "n", id(1))
		b.sorter.most = 2
		var err error
		for k := uint64(0); k < 5 && err == nil; k++ {
			err = b.Add(&Entry{hashOf(k), Terms{Action: 200}})
		}
		if err == nil {
			_, _, err = b.Finish(nil)
		} else {
			err = errors.Join(err, b.Drop())
		}
		if n <= at { // it came to its end before
			if err != nil {
				t.Fatal(err)
			}
			return
		}
		if err == nil {
			t.Fatalf("operation %d failed, and nobody says so", at)
		}
		if names, _ := disk.List("n"); len(names) > 1 {
			t.Errorf("operation %d failed and left %v", at, names)
		}
	}
	t.Error("it never came to its end")
}

// TestLookupAllocatesNothing, whatever it finds.
func TestLookupAllocatesNothing(t *testing.T) {
	f, m := build(t, vfs.NewMem(), "n", id(1), nil, 10,
		Entry{hashOf(1), Terms{Action: 200, Until: 60000}}, Entry{hashOf(2), Terms{Action: 200}})
	l := newList(7, time.FixedZone("", 9*60*60))
	l.Enter(noBatch{}, m, f)
	l.Put(noBatch{}, Entry{hashOf(3), Terms{Action: 200, From: 1}})
	l.Delete(noBatch{}, hashOf(2), 1)
	now := time.Now().UnixNano()
	for n := range uint64(5) {
		card := hashOf(n)
		if n := testing.AllocsPerRun(100, func() { l.Lookup(&card, now) }); n != 0 {
			t.Errorf("%v allocations", n)
		}
	}
}

// TestAMillionCards: runs as they are in use, every card found, none that isn't there.
func TestAMillionCards(t *testing.T) {
	if testing.Short() {
		t.Skip("a million cards")
	}
	const n = 3_000_000 // more than two runs
	f, _ := bigFile(t, n)
	if f.Count() != n {
		t.Fatalf("%d cards", f.Count())
	}
	for i := range uint64(n) {
		card := hashOf(i)
		if _, ok := f.Find(&card); !ok {
			t.Fatalf("card %d isn't found", i)
		}
	}
	for i := range uint64(n) {
		card := hashOf(n + i)
		if _, ok := f.Find(&card); ok {
			t.Fatalf("card %d is found", n+i)
		}
	}
}
