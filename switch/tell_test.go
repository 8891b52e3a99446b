package cardswitch_test

import (
	"context"
	"testing"
	"time"

	cardswitch "cardswitch/switch"
)

// tell asks beside the test, which plays the peers meanwhile.
func (y *yard) tell(link string, act cardswitch.LinkAct) <-chan []cardswitch.Told {
	out := make(chan []cardswitch.Told, 1)
	go func() {
		told, err := y.sw.Tell(context.Background(), "issuer-a", link, act)
		if err != nil {
			y.t.Error(err)
		}
		out <- told
	}()
	return out
}

// An echo test is done when its answer is there, or when it is sure that none comes.
func TestEchoWaitsForItsAnswer(t *testing.T) {
	run(t, nil, func(y *yard, shop, primary, standby *peer) {
		began := time.Now()
		told := y.tell("", cardswitch.LinkEcho)
		time.Sleep(time.Second) // both are asked by now
		if len(told) > 0 {
			t.Error("it didn't wait")
		}
		primary.quiet(500 * time.Millisecond) // answers the echo; the standby stays silent
		got := <-told
		if took := time.Since(began); took < 10*time.Second || took > 11*time.Second {
			t.Errorf("it took %v, want the echo.wait of 10 s", took)
		}
		if len(got) != 2 || got[0].Link != "primary" || got[1].Link != "standby" {
			t.Fatalf("told %+v", got)
		}
		if p := got[0]; !p.Answered || !p.Accepted || p.US < 700_000 || p.US > 1_100_000 ||
			p.Connection == 0 || p.Remote == "" {
			t.Errorf("primary: %+v", p)
		}
		if s := got[1]; s.Answered || s.Accepted || s.US != 0 || s.Connection == 0 {
			t.Errorf("standby: %+v", s)
		}
		standby.quiet(time.Second)
	})
}

func TestSignOnSaysThatItWasRefused(t *testing.T) {
	run(t, nil, func(y *yard, shop, primary, standby *peer) {
		told := y.tell("primary", cardswitch.LinkSignOn)
		m := primary.read("1804")
		want(t, m, map[int]string{24: "801"})
		primary.answer(m, map[int]string{39: "909"})
		if got := <-told; len(got) != 1 || !got[0].Answered || got[0].Accepted {
			t.Errorf("told %+v", got)
		}
		told = y.tell("standby", cardswitch.LinkSignOff)
		standby.read("1804")
		standby.conn.Close()
		began := time.Now()
		if got := <-told; len(got) != 1 || got[0].Answered || time.Since(began) > time.Second {
			t.Errorf("told %+v after %v, want to hear at once that the link is gone", got,
				time.Since(began))
		}
		time.Sleep(time.Millisecond) // it is dialed again later
		if got := <-y.tell("standby", cardswitch.LinkEcho); len(got) != 1 || got[0].Connection != 0 {
			t.Errorf("a link without a connection was told %+v", got)
		}
	})
}
