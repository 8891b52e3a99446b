package cardswitch_test

import (
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cardswitch/spec"
	"cardswitch/spec/dialect"
	"cardswitch/store"
	"cardswitch/store/journal"
	cardswitch "cardswitch/switch"
	"cardswitch/switch/link"
	"cardswitch/switch/link/warm"
)

// early is a configuration whose standbys sign on.
func early(c *cardswitch.Config) {
	l := &c.Centers[1].Links[0]
	l.Warm, l.SignOnEarly = true, true
	c.Centers[1].Links = c.Centers[1].Links[:1]
	c.Cluster = &cardswitch.ClusterConfig{} // only asked whether there is one
}

// holds makes what keeps the connections of a node that isn't active.
func (y *yard) holds() *warm.Holder {
	y.t.Helper()
	dialers, err := y.config.WarmLinks(dialect.Builtin, y.early, 1, y.net.Dial)
	if err != nil {
		y.t.Fatal(err)
	}
	h := warm.New(slog.New(slog.NewTextHandler(io.Discard, nil)))
	h.Set(dialers)
	h.Hold()
	y.t.Cleanup(h.Close)
	return h
}

// dialsEarly is a node that isn't active, and where it dials the issuer to sign on.
func (y *yard) dialsEarly() (held *warm.Holder, door net.Listener) {
	y.t.Helper()
	early(&y.config)
	door = y.listen(primaryAt)
	y.t.Cleanup(func() { door.Close() })
	return y.holds(), door
}

// standsBy is one that has signed on, and its connection with the issuer.
func (y *yard) standsBy() (held *warm.Holder, bank *peer) {
	y.t.Helper()
	held, door := y.dialsEarly()
	return held, y.issuer(door, "primary")
}

// takesOver makes it the active one.
func (y *yard) takesOver(held *warm.Holder) {
	y.config.Cluster = nil
	y.deps.Ready = held.Take
	y.start()
}

// A standby signs on, answers echo tests and sends its own. When it takes over, the first question
// leaves at once, and the journal has what was said before.
func TestAStandbySignsOnEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, nil)
		held, bank := y.standsBy()
		bank.send("1804", map[int]string{11: "000777", 12: "261122115900", 24: "831", 93: "99999000001",
			94: "00000000017"})
		want(t, bank.read("1814"), map[int]string{11: "000777", 24: "831", 39: "800"})
		bank.quiet(10 * time.Minute) // it answers ours
		if s := held.Status(); !s[0].Ready || !s[0].SignedOn || s[0].Counts != (warm.Counts{}) {
			t.Fatalf("%+v", s)
		}
		y.takesOver(held)
		synctest.Wait()
		began := time.Now()
		shop := y.merchant()
		shop.send("1200", sale(1, 700))
		again, m := bank.read("1804"), bank.read("1200") // before the sign-on is answered
		if took := time.Since(began); took > 0 || value(again, 24) != "801" {
			t.Errorf("the first question is there after %s, and after a %s", took, value(again, 24))
		}
		bank.answer(again, map[int]string{39: "800"})
		bank.answer(m, map[int]string{38: "A00001", 39: "000"})
		want(t, shop.read("1210"), map[int]string{39: "000"})
		y.close(shop, bank)
		checkWords(y)
	})
}

// checkWords looks for the sign-on in the journal.
func checkWords(y *yard) {
	o := y.config.StoreOptions()
	o.FS = y.disk
	s, err := store.Open(o)
	if err != nil {
		y.t.Fatal(err)
	}
	defer s.Close()
	asked, text := uint64(0), ""
	err = s.Replay(1, func(r *journal.Record) error {
		switch {
		case r.Kind == journal.Originated && r.Function == 801 && asked == 0:
			asked = r.Seq
			text += r.MTI.String() + " "
		case r.Kind == journal.Closed && r.Txn == asked && asked != 0:
			text += r.MTI.String() + " "
			if r.Action != 800 || r.ImageCount != 1 {
				y.t.Errorf("%+v", r)
			}
		}
		return nil
	})
	if err != nil || text != "1804 1814 " {
		y.t.Errorf("the journal has %q of the sign-on, %v", text, err)
	}
}

