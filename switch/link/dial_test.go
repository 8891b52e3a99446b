package link

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestBackoffDoublesWithJitterAndResets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		redial := Redial{First: time.Second, Max: 16 * time.Second, Stable: time.Minute}
		h := build(t, &tape{}, issuer("i", func(c *CenterConfig) { c.Links[0].Redial = redial }))
		line := h.Center("i").Lines()[0]
		b, same := line.backoff(), line.backoff()
		base := redial.First
		for i := range 10 {
			wait := b.wait(0)
			if wait < base/2 || wait > base {
				t.Errorf("wait %d is %v, want %v to %v", i, wait, base/2, base)
			}
			if again := same.wait(0); again != wait {
				t.Errorf("wait %d is %v, then %v with the same seed", i, wait, again)
			}
			base = min(2*base, redial.Max)
		}
		if wait := b.wait(59 * time.Second); wait < 8*time.Second {
			t.Errorf("a connection of 59 s resets it: %v", wait)
		}
		if wait := b.wait(time.Minute); wait > time.Second {
			t.Errorf("a stable connection doesn't reset it: %v", wait)
		}
	})
}

func TestLinesDoNotDialInStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, &tape{}, issuer("i", func(c *CenterConfig) {
			c.Links = append(c.Links, c.Links[0])
			c.Links[1].Name = "standby"
		}))
		lines := h.Center("i").Lines()
		if a, b := lines[0].backoff(), lines[1].backoff(); a.wait(0) == b.wait(0) &&
			a.wait(0) == b.wait(0) {
			t.Error("two lines wait equally long")
		}
	})
}

func TestOneDialAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var now, most int
		var times []time.Duration
		start := time.Now()
		dial := func(ctx context.Context, _ string) (net.Conn, error) {
			mu.Lock()
			now++
			most = max(most, now)
			times = append(times, time.Since(start))
			mu.Unlock()
			<-ctx.Done() // nobody answers
			mu.Lock()
			now--
			mu.Unlock()
			return nil, ctx.Err()
		}
		ctx, cancel := context.WithCancel(t.Context())
		center := issuer("i", func(c *CenterConfig) {
			c.Links[0].ConnectTimeout = 5 * time.Second
			c.Links[0].Redial = Redial{First: time.Second, Max: 4 * time.Second}
		})
		n, err := New(Config{Dial: dial, Seed: 1, Logger: slog.New(slog.DiscardHandler),
			Centers: []CenterConfig{center}}, &tape{})
		if err != nil {
			t.Fatal(err)
		}
		if err := n.Start(ctx); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		cancel()
		n.Wait()
		if most != 1 {
			t.Errorf("%d dials at once", most)
		}
		// A dial takes 5 s, a wait 2 to 4 s once it has doubled twice.
		if len(times) < 60/9 || len(times) > 60/6 {
			t.Errorf("%d dials in a minute: %v", len(times), times)
		}
		for i := 1; i < len(times); i++ {
			if gap := times[i] - times[i-1]; gap < 5*time.Second {
				t.Errorf("dial %d came %v after the last", i, gap)
			}
		}
	})
}

func TestADialedLineComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, &tape{}, issuer("i", nil))
		bank := h.host(t, bank)
		for i := range 5 {
			time.Sleep(time.Minute)
			synctest.Wait()
			if bank.count() != i+1 || len(h.Center("i").Links()) != 1 {
				t.Fatalf("round %d: %d dials, %d links", i, bank.count(), len(h.Center("i").Links()))
			}
			bank.last(t).Cut()
			synctest.Wait()
			if h.Center("i").Best() != nil || len(h.causes) != i+1 {
				t.Fatal("it is still there")
			}
		}
		if slices.Compact(slices.Clone(h.links))[0] == h.links[1] {
			t.Error("a Link is used twice")
		}
		s := h.Status().Centers[0].Lines[0]
		if s.Counters.Connects != 5 || s.Counters.Ended[ReadFailed.String()] != 5 || s.LastError == "" {
			t.Errorf("%+v", s)
		}
	})
}

func TestStopEndsEverythingAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, &tape{}, merchant("m", nil), issuer("i", nil),
			issuer("away", func(c *CenterConfig) { c.Links[0].Dial = "10.0.0.8:1" }))
		h.host(t, bank)
		h.call(t)
		time.Sleep(time.Second)
		synctest.Wait()
		if len(h.Links()) != 2 {
			t.Fatalf("%d links", len(h.Links()))
		}
		before := time.Now()
		h.stop()
		h.Wait()
		if took := time.Since(before); took != 0 {
			t.Errorf("it took %v", took)
		}
		h.ended(t, Stopped, Stopped)
		if _, err := h.net.Dial(t.Context(), shop); err == nil {
			t.Error("it still listens")
		}
		if !errors.Is(h.causes[0], Stopped) || len(h.Links()) != 0 {
			t.Error(h.causes[0], len(h.Links()))
		}
	})
}
