package link

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestStatusCountsOverAllConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, &tape{}, merchant("m", nil), issuer("i", nil))
		for range 3 {
			c := h.call(t)
			write(t, c, append(frame("abc"), frame(message(t, 0x1804, map[int]string{11: "000001",
				12: "261122120000", 24: "801"}))...))
			h.last(t).Queue(1, []byte("answer"), Prefix{})
			h.last(t).Flush()
			synctest.Wait()
			c.Close()
			synctest.Wait()
		}
		stay := h.call(t)
		write(t, stay, frame("abc"))
		h.last(t).Acquire()
		s := h.Status()
		line := s.Centers[0].Lines[0]
		want := Counters{FramesIn: 7, FramesOut: 3, BytesIn: 4*5 + 3*(2+4+8+6+12+3), BytesOut: 24,
			Faulty: 4, Connects: 4, Ended: map[string]uint64{ReadFailed.String(): 3}}
		if diff := cmp.Diff(want, line.Counters); diff != "" {
			t.Error(diff)
		}
		if line.State != "signed-on" || !line.Listens || line.Address != shop || len(line.Links) != 1 ||
			s.Centers[0].InFlight != 1 || s.Centers[0].Best != "a" || s.Centers[0].Role != "merchant" {
			t.Errorf("%+v", s.Centers[0])
		}
		link := line.Links[0]
		if link.InFlight != 1 || link.Counters.FramesIn != 1 ||
			!strings.HasPrefix(link.Remote, "10.1.1.1:") {
			t.Errorf("%+v", link)
		}
		time.Sleep(time.Second)
		i := h.Status().Centers[1].Lines[0]
		if i.State != "down" || i.Counters.DialFailures == 0 ||
			!strings.Contains(i.LastError, "refused") {
			t.Errorf("%+v", i)
		}
		if _, err := json.Marshal(h.Status()); err != nil {
			t.Error(err)
		}
	})
}
