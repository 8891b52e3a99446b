package backup

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cardswitch/dr/replica"
)

// cluster makes the yard's node one of a cluster of its own.
func (y *yard) cluster() {
	y.t.Helper()
	agreed, err := replica.Start(replica.Config{Cluster: "tokyo", Node: 1, Generation: 1,
		Members: []replica.Member{{ID: 1, Kind: replica.Data}}}, y.store, replica.Nobody{})
	must(y.t, err)
	y.agreed = agreed
	y.store.AgreeBy(agreed)
	for role := range agreed.Roles() {
		if role.Leading {
			must(y.t, y.store.Lead(role.Term))
			return
		}
	}
}

// moments trades batch by batch and remembers what the books were after each, by the last record.
func (y *yard) moments(batches int, were map[uint64]string) {
	y.t.Helper()
	for range batches {
		y.trade(1)
		were[y.store.LastSeq()] = books(y.t, y.store)
	}
}

func pointYard(t *testing.T, seed uint64) (*yard, *Repository, *Archiver) {
	t.Helper()
	y, r := newYard(t, seed), testRepository(t, folderOf(t))
	y.trade(10)
	y.cluster()
	return y, r, NewArchiver(r, y.store)
}

func (y *yard) archive(a *Archiver) []Tail {
	y.t.Helper()
	made, err := a.Archive(context.Background(), y.source())
	must(y.t, err)
	return made
}

// Any moment between the first backup and the last tail comes back exactly: records, what is owed,
// totals, tables beside the journal.
func TestAnyMomentComesBack(t *testing.T) {
	ctx := context.Background()
	for seed := range uint64(1) {
		y, r, a := pointYard(t, seed)
		were := make(map[uint64]string)
		y.moments(1, were)
		first := y.backup(r, Options{})
		for range 4 {
			y.moments(1+y.rng.IntN(4), were)
			y.archive(a)
			if y.rng.IntN(2) == 0 {
				m := y.backup(r, Options{})
				a.Based(&m)
			}
		}
		for last, was := range were {
			if last < first.Journal.Last {
				continue
			}
			into := filepath.Join(t.TempDir(), "restored")
			report, _, err := r.RestoreTo(ctx, Point{Seq: last}, into, dataKey, nil)
			must(t, err)
			s, err := dataKey.open(into)
			must(t, err)
			if is := books(t, s); strip(is) != strip(was) || report.Journal.Last != last {
				t.Errorf("seed %d: as of record %d it is something else, to record %d", seed, last,
					report.Journal.Last)
			}
			must(t, s.Close())
		}
	}
}

// strip leaves out how far the cluster's log was.
func strip(books string) string {
	at := strings.LastIndex(books, " Log:")
	end := strings.Index(books[at:], "}")
	return books[:at] + books[at+end:]
}

// The newest moment needs no point, a time is as good as a record, and a record in the middle of a
// batch leaves that batch out.
func TestPoints(t *testing.T) {
	ctx := context.Background()
	y, r, a := pointYard(t, 3)
	first := y.backup(r, Options{})
	y.trade(5)
	middle := y.store.LastSeq()
	y.trade(1)
	batch := y.store.LastSeq()
	y.putKeys(2)
	y.archive(a)
	y.trade(5)
	y.putKeys(3)
	y.archive(a)
	record, err := y.store.Record(middle)
	must(t, err)
	for _, c := range []struct {
		point Point
		last  uint64
		keys  string
	}{
		{Point{}, y.store.LastSeq(), `"version":3}`},
		{Point{Seq: middle}, middle, `"version":2}`},
		{Point{Seq: batch - 1}, middle, `"version":2}`},
		{Point{Time: time.Unix(0, record.At)}, middle, `"version":2}`},
		{Point{Seq: first.Journal.Last}, first.Journal.Last, `"version":2}`},
	} {
		into := filepath.Join(t.TempDir(), "restored")
		report, m, err := r.RestoreTo(ctx, c.point, into, dataKey, nil)
		must(t, err)
		if report.Journal.Last != c.last || m.ID != first.ID || report.Redone.Gap != "" {
			t.Errorf("%v: to record %d, not %d: %+v", c.point.String(), report.Journal.Last, c.last, report)
		}
		if keys := read(t, filepath.Join(into, "keys")); !strings.Contains(keys, c.keys) {
			t.Errorf("%v: %s, not %s", c.point.String(), keys, c.keys)
		}
	}
	into := filepath.Join(t.TempDir(), "restored")
	if _, _, err := r.RestoreTo(ctx, Point{Seq: 1}, into, dataKey, nil); err == nil ||
		!strings.Contains(err.Error(), fmt.Sprint(first.Journal.Last)) {
		t.Errorf("%v", err)
	}
}

