package wire

import (
	"testing"
	"testing/synctest"
	"time"
)

// An entry may be larger than all that waits may be together. It must arrive all the same, for raft
// has nothing else to send until it does.
func TestALargeMessageArrives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newTown(t)
		came := 0
		a := o.node(1, nil)
		o.node(2, func(c *Config) { c.Receive = func(_ uint64, m []byte) { came += len(m) } })
		time.Sleep(time.Second)
		for _, size := range []int{queueBytes + 1, MaxMessage} {
			came = 0
			taken := a.Send(2, make([]byte, size))
			synctest.Wait()
			if !taken || came != size {
				t.Errorf("%d bytes were sent: %t, %d came", size, taken, came)
			}
		}
		if a.Send(2, make([]byte, MaxMessage+1)) {
			t.Error("more than any node takes is sent")
		}
	})
}

// Who stands between two nodes can lead a connection of one group to another one, as the groups
// share the certificate and the name goes ahead in clear. Nothing comes of it.
func TestAGroupHearsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newTown(t)
		a := o.node(1, func(c *Config) { c.Group = "east" })
		b := o.node(2, func(c *Config) { c.Group = "west" })
		c := o.node(3, func(c *Config) { c.Group = "east" })
		time.Sleep(time.Second)
		if a.Send(2, []byte("of the east")) || len(b.got()) > 0 {
			t.Error("west hears what east says")
		}
		if !a.Send(3, []byte("of the east")) || len(c.got()) != 1 {
			t.Error("east doesn't hear itself")
		}
	})
}
