package cardswitch_test

import (
	"errors"
	"testing"
	"testing/synctest"

	"cardswitch/hsm/keyring"
	"cardswitch/store"
	cardswitch "cardswitch/switch"
)

// Keys that are opened behind the journal's lock are the keys of all that has to do with keys.
func TestKeysThatAreOpenedWithTheJournal(t *testing.T) {
	runSecured(t, nil, nil, func(y *yard) {
		ring := y.deps.Keys
		y.deps.Keys = nil
		y.deps.OpenKeys = func(journal *store.Store) (*keyring.Ring, error) {
			return ring, journal.KeyWitness().Advance(3, nil)
		}
	}, func(y *yard, shop, primary, standby *peer) {
		shop.send("1200", sale(1, 700))
		primary.answer(primary.read("1200"), map[int]string{38: "A00001", 39: "000"})
		want(t, shop.read("1210"), map[int]string{11: "000001", 39: "000"})
		if n, err := y.sw.Journal().KeyWitness().Version(); n != 3 || err != nil {
			t.Error(n, err)
		}
	})
}

// Where the keys can't be opened, neither is the switch, and the journal is free again.
func TestKeysThatCantBeOpened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, nil)
		lost := errors.New("rolled back")
		y.deps.OpenKeys = func(*store.Store) (*keyring.Ring, error) { return nil, lost }
		y.deps.Disk = y.disk
		if _, err := cardswitch.New(y.config, y.deps); !errors.Is(err, lost) {
			t.Error(err)
		}
		y.deps.OpenKeys = nil
		y.start()
		y.end()
	})
}
