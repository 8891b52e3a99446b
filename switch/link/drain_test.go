package link

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

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
