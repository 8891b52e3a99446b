package keyring

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cardswitch/hsm"
)

// twinFolder is a folder in memory whose machine dies at a chosen step. Of names that were not
// synced, any may be lost; contents that were written are on the disk.
type twinFolder struct {
	names  map[string][]byte
	synced map[string][]byte
	steps  int
	dieAt  int // 0: never
}

var errDied = errors.New("the machine died")

func newTwinFolder() *twinFolder {
	return &twinFolder{names: map[string][]byte{}, synced: map[string][]byte{}}
}

func (f *twinFolder) step() error {
	f.steps++
	if f.dieAt != 0 && f.steps >= f.dieAt {
		return errDied
	}
	return nil
}

// reboot gives what is there after the machine died: each name as it was, or as it was synced.
func (f *twinFolder) reboot(dice *rand.Rand) *twinFolder {
	after := newTwinFolder()
	all := slices.Sorted(maps.Keys(f.names))
	for name := range f.synced {
		if !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	for _, name := range all {
		text, ok := f.names[name]
		if dice.IntN(2) == 0 {
			text, ok = f.synced[name]
		}
		if ok {
			after.names[name], after.synced[name] = text, text
		}
	}
	return after
}

func (f *twinFolder) read(name string) ([]byte, error) {
	text, ok := f.names[name]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return text, nil
}

func (f *twinFolder) write(name string, text []byte) error {
	if err := f.step(); err != nil {
		f.names[name] = text[:len(text)/2]
		return err
	}
	f.names[name] = text
	return nil
}

func (f *twinFolder) link(from, to string) error {
	if err := f.step(); err != nil {
		return err
	}
	if _, ok := f.names[to]; ok {
		return fs.ErrExist
	}
	f.names[to] = f.names[from]
	return nil
}

func (f *twinFolder) rename(from, to string) error {
	if err := f.step(); err != nil {
		return err
	}
	f.names[to] = f.names[from]
	delete(f.names, from)
	return nil
}

func (f *twinFolder) remove(name string) error {
	if err := f.step(); err != nil {
		return err
	}
	delete(f.names, name)
	return nil
}

func (f *twinFolder) list() ([]string, error) { return slices.Collect(maps.Keys(f.names)), nil }

func (f *twinFolder) sync() error {
	if err := f.step(); err != nil {
		return err
	}
	f.synced = maps.Clone(f.names)
	return nil
}

type twinWitness struct {
	version uint64
	text    []byte
	err     error
}

func (w *twinWitness) Version() (uint64, error) { return w.version, w.err }
func (w *twinWitness) Advance(v uint64, text []byte) error {
	if w.err == nil {
		w.version, w.text = v, bytes.Clone(text)
	}
	return w.err
}

// setOf makes so many keys of different kinds and states in a module.
func setOf(t *testing.T, m *twin, count int) Set {
	t.Helper()
	now := time.Now().UTC()
	var records []Record
	for i := range count {
		purpose := Purposes()[i%len(Purposes())]
		slot := Slot{Purpose: purpose, Center: fmt.Sprintf("center-%d", i)}
		switch purpose {
		case ZEK:
			slot.Link = "a"
		case ZPK, ZAK, Data:
			slot.Direction = Out
		case KEK:
			slot.Center = ""
		}
		spec, err := purpose.Spec("", 0)
		if err != nil {
			t.Fatal(err)
		}
		w, err := m.Generate(t.Context(), spec)
		if err != nil {
			t.Fatal(err)
		}
		r := recordAt(ID{slot, uint16(i + 1)}, States()[i%len(States())], now, "")
		r.Wrapped.Spec, r.Wrapped.Check, r.Label = w.Spec, w.Check, "key of a test"
		if r.State != Destroyed {
			r.Wrapped.Block = w.Block
		}
		records = append(records, r)
	}
	set, err := NewSet(records)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func openStore(t *testing.T, m hsm.Module, w Witness, d *twinFolder) (*File, Set, error) {
	t.Helper()
	f, set, err := openFile(t.Context(), FileOptions{Path: "keys", Module: m, Witness: w, Keep: 2},
		disk{d, "keys"})
	if err == nil {
		t.Cleanup(func() { _ = f.Close() })
	}
	return f, set, err
}

func save(t *testing.T, f *File, s Set) {
	t.Helper()
	if err := f.Save(t.Context(), s); err != nil {
		t.Fatal(err)
	}
}

func TestStoreKeepsWhatItWasGiven(t *testing.T) {
	m, path, witness := &twin{}, filepath.Join(t.TempDir(), "keys"), &twinWitness{}
	o := FileOptions{Path: path, Module: m, Witness: witness, Keep: 2}
	f, set, err := OpenFile(t.Context(), o)
	if err != nil || set.Len() != 0 {
		t.Fatal(set.Len(), err)
	}
	want := setOf(t, m, 12)
	for range 5 {
		save(t, f, want)
	}
	again, got, err := OpenFile(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.Records(), got.Records()); diff != "" {
		t.Error(diff)
	}
	if again.Version() != 5 || witness.version != 5 {
		t.Errorf("version %d, witnessed %d", again.Version(), witness.version)
	}
	names, _ := realFolder(filepath.Dir(path)).list()
	if diff := cmp.Diff([]string{"keys", "keys.3", "keys.4"}, names); diff != "" {
		t.Error(diff)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, _, err := OpenFile(t.Context(), o); err == nil {
		t.Error("a store that others may read is taken")
	}
}

// A store has no clear key, and an old version of it is of as little use.
func TestStoreHasNoClearKey(t *testing.T) {
	m, d := &twin{}, newTwinFolder()
	f, _, _ := openStore(t, m, nil, d)
	part := bytes.Repeat([]byte("\x5aclear key"), 4)[:32]
	zero := append(make([]byte, 31), 1)
	spec, _ := ZEK.Spec("", 32)
	w, err := m.Form(t.Context(), spec, [][]byte{part, zero})
	if err != nil {
		t.Fatal(err)
	}
	r := recordAt(ID{slotOf(t, "zek:a/b"), 1}, Sending, time.Now(), "")
	r.Wrapped = w
	set, err := NewSet([]Record{r})
	if err != nil {
		t.Fatal(err)
	}
	save(t, f, set)
	for _, form := range []string{"clear key", fmt.Sprintf("%x", "clear key"), "lear ke"} {
		if strings.Contains(strings.ToLower(string(d.names["keys"])), form) {
			t.Errorf("%q is in the file", form)
		}
	}
}

// Whatever is done to whatever record, the store is refused and the record is named.
func TestEveryManipulationOfEveryRecord(t *testing.T) {
	m, d := &twin{}, newTwinFolder()
	f, _, _ := openStore(t, m, nil, d)
	set := setOf(t, m, 12)
	save(t, f, set)
	old := strings.Split(string(d.names["keys"]), "\n")
	save(t, f, set)
	sound := string(d.names["keys"])
	lines := strings.Split(sound, "\n")
	edit := func(line, from, to string) string { return strings.Replace(line, from, to, 1) }
	manipulations := map[string]func(l []string, at int){
		"block": func(l []string, at int) {
			l[at] = edit(l[at], `"check_method"`, `"block":"D0016","check_method"`)
		},
		"state":   func(l []string, at int) { l[at] = edit(l[at], `"state":"`, `"state":"sending`) },
		"expires": func(l []string, at int) { l[at] = edit(l[at], `"expires":"20`, `"expires":"21`) },
		"label":   func(l []string, at int) { l[at] = edit(l[at], "key of", "key for") },
		"code": func(l []string, at int) {
			l[at] = l[at][:len(l[at])-1] + string("0123456789abcdef1"[strings.IndexByte(
				"0123456789abcdef", l[at][len(l[at])-1])+1])
		},
		"older version": func(l []string, at int) { l[at] = old[at] },
		"swapped":       func(l []string, at int) { l[at], l[at%12+1] = l[at%12+1], l[at] },
		"code swapped": func(l []string, at int) {
			a, b := l[at], l[at%12+1]
			l[at] = a[:len(a)-codeDigits] + b[len(b)-codeDigits:]
		},
		"empty": func(l []string, at int) { l[at] = "" },
	}
	for name, manipulate := range manipulations {
		for at := 1; at <= 12; at++ {
			changed := slices.Clone(lines)
			manipulate(changed, at)
			text := strings.Join(changed, "\n")
			if text == sound {
				t.Fatalf("%s: record %d isn't changed", name, at)
			}
			d.names["keys"] = []byte(text)
			_, _, err := openStore(t, m, nil, d)
			named := fmt.Sprintf("record %d ", min(at, at%12+1))
			if name != "swapped" {
				named = fmt.Sprintf("record %d ", at)
			}
			if !errors.Is(err, ErrTampered) || !strings.Contains(err.Error(), named) {
				t.Errorf("%s: record %d: %v", name, at, err)
			}
		}
	}
	for at := 1; at <= 12; at++ {
		gone := slices.Delete(slices.Clone(lines), at, at+1)
		d.names["keys"] = []byte(strings.Join(gone, "\n"))
		if _, _, err := openStore(t, m, nil, d); !errors.Is(err, ErrTampered) {
			t.Errorf("record %d taken out: %v", at, err)
		}
	}
	d.names["keys"] = []byte(sound)
	if _, _, err := openStore(t, m, nil, d); err != nil {
		t.Error("the sound file:", err)
	}
}

func TestEveryCutAndEveryFlippedBit(t *testing.T) {
	m, d := &twin{}, newTwinFolder()
	f, _, _ := openStore(t, m, nil, d)
	save(t, f, setOf(t, m, 3))
	sound := d.names["keys"]
	for n := range sound {
		d.names["keys"] = sound[:n]
		if _, _, err := openStore(t, m, nil, d); err == nil {
			t.Fatalf("cut off after %d bytes of %d: taken", n, len(sound))
		}
		flipped := slices.Clone(sound)
		flipped[n] ^= 1 << (n % 8)
		d.names["keys"] = flipped
		if _, _, err := openStore(t, m, nil, d); err == nil {
			t.Fatalf("a bit flipped at %d: taken", n)
		}
	}
	d.names["keys"] = append(slices.Clone(sound), '\n')
	if _, _, err := openStore(t, m, nil, d); err == nil {
		t.Error("something at the end: taken")
	}
	if m.loaded != 1 {
		t.Errorf("%d seal keys are loaded, want that of the open file", m.loaded)
	}
}

func TestAnOldCopyIsFoundOut(t *testing.T) {
	m, d, w := &twin{}, newTwinFolder(), &twinWitness{}
	f, _, _ := openStore(t, m, w, d)
	set := setOf(t, m, 3)
	save(t, f, set)
	old := d.names["keys"]
	save(t, f, set)
	d.names["keys"] = old
	if _, _, err := openStore(t, m, w, d); !errors.Is(err, ErrTampered) ||
		!strings.Contains(err.Error(), "rolled back") {
		t.Errorf("rolled back: %v", err)
	}
	delete(d.names, "keys")
	if _, _, err := openStore(t, m, w, d); !errors.Is(err, ErrTampered) {
		t.Errorf("taken away: %v", err)
	}
	w.err = errors.New("the journal is away")
	if _, _, err := openStore(t, m, w, d); !errors.Is(err, w.err) {
		t.Errorf("without a witness: %v", err)
	}
}

// A link key that a partner knows can't stand in for the seal key, though it derives as well.
func TestALinkKeyIsNoSealKey(t *testing.T) {
	m, d := &twin{}, newTwinFolder()
	f, _, _ := openStore(t, m, nil, d)
	if _, err := ZEK.Spec("", sealSpec().Size); err == nil {
		t.Error("a link key may have the size of the seal key")
	}
	for _, size := range []int{16, 32} {
		spec, err := ZEK.Spec("", size)
		if err != nil {
			t.Fatal(err)
		}
		w, err := m.Generate(t.Context(), spec)
		if err != nil {
			t.Fatal(err)
		}
		f.seal = w
		f.key, _ = m.Load(t.Context(), w)
		save(t, f, Set{})
		if _, _, err := openStore(t, m, nil, d); err == nil {
			t.Errorf("a store sealed with a link key of %d bits is taken", 8*size)
		}
	}
}

func TestAStoreOfAnotherModuleIsRefused(t *testing.T) {
	m, d := &twin{}, newTwinFolder()
	f, _, _ := openStore(t, m, nil, d)
	save(t, f, setOf(t, m, 3))
	if _, _, err := openStore(t, &twin{master: [32]byte{1}}, nil, d); err == nil {
		t.Error("taken")
	}
}

// At whatever step of a save the machine dies, and whatever names the disk then lost: the store
// opens, with the old keys or the new ones, and can be saved again.
func TestCrashAtEachStepOfASave(t *testing.T) {
	died := 0
	for seed := range uint64(200) {
		dice := rand.New(rand.NewPCG(seed, 1))
		m, d, w := &twin{}, newTwinFolder(), &twinWitness{}
		f, _, _ := openStore(t, m, w, d)
		sets := []Set{setOf(t, m, 1), setOf(t, m, 2), setOf(t, m, 3), setOf(t, m, 4)}
		for _, s := range sets[:3] {
			save(t, f, s)
		}
		d.dieAt = d.steps + 1 + int(seed%6)
		err := f.Save(t.Context(), sets[3])
		if err != nil {
			died++
			if f.Save(t.Context(), sets[3]) == nil {
				t.Fatalf("seed %d: saves after a failure", seed)
			}
		}
		again, got, openErr := openStore(t, m, w, d.reboot(dice))
		if openErr != nil {
			t.Fatalf("seed %d: %v", seed, openErr)
		}
		if n := got.Len(); n != 4 && (n != 3 || err == nil) {
			t.Fatalf("seed %d: %d records after %v", seed, n, err)
		}
		save(t, again, sets[1])
	}
	if died < 100 {
		t.Errorf("the machine died only %d times", died)
	}
}

func TestAWitnessThatFailsStopsFurtherSaves(t *testing.T) {
	m, d, w := &twin{}, newTwinFolder(), &twinWitness{}
	f, _, _ := openStore(t, m, w, d)
	save(t, f, setOf(t, m, 1))
	w.err = errors.New("the journal is away")
	for range 2 {
		if err := f.Save(t.Context(), setOf(t, m, 2)); !errors.Is(err, w.err) {
			t.Fatal(err)
		}
	}
	w.err = nil
	if _, set, err := openStore(t, m, w, d); err != nil || set.Len() != 2 || w.version != 2 {
		t.Errorf("%d records, witnessed %d, %v", set.Len(), w.version, err)
	}
}

// goldenStore is a store with two keys, made once: its seal key must be the same in every process
// that fuzzes.
const goldenStore = "testdata/store.golden"

func TestGoldenStoreIsStillRead(t *testing.T) {
	m, d := &twin{}, newTwinFolder()
	if os.Getenv("UPDATE_GOLDEN") != "" {
		f, _, _ := openStore(t, m, nil, d)
		save(t, f, setOf(t, m, 2))
		if err := os.WriteFile(goldenStore, d.names["keys"], 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(goldenStore)
	if err != nil {
		t.Fatal(err)
	}
	d.names["keys"] = text
	if _, set, err := openStore(t, m, nil, d); err != nil || set.Len() != 2 {
		t.Errorf("%d keys, %v", set.Len(), err)
	}
}

func FuzzStoreIsNeverTakenUnlessWritten(f *testing.F) {
	sound, err := os.ReadFile(goldenStore)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sound)
	f.Add([]byte("{}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, d := &twin{}, newTwinFolder()
		d.names["keys"] = text
		if _, _, err := openStore(t, m, nil, d); err == nil && !bytes.Equal(text, sound) {
			t.Errorf("taken: %q", text)
		}
	})
}
