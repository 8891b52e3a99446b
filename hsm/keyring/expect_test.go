package keyring

import "testing"

// A key on its way opens what comes under it, and changes nothing else.
func TestExpect(t *testing.T) {
	m := &twin{}
	r := openRing(t, func(o *Options) { o.Module = m })
	old := generate(t, r, "zak:sakura:in")
	record, err := r.Generate(t.Context(), alice, Plan{Slot: old.ID.Slot})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Opener(old.ID.Slot, 2); err == nil {
		t.Error("a key that isn't active opens")
	}
	before := m.loaded
	forget, err := r.Expect(t.Context(), record.ID)
	if err != nil {
		t.Fatal(err)
	}
	key, err := r.Opener(old.ID.Slot, 2)
	if err != nil || !key.Check().Matches(record.Check()) {
		t.Errorf("the expected key: %v, %v", key, err)
	}
	if _, err := r.Opener(old.ID.Slot, 1); err != nil {
		t.Errorf("the old key: %v", err)
	}
	if now, _ := r.Set().Get(record.ID); now.State != Received {
		t.Errorf("it is %s", now.State)
	}
	forget()
	if _, err := r.Opener(old.ID.Slot, 2); err == nil || m.loaded != before {
		t.Errorf("a forgotten key opens, or %d keys stay loaded, not %d", m.loaded, before)
	}
	for _, slot := range []string{"zak:sakura:out", "zek:sakura/a"} {
		if _, err := r.Expect(t.Context(), generate(t, r, slot).ID); err == nil {
			t.Errorf("%s is expected", slot)
		}
	}
	if _, err := r.Expect(t.Context(), ID{old.ID.Slot, 9}); err == nil {
		t.Error("a key that isn't there is expected")
	}
}
