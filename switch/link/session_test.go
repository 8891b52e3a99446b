package link

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// dues asks every quarter of a second for so long, and notes what was due when, in seconds. Answer
// says what the center answers; nil is nothing.
func dues(l *Link, during time.Duration, answer func(Duty) bool) map[float64]Duty {
	out := map[float64]Duty{}
	start := time.Now()
	for time.Since(start) < during {
		if duty := l.Due(time.Now()); duty != Nothing {
			out[time.Since(start).Seconds()] = duty
			if answer != nil {
				l.NetworkAnswered(duty, answer(duty))
			}
		}
		time.Sleep(250 * time.Millisecond)
		synctest.Wait()
	}
	return out
}

func accept(Duty) bool { return true }

// session is a link of an issuer whose center listens.
func buildSession(t *testing.T, change func(*CenterConfig)) (*house, *host, *Link) {
	t.Helper()
	h := build(t, &tape{}, issuer("i", func(c *CenterConfig) {
		c.SignOn = SignOnUs
		c.Echo = Echo{After: 60 * time.Second, Wait: 10 * time.Second, Misses: 3}
		if change != nil {
			change(c)
		}
	}))
	bank := h.host(t, bank)
	time.Sleep(time.Second)
	synctest.Wait()
	return h, bank, h.last(t)
}

func wantDues(t *testing.T, got, want map[float64]Duty) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("due (-want +got): %s", diff)
	}
}

func TestSignOnIsDueFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _, l := buildSession(t, nil)
		if l.State() != Up || h.Center("i").Best() != nil {
			t.Fatalf("it is %v before the sign-on", l.State())
		}
		wantDues(t, dues(l, 30*time.Second, accept), map[float64]Duty{0: SendSignOn})
		if l.State() != SignedOn || h.Center("i").Best() != l {
			t.Errorf("it is %v after the sign-on", l.State())
		}
	})
}

func TestARefusedSignOnIsTriedAgainLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, _, l := buildSession(t, nil)
		refusals := 2
		got := dues(l, 65*time.Second, func(Duty) bool { refusals--; return refusals < 0 })
		wantDues(t, got, map[float64]Duty{0: SendSignOn, 30: SendSignOn, 60: SendSignOn})
		if l.State() != SignedOn {
			t.Errorf("it is %v", l.State())
		}
	})
}

func TestThreeMissesEndALink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _, l := buildSession(t, nil)
		wantDues(t, dues(l, 29*time.Second, nil), map[float64]Duty{
			0: SendSignOn, 10: SendSignOn, 20: SendSignOn})
		h.ended(t)
		wantDues(t, dues(l, 2*time.Second, nil), map[float64]Duty{})
		h.ended(t, EchoMissed)
	})
}

func TestSilenceIsAnsweredWithEchoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, bank, l := buildSession(t, func(c *CenterConfig) { c.SignOn = SignOnNone })
		peer := bank.last(t)
		write(t, peer, frame("silence begins here"))
		// Each answer is bytes too: then the next silence is as long.
		got := dues(l, 200*time.Second, func(Duty) bool { write(t, peer, frame("1814")); return true })
		wantDues(t, got, map[float64]Duty{60: SendEcho, 120: SendEcho, 180: SendEcho})
	})
}

func TestALinkThatSpeaksMissesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, bank, l := buildSession(t, func(c *CenterConfig) { c.SignOn = SignOnNone })
		g := h.Center("i")
		dues(l, 70*time.Second, nil) // one echo is missed
		if l.misses.Load() != 1 || g.Best() != l {
			t.Fatalf("%d misses, best %v", l.misses.Load(), g.Best())
		}
		write(t, bank.last(t), frame("something else"))
		dues(l, time.Second, nil)
		if l.misses.Load() != 0 {
			t.Error("the miss isn't forgotten")
		}
		h.ended(t)
	})
}

func TestAMissedEchoMakesTheStandbyBetter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := buildGroup(t, func(c *CenterConfig) { c.Echo = Echo{After: 20 * time.Second} })
		primary := g.link(t, 0)
		time.Sleep(20 * time.Second)
		if duty := primary.Due(time.Now()); duty != SendEcho {
			t.Fatal(duty)
		}
		time.Sleep(10 * time.Second)
		primary.Due(time.Now())
		g.wants(t, "standby")
		primary.NetworkAnswered(SendEcho, true)
		g.wants(t, "primary")
	})
}

func TestOperatorsSignOffAndOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _, l := buildSession(t, nil)
		dues(l, time.Second, accept)
		line := h.Center("i").Lines()[0]
		line.Ask(SendSignOff)
		wantDues(t, dues(l, 50*time.Second, accept), map[float64]Duty{0: SendSignOff})
		if l.State() != Up {
			t.Errorf("it is %v after the sign-off", l.State())
		}
		line.Ask(SendEcho)
		wantDues(t, dues(l, 5*time.Second, accept), map[float64]Duty{0: SendEcho})
		line.Ask(SendSignOn)
		wantDues(t, dues(l, time.Second, accept), map[float64]Duty{0: SendSignOn})
		if l.State() != SignedOn {
			t.Errorf("it is %v after the sign-on", l.State())
		}
	})
}

func TestThePeerSignsOnAndOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _, l := buildSession(t, func(c *CenterConfig) { c.SignOn = SignOnPeer })
		wantDues(t, dues(l, 30*time.Second, nil), map[float64]Duty{})
		l.SetSignedOn(true)
		if h.Center("i").Best() != l {
			t.Error("it isn't used")
		}
		l.SetSignedOn(false)
		if h.Center("i").Best() != nil {
			t.Error("it is used")
		}
	})
}

// After the center signed off we don't sign on at once.
func TestThePeersSignOffIsRespected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, _, l := buildSession(t, nil)
		dues(l, time.Second, accept)
		l.SetSignedOn(false)
		wantDues(t, dues(l, 35*time.Second, accept), map[float64]Duty{30: SendSignOn})
	})
}

func TestDrainWaitsForWhatIsInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, bank, l := buildSession(t, nil)
		dues(l, time.Second, accept)
		l.Acquire()
		l.Drain()
		if h.Center("i").Best() != nil || l.State() != Draining {
			t.Fatalf("it is %v", l.State())
		}
		wantDues(t, dues(l, 5*time.Second, accept), map[float64]Duty{})
		write(t, bank.last(t), frame("the answer"))
		if got := h.messages(); len(got) != 1 {
			t.Fatalf("the answer didn't come: %q", got)
		}
		l.Release()
		wantDues(t, dues(l, time.Second, accept), map[float64]Duty{0: SendSignOff})
		time.Sleep(linger)
		synctest.Wait()
		h.ended(t, Drained)
	})
}

func TestADrainingLinkDoesNotSignOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, _, l := buildSession(t, nil)
		l.Acquire()
		l.Drain()
		wantDues(t, dues(l, 5*time.Second, accept), map[float64]Duty{})
	})
}

func TestDrainOfASilentPeerEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _, l := buildSession(t, nil)
		dues(l, time.Second, accept)
		l.Drain()
		wantDues(t, dues(l, 14*time.Second, nil), map[float64]Duty{0: SendSignOff})
		h.ended(t, Drained)

		time.Sleep(time.Second)
		synctest.Wait()
		l = h.last(t)
		l.Acquire() // and nobody answers
		l.Drain()
		dues(l, 35*time.Second, accept)
		h.ended(t, Drained, DrainTooLong)
	})
}

// pump does for all links what the switch's clock does.
func (h *house) pump(ctx context.Context) {
	for ctx.Err() == nil {
		for _, l := range h.Links() {
			if duty := l.Due(time.Now()); duty != Nothing {
				l.NetworkAnswered(duty, true)
			}
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

func TestNetworkDrain(t *testing.T) {
	for _, stuck := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			h := build(t, &tape{}, merchant("m", nil),
				issuer("i", func(c *CenterConfig) { c.SignOn = SignOnUs }))
			bank := h.host(t, bank)
			go h.pump(t.Context())
			peer := h.call(t)
			time.Sleep(time.Second)
			synctest.Wait()
			out := h.Center("i").Best()
			out.Acquire()
			if !stuck {
				time.AfterFunc(3*time.Second, func() {
					out.Release()
					peer.Close()
					bank.last(t).Close()
				})
			}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			began := time.Now()
			err := h.Drain(ctx)
			took := time.Since(began)
			synctest.Wait()
			if stuck && (!errors.Is(err, context.DeadlineExceeded) || took != 10*time.Second) ||
				!stuck && (err != nil || took > 5*time.Second || took < 3*time.Second) {
				t.Errorf("stuck %v: %v after %v", stuck, err, took)
			}
			if len(h.Links()) != 0 {
				t.Errorf("%d links are left", len(h.Links()))
			}
			if err := h.Reconfigure([]CenterConfig{merchant("m", nil), issuer("i", nil)}); err != nil {
				t.Error(err)
			}
			time.Sleep(time.Hour)
			if bank.count() != 1 {
				t.Error("it dials again")
			}
			if _, err := h.net.Dial(t.Context(), shop); err == nil {
				t.Error("it still listens")
			}
		})
	}
}

func TestLineDrainAndResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, &tape{}, merchant("m", nil), issuer("i", nil))
		bank := h.host(t, bank)
		go h.pump(t.Context())
		h.call(t)
		time.Sleep(time.Second)
		for _, c := range h.Centers() {
			c.Lines()[0].Drain()
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		h.ended(t, Drained, Drained)
		h.call(t)
		if len(h.links) != 2 || bank.count() != 1 {
			t.Errorf("a drained line connects: %d links, %d dials", len(h.links), bank.count())
		}
		for _, c := range h.Centers() {
			c.Lines()[0].Resume()
		}
		h.call(t)
		if len(h.Links()) != 2 || bank.count() != 2 {
			t.Errorf("%d links after the resume, %d dials", len(h.Links()), bank.count())
		}
	})
}
