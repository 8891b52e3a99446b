package backup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cardswitch/store"
)

// What is restored is what was there: every record, what is owed, the totals, the tables beside
// the journal, and the files beside it.
func TestRestoredIsWhatWas(t *testing.T) {
	for seed := range uint64(3) {
		y, r := newYard(t, seed), testRepository(t, folderOf(t))
		var made []Manifest
		var were []string
		for range 4 {
			y.trade(1 + y.rng.IntN(20))
			if y.rng.IntN(2) == 0 {
				y.restart()
			}
			were = append(were, books(t, y.store))
			made = append(made, y.backup(r, Options{}))
		}
		y.trade(5)
		for i := range made {
			s, dir := restored(t, r, &made[i])
			if is := books(t, s); is != were[i] {
				t.Errorf("seed %d: backup %d is something else", seed, i)
			}
			text, err := os.ReadFile(filepath.Join(dir, "keys"))
			if !strings.Contains(string(text), `"version":1}`) || err != nil {
				t.Errorf("seed %d: the key store is %q, %v", seed, text, err)
			}
			if _, err := os.Stat(filepath.Join(dir, "audit", "audit.state")); err == nil {
				t.Errorf("seed %d: what was to be left out is there", seed)
			}
		}
	}
}

// A backup of a node at work is of one moment, with all that was committed before.
func TestBackupUnderLoad(t *testing.T) {
	y, r := newYard(t, 1), testRepository(t, folderOf(t))
	y.trade(20)
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-stop:
				return
			default:
				y.trade(1)
			}
		}
	}()
	for range 3 {
		before := y.store.LastSeq()
		m := y.backup(r, Options{})
		if m.Journal.Last < before {
			t.Errorf("it ends with record %d, %d were committed before", m.Journal.Last, before)
		}
		scratch := filepath.Join(t.TempDir(), "scratch")
		report, err := r.Verify(context.Background(), &m, scratch, dataKey, nil)
		if err != nil || report.Journal.Last != m.Journal.Last || report.Totals == 0 || report.Owed == 0 {
			t.Errorf("%+v: %v", report, err)
		}
	}
	close(stop)
	<-ended
}

// What is at the target already isn't copied again.
func TestBackupsAreIncremental(t *testing.T) {
	y, r := newYard(t, 2), testRepository(t, folderOf(t))
	y.trade(800)
	y.restart()
	first := y.backup(r, Options{})
	y.trade(8)
	second := y.backup(r, Options{})
	if second.Bytes <= first.Bytes || second.Copied*10 > first.Copied {
		t.Errorf("the first copied %d of %d bytes, the second %d of %d", first.Copied, first.Bytes,
			second.Copied, second.Bytes)
	}
	third := y.backup(r, Options{})
	if third.Copied*10 > first.Copied {
		t.Errorf("nothing had happened, and it copied %d of %d bytes", third.Copied, third.Bytes)
	}
	whole := y.backup(r, Options{Whole: true})
	if whole.Copied < whole.Bytes {
		t.Errorf("the whole one copied %d of %d bytes", whole.Copied, whole.Bytes)
	}
	t.Logf("copied %d, %d, %d, whole %d of %d bytes", first.Copied, second.Copied, third.Copied,
		whole.Copied, whole.Bytes)
}

// flaky is a target that fails after so many writes, as a process that is killed does.
type flaky struct {
	Target
	left atomic.Int64 // several write at once
}

var errKilled = errors.New("killed")

func (f *flaky) Put(ctx context.Context, name string, object []byte) error {
	if strings.HasPrefix(name, claimFolder) {
		return f.Target.Put(ctx, name, object)
	}
	if f.left.Add(-1) < 0 {
		return errKilled
	}
	return f.Target.Put(ctx, name, object)
}

// A backup that ends at any moment is none, and the next goes on where it was.
func TestInterrupted(t *testing.T) {
	y, target := newYard(t, 3), folderOf(t)
	r := testRepository(t, target)
	y.trade(100)
	y.restart()
	for left := 0; ; left++ {
		killed := &flaky{Target: target}
		killed.left.Store(int64(left))
		r.target = killed
		m, err := r.Create(context.Background(), y.source(), Options{})
		ids, _ := r.IDs(context.Background())
		if err == nil {
			if len(ids) != 1 || ids[0] != m.ID {
				t.Fatalf("there are %q", ids)
			}
			if left < 3 || m.Stored*4 > m.Bytes {
				t.Errorf("after %d writes, the last wrote %d bytes", left, m.Stored)
			}
			break
		}
		if !errors.Is(err, errKilled) || len(ids) > 0 {
			t.Fatalf("after %d writes: %v, there are %q", left, err, ids)
		}
		if _, err := os.Stat(y.source().Scratch); !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("the checkpoint was left: %v", err)
		}
	}
	r.target = target
	m, err := r.Find(context.Background(), "")
	must(t, err)
	s, _ := restored(t, r, &m)
	if books(t, s) != books(t, y.store) {
		t.Error("it is something else")
	}
}

