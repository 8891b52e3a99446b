package keyring

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cardswitch/hsm"
	"cardswitch/hsm/keyblock"
)

type brokenDisk struct{ err error }

func (d *brokenDisk) Save(context.Context, Set) error { return d.err }

func TestALinkKeyFromMakingToDestruction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &twin{}
		r := openRing(t, func(o *Options) { o.Module = m })
		if _, ok := r.LinkKeys("sakura/a"); ok {
			t.Error("a link without keys has one")
		}
		first := generate(t, r, "zek:sakura/a")
		if n, ok := r.LinkKeys("sakura/a"); !ok || n != 1 {
			t.Errorf("sends with %d, %v", n, ok)
		}
		generate(t, r, "zek:sakura/a")
		if n, _ := r.LinkKeys("sakura/a"); n != 2 {
			t.Errorf("sends with %d, want 2", n)
		}
		if _, ok := r.Key("sakura/a", 1); !ok {
			t.Error("the old generation isn't accepted within the window")
		}
		time.Sleep(5 * time.Minute)
		if _, ok := r.Key("sakura/a", 1); ok {
			t.Error("the old generation is accepted after the window")
		}
		old := r.live.Load().keys[first.ID]
		time.Sleep(time.Hour)
		if left, err := r.Tend(t.Context(), alice); err != nil || len(left) != 0 {
			t.Errorf("left %v, %v", left, err)
		}
		record, _ := r.Set().Get(first.ID)
		if record.State != Destroyed || record.Wrapped.Block != "" || m.loaded != 1 {
			t.Errorf("%s is %s, %d keys are loaded", record.ID, record.State, m.loaded)
		}
		if !old.(*twinKey).key.IsZero() {
			t.Error("the key of a destroyed record is still there")
		}
		time.Sleep(2 * 24 * time.Hour)
		if _, ok := r.LinkKeys("sakura/a"); ok {
			t.Error("an expired key protects")
		}
		if _, ok := r.Key("sakura/a", 2); ok {
			t.Error("a session begins under an expired key")
		}
		if due := r.Due(); len(due) != 1 || due[0].What != Expired {
			t.Errorf("due: %v", due)
		}
	})
}

func TestSenderAndOpenerSayWhyNot(t *testing.T) {
	r := openRing(t, nil)
	in, out := slotOf(t, "zpk:sakura:in"), slotOf(t, "zpk:sakura:out")
	generate(t, r, "zpk:sakura:in")
	generate(t, r, "zpk:sakura:out")
	if _, n, err := r.Sender(out); err != nil || n != 1 {
		t.Error(n, err)
	}
	if _, err := r.Opener(in, 1); err != nil {
		t.Error(err)
	}
	var refused *RefusedError
	if _, _, err := r.Sender(in); !errors.As(err, &refused) {
		t.Errorf("sends with a key of direction in: %v", err)
	}
	if _, err := r.Opener(in, 2); !errors.As(err, &refused) {
		t.Errorf("opens with a generation that isn't there: %v", err)
	}
}

// What the audit log or the disk refuses leaves the old keys in force.
func TestAChangeIsWrittenDownBeforeItIsInForce(t *testing.T) {
	m, log, disk := &twin{}, &notes{}, &brokenDisk{}
	r := openRing(t, func(o *Options) { o.Module, o.Audit, o.Saver = m, log, disk })
	record := generate(t, r, "zek:sakura/a")
	full := errors.New("no space")
	for name, breakIt := range map[string]func(error){
		"audit": func(err error) { log.full = err },
		"disk":  func(err error) { disk.err = err },
	} {
		breakIt(full)
		if _, err := r.Step(t.Context(), alice, record.ID, Retire); !errors.Is(err, full) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := r.Generate(t.Context(), alice, Plan{Slot: record.ID.Slot}); !errors.Is(err, full) {
			t.Errorf("%s: %v", name, err)
		}
		if n, ok := r.LinkKeys("sakura/a"); n != 1 || !ok || r.Set().Len() != 1 || m.loaded != 1 {
			t.Errorf("%s: sends with %d, %d records, %d keys loaded", name, n, r.Set().Len(), m.loaded)
		}
		breakIt(nil)
	}
	last := log.events[len(log.events)-1]
	if last.Err == nil || last.Who != "alice" || last.What == "" || last.Key == "" || last.Why == "" {
		t.Errorf("the failure is noted as %+v", last)
	}
}

