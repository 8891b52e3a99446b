package link

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"cardswitch/hsm/envelope"
)

// cluster is what a center says that heeds terms; 0: it is none itself.
func cluster(term uint64) envelope.Policy {
	return envelope.Policy{Terms: new(envelope.Terms), Term: term}
}

// Whoever dials, a center that heeds terms hears ours, and one of an older version is served as
// ever.
func TestTheCenterHearsOurTerm(t *testing.T) {
	for name, c := range map[string]struct {
		center envelope.Policy
		ours   uint64
		text   string
	}{
		"heeds terms":   {cluster(0), 7, ", our term 7"},
		"is a cluster":  {cluster(3), 7, ", our term 7, its term 3"},
		"older version": {envelope.Policy{}, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := &tape{term: 7}
				h := build(t, r, merchant("m", enveloped(envelope.Policy{})),
					issuer("i", enveloped(envelope.Policy{})))
				bank := h.host(t, bank)
				time.Sleep(time.Second)
				synctest.Wait()
				accepts := shakenHands(t, bank.last(t), envelope.NewAcceptor(
					func(_ string, g uint16) (envelope.Key, envelope.Policy, bool) {
						return keyOf(g), c.center, true
					}))
				dials := h.callSealed(t, "m/a", 1, c.center)
				// An acceptor can be told a term that it doesn't heed; it is the switch that says it.
				if got := dials.session.Term(); got != c.ours {
					t.Errorf("who dials hears term %d", got)
				}
				if got := accepts.session.Term(); got != 7 {
					t.Errorf("who is dialled is told term %d", got)
				}
				for _, center := range h.Status().Centers {
					l := center.Lines[0].Links[0]
					if l.OurTerm != c.ours || l.Term != c.center.Term ||
						!strings.HasSuffix(l.Envelope, "in"+c.text) {
						t.Errorf("%s: %+v", center.Name, l)
					}
				}
				for _, peer := range []*far{dials, accepts} {
					write(t, peer, peer.seal(t, "hello"))
				}
				if diff := cmp.Diff([]string{"hello", "hello"}, r.messages()); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

// A center's node of an older term is refused, whichever line it takes, and told nothing of why; a
// connection of a newer one ends those there are.
func TestACentersTerms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &tape{term: 7}
		h := build(t, r, merchant("m", func(m *CenterConfig) {
			m.Links = append(m.Links, m.Links[0])
			m.Links[1].Name, m.Links[1].ID = "b", m.Links[0].ID+1
			m.Links[0].MaxConnections, m.Links[1].MaxConnections = 1, 1
			enveloped(envelope.Policy{})(m)
		}))
		first := h.callSealed(t, "m/a", 1, cluster(5))
		other := h.callSealed(t, "m/b", 1, cluster(5))
		write(t, first, first.seal(t, "in time"))
		late := other.seal(t, "late")
		// The line has one connection at most: that of the old node counts no more.
		newer := h.callSealed(t, "m/a", 1, cluster(6))
		h.ended(t, OldTerm, OldTerm)
		if _, err := other.Write(late); err == nil {
			t.Error("a connection of the older node stands")
		}
		write(t, newer, newer.seal(t, "of the new one"))
		if diff := cmp.Diff([]string{"in time", "of the new one"}, r.messages()); diff != "" {
			t.Fatal(diff)
		}
		back := h.callSealed(t, "m/b", 1, cluster(5)) // its side stands before ours has refused
		if diff := cmp.Diff([]string{envelope.Alerted.Error()}, back.read(t)); diff != "" {
			t.Error(diff)
		}
		ended := h.Status().Centers[0].Lines[1].Counters.Ended[OldTerm.String()]
		if log := h.log.String(); ended != 2 || !strings.Contains(log, "link forget") {
			t.Errorf("%d connections of old terms, %s", ended, log)
		}
		h.Center("m").Lines()[0].Forget()
		again := h.callSealed(t, "m/b", 1, cluster(5))
		write(t, again, again.seal(t, "set up anew"))
		if got := r.messages(); len(got) != 3 {
			t.Errorf("after forgetting: %q", got)
		}
	})
}

// A message that has come, but was not read yet when the newer term was proven, isn't taken.
func TestALateMessageIsNotTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &tape{term: 7}
		var newer *far
		h := build(t, r, merchant("m", func(m *CenterConfig) {
			m.Links[0].MaxConnections = 2
			enveloped(envelope.Policy{})(m)
		}))
		old := h.callSealed(t, "m/a", 1, cluster(5))
		held, let := make(chan bool), make(chan bool)
		r.received = func(*Link, []Inbound) { held <- true; <-let }
		write(t, old, old.seal(t, "first"))
		<-held // its reader is busy with the first, and the second waits behind it
		write(t, old, old.seal(t, "second"))
		r.received = nil
		newer = h.callSealed(t, "m/a", 1, cluster(6))
		close(let)
		write(t, newer, newer.seal(t, "third"))
		if diff := cmp.Diff([]string{"first", "third"}, r.messages()); diff != "" {
			t.Error(diff)
		}
	})
}