// each object of the target, with its name.
func objects(t *testing.T, d Folder) map[string][]byte {
	t.Helper()
	all := make(map[string][]byte)
	must(t, d.List(context.Background(), "", func(l Listed) error {
		text, err := os.ReadFile(d.path(l.Name))
		all[l.Name] = text
		return err
	}))
	return all
}

// Whatever is done to whichever object, a restore names it and gives nothing.
func TestDamageIsFound(t *testing.T) {
	y, target := newYard(t, 4), folderOf(t)
	r := testRepository(t, target)
	y.trade(30)
	y.restart()
	m := y.backup(r, Options{})
	y.trade(3)
	newer := y.backup(r, Options{})
	try := func(what, name string) {
		t.Helper()
		into := filepath.Join(t.TempDir(), "restored")
		again, err := Open(context.Background(), target, r.key, false)
		if err == nil {
			var found Manifest
			if found, err = again.Find(context.Background(), newer.ID); err == nil {
				err = again.Restore(context.Background(), &found, into, nil, nil)
			}
		}
		if err == nil {
			t.Errorf("%s of %s isn't found", what, name)
		}
		if _, err := os.Lstat(into); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s of %s: something was restored", what, name)
		}
		if parts, _ := filepath.Glob(into + "*"); len(parts) > 0 {
			t.Errorf("%s of %s: %q was left", what, name, parts)
		}
	}
	all := objects(t, target)
	used := usedBy(t, r, &newer)
	for name, text := range all {
		if !used[name] {
			continue
		}
		path := target.path(name)
		for _, at := range []int{0, 4, 5, len(text) / 2, len(text) - 1} {
			bad := bytes.Clone(text)
			bad[at] ^= 1
			must(t, os.WriteFile(path, bad, 0o600))
			try(fmt.Sprintf("a bit at %d", at), name)
		}
		must(t, os.WriteFile(path, text[:len(text)-1], 0o600))
		try("a cut", name)
		for other, text := range all {
			if other != name && used[other] {
				must(t, os.WriteFile(path, text, 0o600))
				try("the content of "+other, name)
				break
			}
		}
		must(t, os.Remove(path))
		try("the removal", name)
		must(t, os.WriteFile(path, text, 0o600))
	}
	// One manifest in the place of another.
	old := all[manifestFolder+m.ID]
	must(t, os.WriteFile(target.path(manifestFolder+newer.ID), old, 0o600))
	try("an older manifest", newer.ID)
}

func usedBy(t *testing.T, r *Repository, m *Manifest) map[string]bool {
	t.Helper()
	used := map[string]bool{aboutName: true, manifestFolder + m.ID: true}
	files, err := r.files(context.Background(), m)
	must(t, err)
	for _, b := range m.Listing {
		used[objectName(b)] = true
	}
	for i := range files {
		for _, b := range files[i].Blocks {
			used[objectName(b)] = true
		}
	}
	return used
}

// What was damaged at the target is mended by a backup that writes everything anew.
func TestWholeMends(t *testing.T) {
	y, target := newYard(t, 5), folderOf(t)
	r := testRepository(t, target)
	y.trade(30)
	y.backup(r, Options{})
	for name, text := range objects(t, target) {
		if strings.HasPrefix(name, objectFolder) {
			text[len(text)-1] ^= 1
			must(t, os.WriteFile(target.path(name), text, 0o600))
		}
	}
	m := y.backup(r, Options{Whole: true})
	s, _ := restored(t, r, &m)
	if books(t, s) != books(t, y.store) {
		t.Error("it is something else")
	}
}

func TestWrongKeysAreNamed(t *testing.T) {
	y, target := newYard(t, 6), folderOf(t)
	r := testRepository(t, target)
	y.trade(3)
	m := y.backup(r, Options{})
	other, err := NewKey(bytes.Repeat([]byte{8}, KeySize))
	must(t, err)
	if _, err := Open(context.Background(), target, other, true); err == nil ||
		!strings.Contains(err.Error(), other.ID()) || !strings.Contains(err.Error(), r.key.ID()) {
		t.Errorf("%v", err)
	}
	scratch := filepath.Join(t.TempDir(), "scratch")
	wrong := DataKey{Raw: bytes.Repeat([]byte{1}, 32)}
	_, err = r.Verify(context.Background(), &m, scratch, wrong, nil)
	if err == nil || !strings.Contains(err.Error(), m.Journal.Key) {
		t.Errorf("%v", err)
	}
	if _, err := os.Lstat(scratch); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the scratch folder was left")
	}
}

func TestNothingIsRestoredOver(t *testing.T) {
	y, r := newYard(t, 7), testRepository(t, folderOf(t))
	y.trade(3)
	m := y.backup(r, Options{})
	if err := r.Restore(context.Background(), &m, y.dir, nil, nil); !errors.Is(err, fs.ErrExist) {
		t.Errorf("%v", err)
	}
}

