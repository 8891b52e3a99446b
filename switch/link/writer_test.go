package link

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestQueueWaitsForFlushAndLeavesInOneWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, &tape{}, merchant("m", nil))
		c := h.call(t)
		l := h.last(t)
		want := numbered(1000)
		for i, m := range want {
			if !l.Queue(uint64(i), []byte(m), Prefix{}) {
				t.Fatal("not queued")
			}
		}
		synctest.Wait()
		if got := l.status(); got.Counters.FramesOut != 0 || got.Queued != 1000*16 {
			t.Errorf("before the flush: %+v", got)
		}
		l.Flush()
		if diff := cmp.Diff(want, read(t, c)); diff != "" {
			t.Error(diff)
		}
		if got := l.status(); got.Counters.FramesOut != 1000 || got.Counters.BytesOut != 16000 ||
			got.Queued != 0 {
			t.Errorf("after the flush: %+v", got)
		}
	})
}

func TestTPDUsAreTurnedAroundInAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &tape{}
		r.received = func(l *Link, in []Inbound) {
			l.Queue(1, []byte("answer"), in[0].Prefix)
			l.Queue(2, []byte("request"), Prefix{})
			l.Flush()
		}
		h := build(t, r, merchant("m", func(m *CenterConfig) {
			m.Links[0].Framing = Framing{Length: "binary2", TPDU: true, Header: "6000aa00bb"}
		}))
		c := h.call(t)
		write(t, c, frame("\x60\x12\x34\x56\x78hello"))
		want := []string{"\x60\x56\x78\x12\x34answer", "\x60\x00\xaa\x00\xbbrequest"}
		if diff := cmp.Diff(want, read(t, c)); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]string{"hello"}, h.messages()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestTheQueueIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, &tape{}, merchant("m", func(m *CenterConfig) {
			m.Links[0].QueueBytes = 10_000
		}))
		h.call(t) // and it reads nothing
		l := h.last(t)
		message := []byte(strings.Repeat("q", 98))
		queued := 0
		for range 5000 {
			if l.Queue(1, message, Prefix{}) {
				queued++
			}
			l.Flush()
			synctest.Wait()
		}
		// What the peer's socket took, and what waits.
		if want := 1<<16/100 + 100; queued < want-1 || queued > want+1 {
			t.Errorf("%d were queued, want about %d", queued, want)
		}
		if h.Center("m").Best() != nil {
			t.Error("a link with a full queue is the best one")
		}
		if got := l.status().Counters.QueueFull; got != uint64(5000-queued) {
			t.Errorf("%d refusals are counted, %d happened", got, 5000-queued)
		}
	})
}

// What the writer has taken and can't write counts as well.
func TestWhatIsLeavingCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, &tape{}, merchant("m", func(m *CenterConfig) { m.Links[0].QueueBytes = 80_000 }))
		h.call(t)
		l := h.last(t)
		queue := func() (n int) {
			for l.Queue(1, make([]byte, 998), Prefix{}) {
				n++
			}
			l.Flush()
			synctest.Wait()
			return n
		}
		if a, b := queue(), queue(); a != 80 || b != 0 {
			t.Errorf("%d, then %d more were queued", a, b)
		}
	})
}

func TestWhatNeverFitsIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, &tape{}, merchant("m", func(m *CenterConfig) { m.Links[0].MaxFrame = 100 }))
		h.call(t)
		l := h.last(t)
		if l.Queue(1, make([]byte, 101), Prefix{}) || l.Queue(1, nil, Prefix{}) {
			t.Error("queued a frame that is too long or empty")
		}
		if !l.Queue(1, make([]byte, 100), Prefix{}) {
			t.Error("refused a frame of the largest size")
		}
	})
}

func TestAPeerThatTakesNothingIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, &tape{}, merchant("m", nil))
		c := h.call(t)
		l := h.last(t)
		for i := range 1000 {
			l.Queue(uint64(i), make([]byte, 1000), Prefix{})
		}
		l.Flush()
		time.Sleep(9 * time.Second)
		synctest.Wait()
		h.ended(t)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		h.ended(t, WriteStall)
		if len(h.tags) < 900 || h.tags[len(h.tags)-1] != 999 {
			t.Errorf("%d frames came back", len(h.tags))
		}
		c.Cut()
	})
}

func TestAPeerThatTakesLittleStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, &tape{}, merchant("m", nil))
		c := h.call(t)
		l := h.last(t)
		for i := range 4000 {
			l.Queue(uint64(i), make([]byte, 1000), Prefix{})
		}
		l.Flush()
		// 4 MB at 50 kB/s: longer than any time-out for the whole.
		buf := make([]byte, 50_000)
		for range 60 {
			time.Sleep(time.Second)
			c.Read(buf)
			synctest.Wait()
		}
		h.ended(t)
	})
}

func TestCloseWritesWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, &tape{}, merchant("m", nil))
		c := h.call(t)
		l := h.last(t)
		l.Queue(1, []byte("last answer"), Prefix{})
		l.Close(errors.New("the operator's wish"))
		if l.Queue(2, []byte("too late"), Prefix{}) {
			t.Error("queued after the close")
		}
		// What the peer sends meanwhile is not taken, and doesn't spoil what it still reads.
		write(t, c, frame("one more"))
		if diff := cmp.Diff([]string{"last answer"}, read(t, c)); diff != "" {
			t.Error(diff)
		}
		if got := h.messages(); len(got) != 0 {
			t.Errorf("%q was taken after the close", got)
		}
		c.Close()
		synctest.Wait()
		h.ended(t, Closed)
		if h.causes[0].Error() != "the operator's wish" || len(h.unsent) != 0 {
			t.Errorf("cause %v, unsent %q", h.causes[0], h.unsent)
		}
	})
}

func TestCloseDoesNotWaitForThePeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, &tape{}, merchant("m", nil))
		h.call(t)
		h.last(t).Close(Closed)
		time.Sleep(linger + time.Second)
		synctest.Wait()
		h.ended(t, Closed)
	})
}

func TestQueueAndWriterDoNotAllocate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, &tape{}, merchant("m", nil))
		h.call(t)
		l := h.last(t)
		message := make([]byte, 400)
		fill := func() {
			l.outbox.taken.reset()
			l.outbox.taken, l.outbox.waiting = l.outbox.waiting, l.outbox.taken
			for i := range 50 {
				l.Queue(uint64(i), message, Prefix{})
			}
		}
		fill()
		fill()
		if n := testing.AllocsPerRun(100, fill); n != 0 {
			t.Errorf("%v allocations for 50 frames", n)
		}
	})
}

func TestReaderDoesNotAllocate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &tape{}
		h := build(t, r, merchant("m", nil))
		h.call(t)
		l := h.last(t)
		s := newStream(nil, &l.line.framing)
		for range 60 {
			s.end += copy(s.buf[s.end:], frame(strings.Repeat("x", 400)))
		}
		end := s.end
		l.stream = s // of nobody's connection: the link's own reader has the other
		gather := func() {
			s.start, s.end = 0, end
			if fault := l.gather(); fault != 0 || len(l.batch) != 60 {
				t.Fatal(fault, len(l.batch))
			}
		}
		gather()
		if n := testing.AllocsPerRun(100, gather); n != 0 {
			t.Errorf("%v allocations for 60 frames", n)
		}
	})
}
