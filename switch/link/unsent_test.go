package link

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestWhatWaitsBehindAStalledWriteIsUnsent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, &tape{}, merchant("m", nil))
		c := h.call(t) // reads nothing: 65 frames fit its buffer, and half a one
		l := h.last(t)
		var want []uint64
		for i := range uint64(130) {
			l.Queue(i, make([]byte, 998), Prefix{})
			if i >= 66 {
				want = append(want, i)
			}
			if i == 99 {
				l.Flush()
				synctest.Wait()
			}
		}
		c.Cut()
		synctest.Wait()
		if diff := cmp.Diff(want, h.tags); diff != "" {
			t.Error(diff)
		}
	})
}

// Whatever is queued, and wherever the connection breaks: a frame of which a byte left is not given
// back, every other one is, in order.
func TestUnsentIsExact(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		sizes := rapid.SliceOfN(rapid.IntRange(1, 3000), 1, 200).Draw(rt, "sizes")
		total := 0
		for _, n := range sizes {
			total += n + 2
		}
		cut := rapid.IntRange(0, total).Draw(rt, "cut")
		flushes := rapid.IntRange(1, 20).Draw(rt, "flushes")
		reads := rapid.SampledFrom([]int{0, 0, 1, 100, 1 << 12, 1 << 20}).Draw(rt, "reads of")
		synctest.Test(t, func(t *testing.T) {
			checkUnsent(t, sizes, cut, flushes, reads)
		})
	})
}

func checkUnsent(t *testing.T, sizes []int, cut, flushes, reads int) {
	h := build(t, &tape{}, issuer("i", nil))
	bank := h.host(t, bank)
	time.Sleep(time.Second) // the first dial found nobody
	synctest.Wait()
	l, peer := h.last(t), bank.last(t)
	if reads == 0 { // then only what the buffer holds leaves, until the end
		cut = min(cut, 1<<16)
	}
	go func() {
		buf := make([]byte, reads)
		for reads > 0 {
			if _, err := peer.Read(buf); err != nil {
				return
			}
		}
	}()
	l.socket.Conn.(interface{ CutAfter(int) }).CutAfter(cut)
	var wholly []int
	offset := 0
	for i, n := range sizes {
		if l.Queue(uint64(i), fmt.Appendf(nil, "%0*d", n, i%10), Prefix{}) {
			if offset >= cut {
				wholly = append(wholly, i)
			}
			offset += n + 2
		}
		if i%flushes == 0 {
			l.Flush()
			synctest.Wait()
		}
	}
	l.Flush()
	synctest.Wait()
	if offset <= cut {
		h.ended(t) // nothing is lost yet
	}
	peer.Cut()
	synctest.Wait()
	var tags []int
	for i, tag := range h.tags {
		tags = append(tags, int(tag))
		if want := fmt.Sprintf("%0*d", sizes[tag], tag%10); h.unsent[i] != want {
			t.Fatalf("frame %d came back as %q", tag, h.unsent[i])
		}
	}
	if diff := cmp.Diff(wholly, tags); diff != "" {
		t.Fatalf("unsent after %d of %d bytes: %s", cut, offset, diff)
	}
	if l.State() != Down || len(h.causes) != 1 {
		t.Fatalf("the link is %v after %v", l.State(), h.causes)
	}
}
