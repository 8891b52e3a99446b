package link

import (
	"sync/atomic"
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

// Whoever asks what is due just when the center answers isn't told to sign on once more.
func TestASignOnIsSentOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, _, l := buildSession(t, nil)
		for round := range 2000 {
			l.SetSignedOn(false)
			l.ask(SendSignOn)
			if duty := l.Due(time.Now()); duty != SendSignOn {
				t.Fatalf("round %d: due is %v", round, duty)
			}
			begun, again := make(chan bool), make(chan Duty)
			var over atomic.Bool
			go func() {
				duty := l.Due(time.Now())
				close(begun)
				for duty == Nothing && !over.Load() {
					duty = l.Due(time.Now())
				}
				again <- duty
			}()
			<-begun
			l.NetworkAnswered(SendSignOn, round%2 == 0)
			over.Store(true)
			if duty := <-again; duty != Nothing {
				t.Fatalf("round %d: due again is %v", round, duty)
			}
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
