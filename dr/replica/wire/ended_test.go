package wire

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// Whoever listens is told of each connection with a node that ends: there is one each way.
func TestAnEndIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newTown(t)
		var ended atomic.Int32
		o.node(1, func(c *Config) {
			c.Ended = func(node uint64) { ended.Add(int32(node)) }
		})
		o.node(2, nil)
		time.Sleep(time.Minute)
		if n := ended.Load(); n != 0 {
			t.Errorf("%d told of connections that stand", n)
		}
		o.m.cut()
		synctest.Wait()
		if n := ended.Load(); n != 2+2 {
			t.Errorf("%d told, not twice node 2", n)
		}
	})
}
