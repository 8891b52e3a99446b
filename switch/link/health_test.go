package link

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestALineLostInItsSlowStartIsHeldAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := buildGroup(t, nil)
		g.away(t, 0)
		g.back(t, 0)
		time.Sleep(35 * time.Second)
		g.wants(t, "primary")
		if g.c.Lines()[0].limit.Load() == unlimited {
			t.Fatal("the slow start is over")
		}
		g.away(t, 0)
		time.Sleep(time.Minute)
		g.back(t, 0)
		g.wants(t, "standby")
	})
}

// Once it has carried its full window, a line is as good as one that was never lost.
func TestTheSlowStartIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := buildGroup(t, func(c *CenterConfig) { c.Echo = Echo{After: 20 * time.Second} })
		g.away(t, 0)
		g.back(t, 0)
		time.Sleep(time.Minute)
		primary := g.link(t, 0)
		for g.c.Best() == primary { // until an echo is missed
			primary.Due(time.Now())
			time.Sleep(time.Second)
			synctest.Wait()
		}
		primary.NetworkAnswered(SendEcho, true)
		g.wants(t, "primary")
		if limit := primary.line.limit.Load(); limit != unlimited {
			t.Errorf("it may carry %d", limit)
		}
	})
}

func TestSlowStartOpensTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := buildGroup(t, nil)
		fill := func(l *Link) (n int) {
			for l.Acquire() {
				n++
			}
			for range n {
				l.Release()
			}
			return n
		}
		if n := fill(g.link(t, 0)); n != 160 {
			t.Errorf("the first start is slow: %d requests", n)
		}
		g.away(t, 0)
		if n := fill(g.link(t, 1)); n != 160 {
			t.Errorf("the standby starts slowly: %d requests", n)
		}
		g.back(t, 0)
		primary := g.link(t, 0)
		time.Sleep(time.Until(primary.since.Add(30*time.Second - time.Nanosecond)))
		g.wants(t, "standby")
		time.Sleep(time.Nanosecond)
		g.wants(t, "primary")
		for i := range 15 {
			if n := fill(primary); n != 10*(i+1) {
				t.Errorf("after %d s: %d requests, want %d", i, n, 10*(i+1))
			}
			time.Sleep(time.Second)
			synctest.Wait()
		}
		if n := fill(primary); n != 160 {
			t.Errorf("after the slow start: %d requests", n)
		}
	})
}

// What a slow start doesn't take goes to the one that carried before.
func TestSlowStartOverflowsToTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := buildGroup(t, nil)
		g.away(t, 0)
		g.back(t, 0)
		time.Sleep(30 * time.Second)
		synctest.Wait()
		var names []string
		for range 12 {
			l := g.c.Best()
			if !l.Acquire() {
				t.Fatal("the best link takes nothing")
			}
			names = append(names, l.Name())
		}
		if names[9] != "primary" || names[10] != "standby" || g.c.InFlight() != 12 {
			t.Errorf("they went to %v, %d in flight", names, g.c.InFlight())
		}
	})
}

func TestErrorsMakeALineSick(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(l *Link)
		want string
	}{
		{"time-outs", func(l *Link) {
			for range 5 {
				l.Reported(false, 0)
			}
		}, "standby"},
		{"slow answers", func(l *Link) {
			for range 5 {
				l.Reported(true, 5*time.Second+1)
			}
		}, "standby"},
		{"one less", func(l *Link) {
			for range 4 {
				l.Reported(false, 0)
			}
		}, "primary"},
		{"just quick enough", func(l *Link) {
			for range 50 {
				l.Reported(true, 5*time.Second)
			}
		}, "primary"},
		{"over too long a time", func(l *Link) {
			for range 50 {
				l.Reported(false, 0)
				time.Sleep(2501 * time.Millisecond)
			}
		}, "primary"},
		{"just within the time", func(l *Link) {
			for range 5 {
				l.Reported(false, 0)
				time.Sleep(2500 * time.Millisecond)
			}
		}, "standby"},
		{"among many good ones", func(l *Link) {
			for range 500 {
				for range 6 {
					l.Reported(true, time.Millisecond)
				}
				l.Reported(false, 0)
			}
		}, "primary"},
		{"among few good ones", func(l *Link) {
			for range 500 {
				for range 4 {
					l.Reported(true, time.Millisecond)
				}
				l.Reported(false, 0)
			}
		}, "standby"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := buildGroup(t, nil)
				c.do(g.link(t, 0))
				g.wants(t, c.want)
			})
		})
	}
}

// The hold of a line that falls sick again and again doubles, and is forgotten after good times.
func TestARelapseIsHeldLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := buildGroup(t, nil)
		fall := func() {
			for range 5 {
				g.link(t, 0).Reported(false, 0)
			}
			g.wants(t, "standby")
		}
		for _, hold := range []time.Duration{30, 60, 120, 240, 480, 480} {
			fall()
			for range 50 { // late ones of before don't count
				g.link(t, 0).Reported(false, 0)
			}
			time.Sleep(hold*time.Second - time.Nanosecond)
			g.wants(t, "standby")
			time.Sleep(time.Nanosecond)
			g.wants(t, "primary")
		}
		time.Sleep(301 * time.Second)
		fall()
		time.Sleep(30 * time.Second)
		g.wants(t, "primary")
	})
}

func TestASickLineIsBetterThanNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := buildGroup(t, nil)
		g.away(t, 1)
		g.away(t, 2)
		for range 5 {
			g.link(t, 0).Reported(false, 0)
		}
		g.wants(t, "primary")
	})
}