// A folder that holds something else doesn't become a target.
func TestATargetIsEmptyAtFirst(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "photos"), nil, 0o600))
	key, err := NewKey(make([]byte, KeySize))
	must(t, err)
	if _, err := Open(context.Background(), Folder(dir), key, true); err == nil {
		t.Error("it did")
	}
}

// While somebody prunes nobody makes a backup, and the other way round.
func TestClaims(t *testing.T) {
	ctx, r := context.Background(), testRepository(t, folderOf(t))
	one, err := r.claim(ctx, sharing)
	must(t, err)
	two, err := r.claim(ctx, sharing)
	must(t, err)
	if _, err := r.claim(ctx, sole); !errors.Is(err, ErrBusy) {
		t.Errorf("%v", err)
	}
	one.release()
	two.release()
	three, err := r.claim(ctx, sole)
	must(t, err)
	for _, c := range []claim{sharing, sole} {
		if _, err := r.claim(ctx, c); !errors.Is(err, ErrBusy) {
			t.Errorf("%s: %v", c, err)
		}
	}
	// Its owner was killed, long ago.
	long := time.Now().Add(-claimVoid - time.Second)
	must(t, r.target.List(ctx, claimFolder, func(l Listed) error {
		return os.Chtimes(r.target.(Folder).path(l.Name), long, long)
	}))
	if err := three.lasts(); err != nil {
		t.Error(err)
	}
	early := time.Now().Add(-claimVoid/2 - time.Second)
	if three.renewed.Store(&early); three.lasts() == nil {
		t.Error("it takes its claim for good although others soon won't")
	}
	four, err := r.claim(ctx, sharing)
	must(t, err)
	four.release()
	three.release()
}

// No digits of a card, and nothing else of the journal, can be seen at the target.
func TestNoCardNumberAtTheTarget(t *testing.T) {
	y, target := newYard(t, 8), folderOf(t)
	r := testRepository(t, target)
	y.trade(15)
	y.put("negative/canary", strings.Join(y.cards, "\n"))
	y.restart()
	y.trade(5)
	y.backup(r, Options{})
	for name, text := range objects(t, target) {
		for _, card := range y.cards {
			for _, part := range []string{card, card[6:], card[:12]} {
				if bytes.Contains(text, []byte(part)) || strings.Contains(name, part) {
					t.Fatalf("%s shows a card", name)
				}
			}
		}
		if bytes.Contains(text, []byte("tokyo-1")) || bytes.Contains(text, []byte("token ")) {
			t.Errorf("%s isn't sealed", name)
		}
	}
}

// A file that is replaced while it is copied is copied again, with a journal that is newer.
func TestFilesThatAreReplaced(t *testing.T) {
	y, r := newYard(t, 9), testRepository(t, folderOf(t))
	y.trade(3)
	s := y.source()
	once := &replacing{Journal: y.store, after: func(n int) {
		if n == 1 {
			y.trade(1)
		}
	}}
	s.Journal = once
	s.Parts = append(s.Parts, Part{Name: "z", Path: filepath.Join(y.dir, "negative"),
		Only: func(string) bool {
			if once.n == 1 { // between its listing and its copying
				y.put("negative/00001-0000000001.negative", "other hashes")
				must(t, os.Chtimes(filepath.Join(y.dir, "negative"), time.Now(), time.Now()))
			}
			return true
		}})
	m, err := r.Create(context.Background(), s, Options{})
	must(t, err)
	if once.n != 2 || m.Journal.Last != y.store.LastSeq() {
		t.Errorf("%d tries, to record %d", once.n, m.Journal.Last)
	}
}

// replacing is a journal that counts its copies.
type replacing struct {
	Journal
	n     int
	after func(n int)
}

func (j *replacing) Checkpoint(dir string) (store.Mark, error) {
	j.n++
	m, err := j.Journal.Checkpoint(dir)
	j.after(j.n)
	return m, err
}

// A backup whose files are older than its journal knows them to be isn't sound: no node would start
// on it.
func TestFilesAreAsNewAsTheJournalKnows(t *testing.T) {
	y, r := newYard(t, 10), testRepository(t, folderOf(t))
	y.trade(3)
	must(t, y.store.KeyWitness().Advance(2, nil))
	verify := func() (Report, error) {
		m := y.backup(r, Options{})
		return r.Verify(context.Background(), &m, filepath.Join(t.TempDir(), "scratch"), dataKey, nil)
	}
	if _, err := verify(); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "key store") {
		t.Errorf("an old key store: %v", err)
	}
	y.putKeys(2)
	if report, err := verify(); err != nil || report.KeyStore != 2 {
		t.Errorf("%+v, %v", report, err)
	}
	must(t, os.Remove(filepath.Join(y.dir, "keys")))
	if _, err := verify(); !errors.Is(err, ErrDamaged) {
		t.Errorf("no key store: %v", err)
	}
	y.putKeys(3)
	y.put("vault.keys", "of something else")
	if _, err := verify(); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "token") {
		t.Errorf("damaged token keys: %v", err)
	}
}