// What was brought back isn't the node that it was, and can found its cluster anew only with a
// higher generation.
func TestRestoredIsNobodys(t *testing.T) {
	y, r, a := pointYard(t, 4)
	y.backup(r, Options{})
	y.trade(2)
	y.archive(a)
	into := filepath.Join(t.TempDir(), "restored")
	_, _, err := r.RestoreTo(context.Background(), Point{}, into, dataKey, nil)
	must(t, err)
	s, err := dataKey.open(into)
	must(t, err)
	defer s.Close()
	if s.LogName() != "" || s.Log().Founded() {
		t.Errorf("it belongs to log %s", s.LogName())
	}
	former, err := s.Former()
	if err != nil || former.Cluster != "tokyo" || former.Generation != 1 {
		t.Errorf("it was %+v, %v", former, err)
	}
	config := replica.Config{Cluster: "tokyo", Node: 1, Generation: 1,
		Members: []replica.Member{{ID: 1, Kind: replica.Data}}}
	if _, err := replica.Start(config, s, replica.Nobody{}); err == nil {
		t.Fatal("it is the node that it was")
	}
	config.Generation = former.Generation + 1
	began := time.Now()
	again, err := replica.Start(config, s, replica.Nobody{})
	must(t, err)
	defer again.Close()
	if s.LogName() == y.store.LogName() {
		t.Error("its log is taken for the old one")
	}
	role := <-again.Roles()
	for !role.Leading {
		role = <-again.Roles()
	}
	if role.Term <= uint64(began.Unix()) {
		t.Errorf("term %d may have been one of the old cluster after the backup", role.Term)
	}
}

// Tails begin at a backup, go on where they were after a restart, and don't bridge a hole.
func TestTailsGoOn(t *testing.T) {
	ctx := context.Background()
	y, r, a := pointYard(t, 5)
	if _, err := a.Archive(ctx, y.source()); !errors.Is(err, ErrNoBase) {
		t.Errorf("%v", err)
	}
	y.backup(r, Options{})
	y.trade(3)
	one := y.archive(a)
	if none := y.archive(a); len(one) != 1 || len(none) != 0 {
		t.Errorf("%d, then %d tails", len(one), len(none))
	}
	y.trade(3)
	two := y.archive(NewArchiver(r, y.store)) // another process
	if two[0].First != one[0].Last+1 {
		t.Errorf("it goes on at entry %d behind %d", two[0].First, one[0].Last)
	}
	y.trade(3)
	y.archive(a)
	must(t, r.target.Remove(ctx, tailName(two[0].Log, two[0].First, two[0].Last)))
	into := filepath.Join(t.TempDir(), "restored")
	report, _, err := r.RestoreTo(ctx, Point{}, into, dataKey, nil)
	must(t, err)
	// The first archiver, which knew nothing of the second, has what that had.
	if report.Redone.Gap != "" || report.Journal.Last != y.store.LastSeq() {
		t.Errorf("%+v", report.Redone)
	}
	must(t, r.target.Remove(ctx, tailName(one[0].Log, one[0].First, one[0].Last)))
	report, _, err = r.RestoreTo(ctx, Point{}, into+"2", dataKey, nil)
	must(t, err)
	if report.Redone.Gap == "" || report.Redone.Tails > 0 {
		t.Errorf("%+v", report.Redone)
	}
}

// What is done to a tail is found.
func TestDamagedTailsAreFound(t *testing.T) {
	ctx := context.Background()
	y, r, a := pointYard(t, 6)
	target := r.target.(Folder)
	y.backup(r, Options{})
	before := objects(t, target)
	y.trade(3)
	y.archive(a)
	for name, text := range objects(t, target) {
		if _, old := before[name]; old || strings.HasPrefix(name, claimFolder) {
			continue
		}
		bad := append([]byte(nil), text...)
		bad[len(bad)/2] ^= 1
		must(t, target.Put(ctx, name, bad))
		into := filepath.Join(t.TempDir(), "restored")
		if _, _, err := r.RestoreTo(ctx, Point{}, into, dataKey, nil); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
		must(t, target.Put(ctx, name, text))
	}
}

// A prune keeps tails that follow on a backup that is kept, with all that they need, and no others.
func TestPruneOfTails(t *testing.T) {
	ctx := context.Background()
	y, r, a := pointYard(t, 7)
	for range 3 {
		y.backup(r, Options{})
		y.trade(3)
		y.putKeys(int(y.store.LastSeq()))
		y.archive(a)
	}
	p, err := r.Prune(ctx, Keep{Last: 2}, false)
	must(t, err)
	if len(p.Removed) != 1 || p.Tails != 1 {
		t.Errorf("%+v", p)
	}
	into := filepath.Join(t.TempDir(), "restored")
	m, err := r.Find(ctx, p.Kept[0])
	must(t, err)
	report, from, err := r.RestoreTo(ctx, Point{Seq: m.Journal.Last + 5}, into, dataKey, nil)
	must(t, err)
	if from.ID != m.ID || report.Redone.Tails == 0 || report.Redone.Gap != "" {
		t.Errorf("%+v", report.Redone)
	}
	p, err = r.Prune(ctx, Keep{Last: 2, Tails: time.Nanosecond}, false)
	if err != nil || p.Tails != 2 {
		t.Errorf("%+v, %v", p, err)
	}
}
