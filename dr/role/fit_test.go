package role_test

import (
	"errors"
	"testing"
	"time"

	"cardswitch/store"
)

// other is the next node that isn't one of these.
func (w *town) other(than ...*node) *node {
	for _, n := range w.nodes {
		is := false
		for _, t := range than {
			is = is || t == n
		}
		if !is {
			return n
		}
	}
	return nil
}

func (n *node) begins() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.begun
}

// within waits until a node serves, and says how long that took.
func (w *town) within(n *node, most time.Duration) {
	w.t.Helper()
	began := time.Now()
	for n.leading() == nil {
		if time.Since(began) > most {
			w.t.Errorf("node %d doesn't serve after %s", n.id, most)
			return
		}
		time.Sleep(time.Millisecond)
	}
}

func (w *town) cutOff(id uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = id
}

// Of two nodes without room neither is asked to serve while the third can, whatever happened first
// and however the leader is lost.
func TestTwoFullDisks(t *testing.T) {
	for _, known := range []time.Duration{0, 50 * time.Millisecond, time.Second} {
		run(t, func(w *town, first *node) {
			second := w.other(first)
			third := w.other(first, second)
			second.disk.full.Store(true)
			time.Sleep(known)
			first.disk.full.Store(true)
			w.within(third, time.Second)
			if known == time.Second && second.begins() > 0 || second.begins() > 1 ||
				first.begins() > 1 {
				t.Errorf("known for %s: the full ones began %d and %d times", known, first.begins(),
					second.begins())
			}
			first.disk.full.Store(false)
			time.Sleep(2 * time.Second)
			if third.leading() == nil || second.begins() > 1 || first.begins() > 1 {
				t.Errorf("known for %s: it doesn't stay so", known)
			}
		})
	}
	run(t, func(w *town, first *node) {
		second := w.other(first)
		second.disk.full.Store(true)
		time.Sleep(time.Second)
		w.cutOff(first.id)
		w.within(w.other(first, second), time.Second)
		if second.begins() > 0 {
			t.Error("a full one was to serve")
		}
		w.cutOff(0)
	})
}

// Where no node has room none is elected again and again, and one serves as soon as it has some.
func TestAllDisksFull(t *testing.T) {
	run(t, func(w *town, first *node) {
		second := w.other(first)
		third := w.other(first, second)
		second.disk.full.Store(true)
		third.disk.full.Store(true)
		time.Sleep(time.Second)
		first.disk.full.Store(true)
		if err := <-first.ended; !errors.Is(err, store.ErrDiskFull) {
			t.Errorf("the first one ended with %v", err)
		}
		first.ended <- nil
		first.port.Pull()
		time.Sleep(5 * time.Second)
		term := third.replica.Status().Term
		time.Sleep(20 * time.Second)
		if now := third.replica.Status().Term; now != term || second.begins()+third.begins() > 2 {
			t.Errorf("terms %d to %d; they began %d and %d times", term, now, second.begins(),
				third.begins())
		}
		third.disk.full.Store(false)
		w.within(third, 2*time.Second)
	})
}

// A node that can't begin, as its keys don't load, has another one lead at once and follows.
func TestWhoCantBeginHandsOn(t *testing.T) {
	run(t, func(w *town, first *node) {
		second := w.other(first)
		second.broken.Store(true)
		if err := first.loop.Transfer(second.id); err != nil {
			t.Fatal(err)
		}
		for began := time.Now(); first.leading() == nil && w.other(first, second).leading() == nil; {
			if time.Since(began) > time.Second {
				t.Error("nobody serves")
				break
			}
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Second)
		serves := w.leader(0)
		if err := serves.loop.Transfer(second.id); err == nil {
			t.Error("it is handed to again")
		}
		w.cutOff(serves.id)
		w.within(w.other(serves, second), time.Second)
		if second.begins() != 1 {
			t.Errorf("it was to begin %d times", second.begins())
		}
		w.cutOff(0)
	})
}