// A key shown in clear is in the audit log as what it was: shown, or refused.
func TestAKeyInClearIsRecordedAsItEnded(t *testing.T) {
	m, log := &twin{}, &notes{}
	r := openRing(t, func(o *Options) { o.Module, o.Audit = m, log })
	id := generate(t, r, "zek:sakura/a").ID
	last := func() Event { return log.events[len(log.events)-1] }
	m.down = errors.New("no answer")
	if parts, err := r.Reveal(t.Context(), alice, id); !errors.Is(err, m.down) || parts != nil ||
		last().What != "reveal" || !errors.Is(last().Err, m.down) {
		t.Errorf("the module is away: %d parts, %v, noted as %+v", len(parts), err, last())
	}
	m.down = nil
	if parts, err := r.Reveal(t.Context(), alice, id); err != nil || len(parts) != 2 ||
		last().What != "reveal" || last().Err != nil {
		t.Errorf("%d parts, %v, noted as %+v", len(parts), err, last())
	}
	log.full = errors.New("no space")
	if parts, err := r.Reveal(t.Context(), alice, id); !errors.Is(err, log.full) || parts != nil {
		t.Errorf("nobody notes it: %d parts, %v", len(parts), err)
	}
}

// form makes a key as a ceremony does.
func form(t *testing.T, r *Ring, slot string, parts [][]byte) (string, error) {
	t.Helper()
	f, _, err := r.Forming(Plan{Slot: slotOf(t, slot)})
	if err != nil {
		return "", err
	}
	if _, err := f.Activate(t.Context(), "dave", "carol", "1"); err == nil {
		t.Error("a key is activated that wasn't formed")
	}
	if _, err := f.Form(t.Context(), parts); err != nil {
		return "", err
	}
	return f.Activate(t.Context(), "dave", "carol", "1")
}

func TestAKeyTravelsToAPartner(t *testing.T) {
	ours := openRing(t, nil)
	theirs := openRing(t, func(o *Options) { o.Module = &twin{master: [32]byte{1}} })
	parts := [][]byte{[]byte("0123456789abcdef0123456789abcdef"),
		[]byte("abcdefgh0123456789abcdefghijklmn")}
	for _, r := range []*Ring{ours, theirs} {
		name, err := form(t, r, "kbpk:sakura", parts)
		if err != nil || name != "kbpk:sakura@1" {
			t.Fatal(name, err)
		}
		if _, err = form(t, r, "kbpk:fuji", parts); err == nil {
			t.Error("the same components made two keys")
		}
	}
	made := generate(t, ours, "zek:sakura/a")
	block, err := ours.Export(t.Context(), alice, made.ID)
	if err != nil {
		t.Fatal(err)
	}
	plan := Plan{Slot: made.ID.Slot}
	for name, wrong := range map[string]Plan{
		"usage":  {Slot: slotOf(t, "zak:sakura:in")},
		"center": {Slot: slotOf(t, "zek:fuji/a")},
		"size":   {Slot: plan.Slot, Size: 16},
	} {
		if _, err := theirs.Import(t.Context(), alice, wrong, 1, block); err == nil {
			t.Errorf("a key of another %s is taken", name)
		}
	}
	for at := range block {
		forged := block[:at] + string(block[at]^1) + block[at+1:]
		if _, err := theirs.Import(t.Context(), alice, plan, 1, forged); err == nil {
			t.Fatalf("a block that was altered at %d is taken", at)
		}
	}
	got, err := theirs.Import(t.Context(), alice, plan, 1, block)
	if err != nil || got.Check() != made.Check() || got.State != Received {
		t.Fatalf("%v, %v", got, err)
	}
	if _, err := theirs.Export(t.Context(), alice, ID{slotOf(t, "kbpk:sakura"), 1}); err == nil {
		t.Error("a KBPK is exported")
	}
}

