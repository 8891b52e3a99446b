package keyring

import (
	"testing"
	"testing/synctest"
	"time"
)

// A partner that names no generation is read with the youngest one, whose time isn't over.
func TestNewest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := openRing(t, nil)
		slot := slotOf(t, "zak:sakura:in")
		if _, _, err := r.Newest(slot); err == nil {
			t.Error("a slot without keys has one")
		}
		generate(t, r, "zak:sakura:in")
		generate(t, r, "zak:sakura:in")
		if key, n, err := r.Newest(slot); err != nil || n != 2 || key == nil {
			t.Errorf("generation %d, %v", n, err)
		}
		if _, err := r.Step(t.Context(), alice, ID{slot, 2}, Retire); err != nil {
			t.Fatal(err)
		}
		if _, n, err := r.Newest(slot); err != nil || n != 2 {
			t.Errorf("in its window: generation %d, %v", n, err)
		}
		time.Sleep(6 * time.Minute)
		if _, n, err := r.Newest(slot); err == nil && n == 2 {
			t.Error("a key is used after its window")
		}
	})
}
