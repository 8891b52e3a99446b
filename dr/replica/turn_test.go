package replica

import (
	"testing"
	"testing/synctest"
	"time"
)

// disconnect tells all but one node that its connections have ended.
func (h *hub) disconnect(from *hubNode) {
	for id := uint64(1); id <= 3; id++ {
		if r := h.at(id); r != nil && id != from.id {
			r.Disconnected(from.id)
		}
	}
}

// other is any node but one.
func (h *hub) other(than *hubNode) *hubNode {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, n := range h.nodes {
		if n != than {
			return n
		}
	}
	return nil
}

// TestAnEndedConnectionDeposesNobody: a leader whose connections end again and again, and that is
// heard all the same, goes on, and its lease never ends.
func TestAnEndedConnectionDeposesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := begin(t, Config{Members: three()})
		lead := h.leader()
		term := lead.Status().Term
		for range 40 {
			time.Sleep(10 * time.Millisecond)
			h.disconnect(lead)
			for _, n := range h.nodes {
				lead.Disconnected(n.id)
			}
			if !lead.Lease().Valid() {
				t.Error("its lease ended")
				break
			}
		}
		if s := lead.Status(); s.Term != term || s.Leader != lead.id {
			t.Errorf("term %d of node %d, not %d", s.Term, s.Leader, term)
		}
		h.finish(t)
	})
}

// TestWhoEndsIsReplacedSoon: a leader whose process ends is replaced as soon as no promise to it
// lasts, before it has been silent for the time of an election.
func TestWhoEndsIsReplacedSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := Config{Members: three()}
		h := begin(t, c)
		for range 2 {
			old := h.leader()
			time.Sleep(300 * time.Millisecond)
			old.store.Yield() // so that both others have the same
			time.Sleep(100 * time.Millisecond)
			for h.other(old).Status().Heard > 2*time.Millisecond {
				time.Sleep(time.Millisecond)
			}
			old.end(t)
			h.disconnect(old)
			began := time.Now()
			for h.valid() == nil && time.Since(began) < time.Second {
				time.Sleep(time.Millisecond)
			}
			if took := time.Since(began); took >= 240*time.Millisecond {
				t.Errorf("it took %s", took)
			}
			h.start(t, old, Config{})
		}
		h.finish(t)
	})
}