// A record that says another thing of its key than the module does isn't loaded.
func TestOpenRefusesWhatTheModuleDoesntConfirm(t *testing.T) {
	m := &twin{}
	r := openRing(t, func(o *Options) { o.Module = m })
	generate(t, r, "zek:sakura/a")
	generate(t, r, "zpk:sakura:in")
	for name, tamper := range map[string]func(a, b *Record){
		"swapped": func(a, b *Record) { a.Wrapped, b.Wrapped = b.Wrapped, a.Wrapped },
		"swapped blocks": func(a, b *Record) {
			a.Wrapped.Block, b.Wrapped.Block = b.Wrapped.Block, a.Wrapped.Block
		},
		"size":        func(a, _ *Record) { a.Wrapped.Spec.Size = 16 },
		"export":      func(a, _ *Record) { a.Wrapped.Spec.Export = keyblock.ExportN },
		"check value": func(a, b *Record) { a.Wrapped.Check.Hex = "0000000000" },
		"edited": func(a, b *Record) {
			a.Wrapped.Block = strings.Replace(a.Wrapped.Block, "B3", "P0", 1)
		},
	} {
		records := r.Set().Records()
		tamper(&records[0], &records[1])
		set, err := NewSet(records)
		if err == nil {
			_, err = Open(t.Context(), Options{Module: m, Set: set})
		}
		if err == nil || !strings.Contains(err.Error(), "zek:sakura/a@1") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if m.loaded != 2 {
		t.Errorf("%d keys are loaded, want those 2 of the open ring", m.loaded)
	}
}

func TestProductionRefusesKeysOfTests(t *testing.T) {
	r := openRing(t, nil)
	generate(t, r, "kek")
	o := Options{Module: &twin{}, Set: r.Set(), Production: true}
	if _, err := Open(t.Context(), o); err == nil {
		t.Error("a test key is taken in production")
	}
}

// Each purpose gives keys of its own usage and mode, and takes no other's.
func TestPurposesDontMix(t *testing.T) {
	for _, p := range Purposes() {
		for _, a := range p.algorithms() {
			spec, err := p.Spec(a, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, q := range Purposes() {
				if (q.takes(spec) == nil) != (p == q) {
					t.Errorf("a %s is taken as a %s: %v", p.Text(), q.Text(), q.takes(spec))
				}
			}
		}
	}
	if _, err := ZEK.Spec(keyblock.TDES, 24); err == nil {
		t.Error("a link key of TDES")
	}
	if _, err := ZPK.Spec(keyblock.DES, 8); err == nil {
		t.Error("a PIN key of DES")
	}
}

func TestPRFIsBoundedInTime(t *testing.T) {
	m := &twin{}
	r := openRing(t, func(o *Options) { o.Module = m })
	generate(t, r, "zek:sakura/a")
	prf, ok := r.PRF("sakura/a", 1, time.Second)
	if !ok {
		t.Fatal("no key")
	}
	one, err := prf.PRF([]byte("a"))
	if err != nil || one == [16]byte{} {
		t.Fatal(one, err)
	}
	late, _ := r.PRF("sakura/a", 1, -1)
	if _, err := late.PRF([]byte("a")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a module that is too slow: %v", err)
	}
	m.down = hsm.ErrUnavailable
	if _, err := prf.PRF([]byte("a")); !errors.Is(err, hsm.ErrUnavailable) {
		t.Errorf("a module that is down: %v", err)
	}
}

// A key that has been used as often as it may is due to be changed, also after other keys changed.
func TestUsesAreCounted(t *testing.T) {
	m := &twin{}
	ring, err := Open(t.Context(), Options{Module: m, Policy: func(p Purpose) Policy {
		policy := DefaultPolicy(p)
		policy.Uses = 3
		return policy
	}})
	if err != nil {
		t.Fatal(err)
	}
	slot := Slot{Purpose: ZAK, Center: "sakura", Direction: Out}
	made, err := ring.Generate(t.Context(), By{}, Plan{Slot: slot})
	if err == nil {
		_, err = ring.Serve(t.Context(), By{}, made.ID)
	}
	if err != nil {
		t.Fatal(err)
	}
	for n := range 3 {
		if tasks := ring.Due(); len(tasks) != 0 {
			t.Fatalf("after %d uses %v is due", n, tasks)
		}
		if _, _, err := ring.Sender(slot); err != nil {
			t.Fatal(err)
		}
		if n == 1 { // another key changes meanwhile
			other := Slot{Purpose: ZAK, Center: "fuji", Direction: Out}
			if _, err := ring.Generate(t.Context(), By{}, Plan{Slot: other}); err != nil {
				t.Fatal(err)
			}
		}
	}
	tasks := ring.Due()
	if len(tasks) != 1 || tasks[0].What != Rotate || tasks[0].ID != made.ID ||
		ring.Uses(made.ID) != 3 {
		t.Errorf("%d uses, due is %v", ring.Uses(made.ID), tasks)
	}
}
