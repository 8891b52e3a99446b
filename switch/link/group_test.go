package link

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// group is an issuer with a primary, a standby and a DR line, all dialed.
type group struct {
	*house
	hosts []*host // by order
	c     *Center
}

func buildGroup(t *testing.T, change func(*CenterConfig)) *group {
	t.Helper()
	config := issuer("i", func(c *CenterConfig) {
		c.Window = 160
		c.Failover = Failover{Errors: 5, Within: 10 * time.Second, Slow: 5 * time.Second,
			Hold: 30 * time.Second, SlowStart: 16 * time.Second}
		c.Links = nil
		for i, name := range []string{"primary", "standby", "dr"} {
			c.Links = append(c.Links, LinkConfig{ID: uint16(i), Name: name, Order: i,
				Dial:        fmt.Sprintf("10.0.0.9:%d", 7201+i),
				ReadTimeout: time.Hour,
				Redial:      Redial{First: time.Second, Max: time.Second}})
		}
		if change != nil {
			change(c)
		}
	})
	g := &group{house: build(t, &tape{}, config)}
	for _, l := range config.Links {
		g.hosts = append(g.hosts, g.host(t, l.Dial))
	}
	time.Sleep(time.Second)
	synctest.Wait()
	g.c = g.Center("i")
	if l := g.c.Best(); l == nil || l.Order() != 0 || len(g.c.Links()) != 3 {
		t.Fatalf("%d links stand, the best is %v", len(g.c.Links()), l)
	}
	return g
}

func (g *group) wants(t *testing.T, name string) {
	t.Helper()
	synctest.Wait()
	got := ""
	if l := g.c.Best(); l != nil {
		got = l.Name()
	}
	if got != name {
		t.Fatalf("after %v the best link is %q, want %q", g.now(), got, name)
	}
}

// link is the live connection of that order.
func (g *group) link(t *testing.T, order int) *Link {
	t.Helper()
	for _, l := range g.c.Links() {
		if l.Order() == order {
			return l
		}
	}
	t.Fatalf("no link of order %d", order)
	return nil
}

// away closes the center's host of that order; back opens it again.
func (g *group) away(t *testing.T, order int) {
	t.Helper()
	g.hosts[order].l.Close()
	g.hosts[order].last(t).Cut()
	synctest.Wait()
}

func (g *group) back(t *testing.T, order int) {
	t.Helper()
	g.hosts[order] = g.host(t, g.hosts[order].l.Addr().String())
	time.Sleep(time.Second)
	synctest.Wait()
}

func TestBestGoesByOrderAndFailsOverAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := buildGroup(t, nil)
		g.away(t, 0)
		g.wants(t, "standby")
		g.away(t, 1)
		g.wants(t, "dr")
		g.away(t, 2)
		g.wants(t, "")
	})
}

func TestFallBackOnlyAfterTheHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := buildGroup(t, nil)
		g.away(t, 0)
		time.Sleep(time.Minute)
		g.back(t, 0)
		g.wants(t, "standby")
		time.Sleep(28 * time.Second)
		g.wants(t, "standby")
		time.Sleep(2 * time.Second)
		g.wants(t, "primary")
	})
}

func TestAReturningLineIsBetterThanNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := buildGroup(t, nil)
		for order := range 3 {
			g.away(t, order)
		}
		time.Sleep(time.Minute)
		g.back(t, 0)
		g.wants(t, "primary")
		// The others come back too: it carries already, so there is nothing to hold.
		g.back(t, 1)
		g.wants(t, "primary")
	})
}

// Nobody carries when the primary returns: it isn't held, also if the standby then comes for the
// first time.
func TestAReturnNobodyNoticedIsNotHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := buildGroup(t, func(c *CenterConfig) { c.Links[1].Dial = "10.0.0.9:1" })
		g.away(t, 1)
		g.away(t, 2)
		standby := g.c.Lines()[1]
		standby.health = health{born: g.now()} // as if it had never been up
		g.away(t, 0)
		g.back(t, 0)
		g.wants(t, "primary")
		g.back(t, 1)
		if len(g.c.Links()) != 2 {
			t.Fatal("the standby isn't there")
		}
		g.wants(t, "primary")
	})
}

// A line that comes long after the start, while another carries, is held as one that returns.
func TestALateFirstConnectionIsHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, &tape{}, issuer("i", func(c *CenterConfig) {
			standby := LinkConfig{Name: "standby", Order: 1, Dial: "10.0.0.9:1",
				ReadTimeout: time.Hour, Redial: Redial{First: time.Second, Max: time.Second}}
			c.Links[0].Redial, c.Links[0].ReadTimeout = standby.Redial, time.Hour
			c.Links = append(c.Links, standby)
		}))
		g := &group{house: h, c: h.Center("i")}
		h.host(t, "10.0.0.9:1")
		time.Sleep(time.Minute)
		g.wants(t, "standby")
		h.host(t, bank)
		time.Sleep(2 * time.Second)
		g.wants(t, "standby")
		time.Sleep(30 * time.Second)
		g.wants(t, "primary")
	})
}

func TestAHeldLineCarriesIfTheOthersGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := buildGroup(t, nil)
		g.away(t, 0)
		time.Sleep(time.Minute)
		g.back(t, 0)
		g.wants(t, "standby")
		g.away(t, 1)
		g.wants(t, "dr")
		g.away(t, 2)
		g.wants(t, "primary")
	})
}

func TestTheWindowBoundsTheCenter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := buildGroup(t, nil)
		a, b := g.link(t, 0), g.link(t, 1)
		n := 0
		for a.Acquire() && b.Acquire() {
			n += 2
		}
		if n != 160 || g.c.InFlight() != 160 || a.InFlight() != 80 {
			t.Errorf("%d requests, %d counted, %d on one", n, g.c.InFlight(), a.InFlight())
		}
		g.away(t, 0)
		for range 80 {
			a.Release() // on a dead link too
			b.Release()
		}
		if g.c.InFlight() != 0 || a.InFlight() != 0 {
			t.Errorf("%d are left", g.c.InFlight())
		}
	})
}

func TestOnlySignedOnLinksCarry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := buildGroup(t, nil)
		g.link(t, 0).SetSignedOn(false)
		g.wants(t, "standby")
		g.link(t, 1).SetSignedOn(false)
		g.link(t, 2).SetSignedOn(false)
		g.wants(t, "")
		g.link(t, 1).SetSignedOn(true)
		g.wants(t, "standby")
	})
}

func TestEqualLinksTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := buildGroup(t, func(c *CenterConfig) { c.Links[1].Order = 0 })
		count := map[string]int{}
		for range 100 {
			count[g.c.Best().Name()]++
		}
		if count["primary"] != 50 || count["standby"] != 50 {
			t.Errorf("they took %v", count)
		}
		g.away(t, 0)
		for range 10 {
			g.wants(t, "standby")
		}
	})
}

func TestBestDoesNotAllocate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := buildGroup(t, nil)
		if n := testing.AllocsPerRun(100, func() {
			l := g.c.Best()
			l.Acquire()
			l.Reported(true, 0)
			l.Release()
		}); n != 0 {
			t.Errorf("%v allocations", n)
		}
	})
}
