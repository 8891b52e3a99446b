package wire

import (
	"net"
	"slices"
	"testing"
	"testing/synctest"

	"cardswitch/conformance/envelope"
)

// A connection on which the peer says a higher term ends those of lower ones, over all links to the
// same peer; what comes over them is not received, and a peer of the old term is refused.
func TestOldTermsEndEverywhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		terms := new(envelope.Terms)
		links := []*Envelope{covered(), covered()}
		links[1].Link = "SHOP-2"
		for _, e := range links {
			e.Terms = terms
		}
		connect := func(e *Envelope, term uint64) (peer, us *end) {
			a, b := net.Pipe()
			p := &Envelope{Link: e.Link, Keys: e.Keys, Term: term}
			if err := p.Complete(); err != nil {
				t.Fatal(err)
			}
			peer, us = open(t, a, Options{Envelope: p, Dialed: true}), open(t, b, Options{Envelope: e})
			synctest.Wait()
			return peer, us
		}
		old, toOld := connect(links[0], 5)
		old.say(t, 1)
		synctest.Wait()
		next, toNext := connect(links[1], 6)
		for _, e := range []*end{old, toOld} {
			select {
			case <-e.Done():
			default:
				t.Error("a connection of the old term stands")
			}
		}
		next.say(t, 2)
		back, toBack := connect(links[0], 5)
		<-back.Done()
		<-toBack.Done()
		synctest.Wait()
		if !slices.Equal(toOld.got, []string{"000001"}) || !slices.Equal(toNext.got, []string{"000002"}) {
			t.Errorf("received %q and %q", toOld.got, toNext.got)
		}
		if err := toBack.refused.Load(); err == nil {
			t.Error("a node of the old term is not refused")
		}
		want := envelope.TermCounts{Highest: 6, Messages: 2, Refused: 1, Ended: 1}
		if c := terms.Counts(); c != want {
			t.Errorf("%+v, not %+v", c, want)
		}
		next.Close()
		<-toNext.Done()
	})
}
