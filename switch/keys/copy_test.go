package keys

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"cardswitch/hsm/keyring"
	"cardswitch/switch/link/keyorder"
)

// shelf is a journal that has the key store.
type shelf struct {
	version uint64
	text    []byte
}

func (s *shelf) Version() (uint64, error) { return s.version, nil }

func (s *shelf) Advance(version uint64, text []byte) error {
	s.version, s.text = version, bytes.Clone(text)
	return nil
}

func (s *shelf) Text() (uint64, []byte, error) { return s.version, bytes.Clone(s.text), nil }

// copied gives keys and a copy of those of a shop, with what brings it up to date.
func copied(t *testing.T) (k *Keys, c *Copy, refresh func()) {
	t.Helper()
	journal := &shelf{}
	k = open(t, configuration(t.TempDir()), Options{Witness: journal})
	t.Cleanup(func() { k.Close() })
	c, err := NewCopy(t.Context(), journal, k.Module(), func(slot keyring.Slot) bool {
		return slot.Center == "shop"
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return k, c, func() {
		t.Helper()
		if version, err := c.Refresh(t.Context()); err != nil || version != journal.version {
			t.Fatalf("version %d of %d: %v", version, journal.version, err)
		}
	}
}

// A copy has the keys of the slots that it is for, and no others, as they are made and ended.
func TestACopyFollows(t *testing.T) {
	k, c, refresh := copied(t)
	refresh()
	if usable := c.Usable("shop/a"); len(usable) != 0 {
		t.Errorf("there are %d", usable)
	}
	generate(t, k, "zek:shop/a")
	generate(t, k, "zek:sakura/a")
	refresh()
	if n, ok := c.Newest("shop/a"); !ok || n != 1 {
		t.Errorf("%d is sent with", n)
	}
	if _, ok := c.Newest("sakura/a"); ok {
		t.Error("a key that isn't asked for")
	}
	theirs, _ := k.PRF("shop/a", 1, time.Second)
	ours, ok := c.Key("shop/a", 1)
	want, err := theirs.PRF([]byte("once"))
	if got, e := ours.PRF.PRF([]byte("once")); !ok || err != nil || e != nil || got != want {
		t.Errorf("another key: %v %v %v", ok, err, e)
	}
	made := generate(t, k, "zek:shop/a")
	refresh()
	if n, _ := c.Newest("shop/a"); n != 2 {
		t.Errorf("%d is sent with", n)
	}
	first := keyring.ID{Slot: made.ID.Slot, Generation: 1}
	if _, err := k.Step(t.Context(), tester, first, keyring.Destroy); err != nil {
		t.Fatal(err)
	}
	refresh()
	if _, ok := c.Key("shop/a", 1); ok || !slices.Equal(c.Usable("shop/a"), []uint16{2}) {
		t.Errorf("a key that is no more can be used: %d", c.Usable("shop/a"))
	}
}

// A key on its way can be used while it is, and not before.
func TestACopyExpects(t *testing.T) {
	k, c, refresh := copied(t)
	generate(t, k, "zek:shop/a")
	slot, _ := keyring.LinkSlot("shop/a")
	coming, err := k.Generate(t.Context(), tester, keyring.Plan{Slot: slot})
	if err != nil {
		t.Fatal(err)
	}
	refresh()
	if _, ok := c.Key("shop/a", 2); ok {
		t.Error("a key is used that nobody has confirmed")
	}
	on := map[string][]uint16{"zek:shop/a": {2}, "zek:sakura/a": {1}, "nobody": {1}}
	if err := c.Expect(t.Context(), on); err != nil {
		t.Fatal(err)
	}
	if _, ok := c.Key("shop/a", 2); !ok || !slices.Equal(c.Usable("shop/a"), []uint16{1, 2}) {
		t.Errorf("a key that is on its way can't be used: %d", c.Usable("shop/a"))
	}
	if err := c.Expect(t.Context(), map[string][]uint16{"zek:shop/a": {3}}); err == nil {
		t.Error("a key is expected that isn't there")
	}
	if _, ok := c.Key("shop/a", 2); ok {
		t.Error("a key can be used that isn't on its way any more")
	}
	if _, err := k.Serve(t.Context(), tester, coming.ID); err != nil {
		t.Fatal(err)
	}
	refresh()
	if n, _ := c.Newest("shop/a"); n != 2 {
		t.Errorf("%d is sent with", n)
	}
}

// What a merchant protects with a key that is on its way is opened, and under no other generation;
// each use is told once.
func TestACopyOfCodeKeys(t *testing.T) {
	k, c, refresh := copied(t)
	generate(t, k, "zak:shop:in")
	slot := keyring.Slot{Purpose: keyring.ZAK, Center: "shop", Direction: keyring.In}
	if _, err := k.Generate(t.Context(), tester, keyring.Plan{Slot: slot}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Ring().Opener(slot, 1); err == nil {
		t.Error("a key that hasn't come yet")
	}
	refresh()
	for range 3 {
		if _, err := c.Ring().Opener(slot, 1); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Ring().Opener(slot, 2); err == nil {
		t.Error("a key is used that nobody is to have")
	}
	coming := map[string][]uint16{"zak:shop:in": {2}}
	if err := c.Expect(t.Context(), coming); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Ring().Opener(slot, 2); err != nil {
		t.Error(err)
	}
	if err := c.Expect(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Ring().Opener(slot, 2); err == nil {
		t.Error("a key can be used that isn't on its way any more")
	}
	want := []keyorder.Use{{Key: "zak:shop:in@1", Times: 3}}
	if got := c.Uses(); !slices.Equal(got, want) {
		t.Errorf("used: %v", got)
	}
	if got := c.Uses(); len(got) != 0 {
		t.Errorf("used: %v", got)
	}
}

// A key store that was altered isn't taken: the keys stay those that there were.
func TestACopyIsNotFooled(t *testing.T) {
	journal := &shelf{}
	k := open(t, configuration(t.TempDir()), Options{Witness: journal})
	defer k.Close()
	c, err := NewCopy(t.Context(), journal, k.Module(), func(keyring.Slot) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	generate(t, k, "zek:shop/a")
	if _, err := c.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	generate(t, k, "zek:shop/a")
	journal.text = bytes.Replace(journal.text, []byte(`"sending"`), []byte(`"received"`), 1)
	version, err := c.Refresh(t.Context())
	if !errors.Is(err, keyring.ErrTampered) || version == journal.version {
		t.Errorf("version %d: %v", version, err)
	}
	if n, ok := c.Newest("shop/a"); !ok || n != 1 {
		t.Errorf("%d is sent with", n)
	}
}
