package cardswitch_test

import (
	"errors"
	"io"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"cardswitch/store"
	cardswitch "cardswitch/switch"
)

// A node's store outlives its switches: the first one is fenced off in the middle of its work and
// thrown away, the next one on the same store finishes what it left. What the first one still had
// to say reaches nobody.
func TestSwitchesOfOneStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, nil)
		o := y.config.StoreOptions()
		o.FS = y.disk
		journal, err := store.Open(o)
		if err != nil {
			t.Fatal(err)
		}
		defer journal.Close()
		first, second := y.listen(primaryAt), y.listen(standbyAt)
		defer first.Close()
		defer second.Close()
		y.deps.Store = journal
		y.start()
		primary, standby := y.issuer(first, "primary"), y.issuer(second, "standby")
		time.Sleep(time.Second)
		shop := y.merchant()
		shop.send("1200", sale(1, 700))
		primary.read("1200")
		y.sw.Fence()
		if err := <-y.stopped; !errors.Is(err, cardswitch.ErrNotActive) {
			t.Fatalf("it ended with %v", err)
		}
		for _, p := range []*peer{shop, primary, standby} {
			if n, err := p.conn.Read(make([]byte, 1)); n != 0 || errors.Is(err, io.EOF) {
				t.Errorf("%s: %d bytes came, then %v; want a reset", p.name, n, err)
			}
		}
		if s := y.sw.Status(); s.State != "standby" {
			t.Errorf("it says that it is %s", s.State)
		}

		for round := range 3 { // again and again
			// What the one before had begun and not committed is gone.
			if err := journal.Lead(uint64(round) + 2); err != nil {
				t.Fatal(err)
			}
			y.start()
			primary, standby = y.issuer(first, "primary"), y.issuer(second, "standby")
			if round == 0 {
				r := primary.read("1420")
				want(t, r, map[int]string{2: card, 25: "4021"})
				primary.answer(r, map[int]string{39: "400"})
			} else {
				primary.quiet(time.Second)
			}
			shop = y.merchant()
			shop.send("1201", sale(1, 700))
			want(t, shop.read("1210"), map[int]string{39: "911"})
			y.sw.Fence()
			if err := <-y.stopped; !errors.Is(err, cardswitch.ErrNotActive) {
				t.Fatalf("it ended with %v", err)
			}
		}
		if report, err := journal.Verify(nil); err != nil {
			t.Errorf("the journal: %v after %d records", err, report.Records)
		}
	})
}

// While the lease doesn't hold nothing leaves, and what was to leave is finished as promised once
// it holds again: the issuer's link comes back, and the request that never left is answered.
func TestLeaseLapses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lapsed atomic.Bool
		y := newYard(t, nil)
		y.deps.MayLeave = func() bool { return !lapsed.Load() }
		y.deps.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
		primary, standby := y.openBoth()
		shop := y.merchant()
		lapsed.Store(true)
		shop.send("1200", sale(1, 700))
		for _, p := range []*peer{shop, primary, standby} {
			if m := p.next(3 * time.Second); m != nil {
				t.Errorf("%s: a %s came", p.name, m.MTI())
			}
		}
		lapsed.Store(false)
		primary, standby = y.issuer(y.doors[0], "primary"), y.issuer(y.doors[1], "standby")
		shop = y.merchant()
		shop.send("1201", sale(1, 700))
		want(t, shop.read("1210"), map[int]string{39: "912"})
		y.close(shop, primary, standby)
	})
}
