package link

import (
	"testing"
	"time"
)

// A line that came back is not preferred for a while; one that an operator resumed is, at once.
func TestResumedLineIsPreferred(t *testing.T) {
	f := &Failover{Hold: 30 * time.Second}
	for _, resumed := range []bool{false, true} {
		h := health{}
		h.saw(true, true, time.Second, f)
		h.saw(false, true, time.Minute, f)
		back := 2 * time.Minute
		if resumed {
			h.forgive(back)
		}
		h.saw(true, true, back+time.Second, f)
		if held := h.heldUntil > back; held == resumed {
			t.Errorf("resumed %v: held until %v", resumed, h.heldUntil)
		}
	}
}
