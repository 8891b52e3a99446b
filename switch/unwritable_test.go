package cardswitch_test

import (
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	cardswitch "cardswitch/switch"
)

// A reversal that the issuer's dialect can't write, for want of element 56, is owed all the same:
// it waits on the work list for a person, over restarts, and is delivered once the dialect is
// mended.
func TestUnwritableReversalIsOnTheWorkList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, nil)
		file := filepath.Join(y.dir, "poor.yaml")
		text := "base: ascii-binary\nelements:\n  56: {absent: true}\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		y.config.Dialects = []string{file}
		y.config.Centers[1].Dialect = "poor"
		primary, standby := y.openBoth()
		shop := y.merchant()
		shop.send("1200", sale(1, 700))
		primary.read("1200")
		want(t, shop.read("1210"), map[int]string{39: "911"})
		id := y.waitsForAPerson()
		// The merchant's own reversal finds it reversed.
		shop.send("1420", reversal(2, 1, 700))
		want(t, shop.read("1430"), map[int]string{39: "400"})
		// In vain, as long as the dialect is what it is.
		y.resolve(id, "retry")
		time.Sleep(time.Second)
		if again := y.waitsForAPerson(); again != id {
			t.Errorf("advice %d is on the work list, want %d", again, id)
		}
		shop.send("1200", sale(3, 800)) // this one a restart has to reverse
		primary.read("1200")

		y.crash(shop, primary, standby)
		y.start()
		primary, standby = y.issuer(y.doors[0], "primary"), y.issuer(y.doors[1], "standby")
		if list, err := y.sw.WorkList(); err != nil || len(list) != 2 {
			t.Fatalf("%d on the work list, %v, want 2", len(list), err)
		}
		primary.quiet(30 * time.Second)
		y.end()
		primary.conn.Close()
		standby.conn.Close()

		y.config.Centers[1].Dialect = "ascii-binary"
		y.start()
		primary, standby = y.issuer(y.doors[0], "primary"), y.issuer(y.doors[1], "standby")
		y.resolve(id, "retry")
		m := primary.read("1421")
		want(t, m, map[int]string{2: card, 4: "000000000700", 25: "4021", 37: "RRN000000001"})
		if got := value(m, 56); len(got) < 24 || got[:4] != "1200" {
			t.Errorf("element 56 is %q", got)
		}
		primary.answer(m, map[int]string{39: "400"})
		time.Sleep(time.Second)
		if list, err := y.sw.WorkList(); err != nil || len(list) != 1 || list[0].ID == id {
			t.Errorf("on the work list %+v, %v", list, err)
		}
		y.end()
		primary.conn.Close()
		standby.conn.Close()
	})
}

// waitsForAPerson demands one 1420 on the work list and none that is to be sent.
func (y *yard) waitsForAPerson() uint64 {
	y.t.Helper()
	list, err := y.sw.WorkList()
	if err != nil || len(list) != 1 {
		y.t.Fatalf("%d on the work list, %v, want 1", len(list), err)
	}
	if st := y.sw.Status(); st.Owed != 0 || st.Shelved != 1 {
		y.t.Errorf("owed %d, shelved %d, want 0 and 1", st.Owed, st.Shelved)
	}
	if list[0].Center != "issuer-a" || list[0].MTI != "1420" {
		y.t.Errorf("on the work list is %+v", list[0])
	}
	return list[0].ID
}

func (y *yard) resolve(id uint64, act string) {
	y.t.Helper()
	if err := y.sw.Resolve(id, cardswitch.Resolution{Act: act, Who: "op", Why: "x"}); err != nil {
		y.t.Fatal(err)
	}
}
