package wire

import (
	"testing"
	"testing/synctest"
	"time"
)

// A node whose journal was brought back from a backup, and that nobody has agreed to, stops nobody
// and isn't stopped, whoever dials; it learns who lives, and of which generation.
func TestWhatWasBroughtBackStopsNobody(t *testing.T) {
	for name, dials := range map[string]uint64{"it dials": 2, "it is dialled": 1} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newTown(t)
				one := func(id uint64) func(*Config) {
					return func(c *Config) {
						c.Generation = 7
						if id == 2 {
							c.Generation = 0
						}
						if id != dials {
							c.Peers = []Peer{{3 - id, "nowhere"}}
						}
					}
				}
				lives, back := o.node(1, one(1)), o.node(2, one(2))
				time.Sleep(time.Minute)
				for _, n := range []*node{lives, back} {
					n.mu.Lock()
					if n.left != 0 {
						t.Errorf("a node was told to stop, as there is generation %d", n.left)
					}
					n.mu.Unlock()
				}
				if lives.Send(2, []byte("in")) || back.Send(1, []byte("out")) {
					t.Error("connected")
				}
				s := back.Status()[0]
				if back.Highest() != 7 || s.Node != 1 || time.Since(s.Heard) > 2*redialMax || s.Connected {
					t.Errorf("it knows generation %d, %+v", back.Highest(), s)
				}
			})
		})
	}
}

// Programs from before know nothing of such nodes: what one says mustn't stop them either.
func TestWhatWasBroughtBackSaysNothingThatStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told := false
		w := &Wire{config: Config{Cluster: cluster, Node: 1, Superseded: func(uint64) { told = true }}}
		h := hello{Newest: newestVersion, For: forMessages, Generation: 5, From: 2, To: 1,
			Cluster: cluster, Request: []byte{2}}
		for _, generation := range []uint64{0, 1, 5} {
			h.Generation = generation
			v := w.judge(&h, 2)
			if v.Code == accepted || v.Code == oldGeneration || v.Generation != 0 {
				t.Errorf("generation %d is told %+v", generation, v)
			}
		}
		w.superseded(5) // as they say to its generation of 0
		if synctest.Wait(); told {
			t.Error("it stopped")
		}
	})
}