// A center with one sign-on for all its connections was signed off by the node that handed over:
// the new one signs on again ahead of all else. If that is refused, the link isn't signed on any
// more.
func TestASignOnIsSaidAgainAtTheTakeover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, nil)
		held, bank := y.standsBy()
		y.takesOver(held)
		bank.answer(bank.read("1804"), map[int]string{39: "909"})
		time.Sleep(time.Second)
		shop := y.merchant()
		shop.send("1200", sale(1, 700))
		want(t, shop.read("1210"), map[int]string{39: "910"})
		time.Sleep(30 * time.Second)
		bank.answer(bank.read("1804"), map[int]string{39: "800"})
		time.Sleep(time.Second)
		shop.send("1200", sale(2, 700))
		bank.answer(bank.read("1200"), map[int]string{38: "A00001", 39: "000"})
		want(t, shop.read("1210"), map[int]string{39: "000"})
		y.close(shop, bank)
	})
}

// A center that refuses, doesn't answer, or asks over it doesn't allow it: the standby says so, and
// tries again.
func TestASignOnThatIsNotAllowed(t *testing.T) {
	refuse := func(p *peer) { p.answer(p.read("1804"), map[int]string{39: "909"}) }
	for name, c := range map[string]struct {
		play func(p *peer)
		want string
	}{
		"it refuses": {refuse, "refused our sign-on with action code 909"},
		"it doesn't answer": {func(p *peer) {
			p.read("1804")
			p.quiet(11 * time.Second)
		}, "didn't answer"},
		"it speaks nonsense": {func(p *peer) { p.read("1804"); p.writeBare([]byte("nonsense")) }, "read"},
		"it asks": {func(p *peer) {
			p.answer(p.read("1804"), map[int]string{39: "800"})
			p.send("1804", map[int]string{11: "000001", 12: "261122120000", 24: "802",
				93: "99999000001", 94: "00000000017"})
		}, "1804 with function code 802, which only the active node may answer"},
		"it ends it": {func(p *peer) {
			p.answer(p.read("1804"), map[int]string{39: "800"})
			p.conn.Close()
		}, link.PeerClosed.Error()},
		"it answers no echo": {func(p *peer) {
			p.answer(p.read("1804"), map[int]string{39: "800"})
			time.Sleep(3 * time.Minute / 2)
		}, link.EchoMissed.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				y := newYard(t, nil)
				held, door := y.dialsEarly()
				conn, err := door.Accept()
				if err != nil {
					t.Fatal(err)
				}
				c.play(&peer{y: y, conn: conn, name: "bank"})
				synctest.Wait()
				if s := held.Status()[0]; s.Ready || !strings.Contains(s.LastError, c.want) {
					t.Errorf("%+v, want %q", s, c.want)
				}
				if _, err := door.Accept(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// What a greeting says is the active node's own network management, but for the trace number.
func TestGreetingIsNetworkManagement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, nil)
		early(&y.config)
		door := y.listen(primaryAt)
		defer door.Close()
		held := y.holds()
		read := func() *spec.Message {
			conn, err := door.Accept()
			if err != nil {
				t.Fatal(err)
			}
			return (&peer{y: y, conn: conn, name: "bank"}).read("1804")
		}
		standby := read()
		held.Close()
		y.config.Cluster = nil
		y.start()
		active := read()
		y.end()
		if standby.Elements() != active.Elements() {
			t.Errorf("elements %v, the active node's %v", standby.Elements(), active.Elements())
		}
		for _, n := range []int{24, 93, 94} {
			want(t, standby, map[int]string{n: value(active, n)})
		}
	})
}
