package link

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestFramesArriveWholeHoweverTheyAreCut(t *testing.T) {
	for _, size := range []int{1, 2, 3, 7, 1000, 1 << 20} {
		synctest.Test(t, func(t *testing.T) {
			h := build(t, &tape{}, merchant("m", nil))
			c := h.call(t)
			want := numbered(200)
			var stream []byte
			for _, m := range want {
				stream = append(stream, frame(m)...)
			}
			for len(stream) > 0 {
				n := min(size, len(stream))
				write(t, c, stream[:n])
				stream = stream[n:]
			}
			if diff := cmp.Diff(want, h.messages()); diff != "" {
				t.Errorf("cut every %d bytes: %s", size, diff)
			}
		})
	}
}

func TestFramesOfTheLargestSize(t *testing.T) {
	for _, inclusive := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			h := build(t, &tape{}, merchant("m", func(m *CenterConfig) {
				m.Links[0].Framing = Framing{Length: "binary4", Inclusive: inclusive}
				m.Links[0].MaxFrame, m.Links[0].QueueBytes = 1_000_000, 4_000_000
			}))
			c := h.call(t)
			want := strings.Repeat("l", 1_000_000)
			l := h.last(t)
			wire := l.line.framing.append(nil, []byte(want), Prefix{})
			wire = append(l.line.framing.append(wire, []byte("small"), Prefix{}), wire...)
			go c.Write(wire)
			synctest.Wait()
			if got := h.messages(); len(got) != 3 || got[0] != want || got[1] != "small" || got[2] != want {
				t.Errorf("%d messages came", len(got))
			}
			if got := len(l.stream.buf); got > 1_000_004 {
				t.Errorf("the buffer has %d bytes", got)
			}
		})
	}
}

func TestWhatLosesTheStreamClosesTheLink(t *testing.T) {
	binary2 := Framing{Length: "binary2"}
	ascii4 := Framing{Length: "ascii4"}
	for _, c := range []struct {
		name    string
		framing Framing
		sent    string
		want    Cause
		got     []string
	}{
		{"too long", binary2, "\x00\x03abc\x20\x01", TooLong, []string{"abc"}},
		{"largest length", binary2, "\xff\xff", TooLong, nil},
		{"negative", Framing{Length: "binary4"}, "\xff\xff\xff\xff", LengthFault, nil},
		{"huge", Framing{Length: "binary4"}, "\x7f\xff\xff\xff", TooLong, nil},
		{"minus sign", ascii4, "-001", LengthFault, nil},
		{"plus sign", ascii4, "+001x", LengthFault, nil},
		{"blank", ascii4, " 001x", LengthFault, nil},
		{"hex digit", ascii4, "00ffx", LengthFault, nil},
		{"good, then garbage", ascii4, "0003abcGET / HTTP/1.1", LengthFault, []string{"abc"}},
		{"less than itself", Framing{Length: "binary2", Inclusive: true}, "\x00\x01", LengthFault, nil},
		{"empty", binary2, "\x00\x00", EmptyFrame, nil},
		{"empty, counting itself", Framing{Length: "ascii4", Inclusive: true}, "0004", EmptyFrame, nil},
		{"shorter than the TPDU", Framing{Length: "binary2", TPDU: true}, "\x00\x04\x60abc",
			ShortFrame, nil},
		{"another header", Framing{Length: "binary2", Header: "49534f"}, "\x00\x05IS8ab",
			WrongHeader, nil},
		{"TLS hello to a plain port", binary2, "\x16\x03\x01\x02\x00\x01\x00", Unknown, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := build(t, &tape{}, merchant("m", func(m *CenterConfig) {
					m.Links[0].Framing = c.framing
				}))
				peer := h.call(t)
				write(t, peer, []byte(c.sent))
				if c.want == Unknown { // it waits for the rest of what looks like a frame
					h.ended(t)
					return
				}
				h.ended(t, c.want)
				if diff := cmp.Diff(c.got, h.messages()); diff != "" {
					t.Error(diff)
				}
				if _, err := peer.Read(make([]byte, 1)); err != io.EOF {
					t.Errorf("the peer sees %v, want the end", err)
				}
				ends := h.Status().Centers[0].Lines[0].Counters.Ended
				if ends[c.want.String()] != 1 {
					t.Errorf("counted as %v", ends)
				}
			})
		})
	}
}

func TestEmptyFramesMayBeAHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, &tape{}, merchant("m", func(m *CenterConfig) {
			m.Links[0].KeepAlive = true
			m.Links[0].ReadTimeout = 80 * time.Second
			m.Echo.After = time.Second
		}))
		c := h.call(t)
		for range 10 {
			time.Sleep(60 * time.Second)
			write(t, c, []byte{0, 0})
		}
		write(t, c, append([]byte{0, 0}, frame("hello")...))
		h.ended(t)
		if diff := cmp.Diff([]string{"hello"}, h.messages()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestSilenceEndsALink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, &tape{}, merchant("m", func(m *CenterConfig) {
			m.Links[0].ReadTimeout = 80 * time.Second
		}))
		c := h.call(t)
		time.Sleep(9 * time.Second)
		write(t, c, frame("x"))
		for range 20 { // it speaks now and then: it stays
			time.Sleep(79 * time.Second)
			write(t, c, frame("x"))
		}
		write(t, c, []byte{0}) // half a frame is no excuse
		time.Sleep(79 * time.Second)
		synctest.Wait()
		h.ended(t)
		time.Sleep(12 * time.Second)
		synctest.Wait()
		h.ended(t, Silence)
	})
}

func TestAHalfFrameAtTheEndIsNoMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, &tape{}, merchant("m", nil))
		c := h.call(t)
		write(t, c, append(frame("whole"), frame("half")[:4]...))
		c.Close()
		synctest.Wait()
		h.ended(t, PeerClosed)
		if diff := cmp.Diff([]string{"whole"}, h.messages()); diff != "" {
			t.Error(diff)
		}
	})
}

// A flood stops at the handler: the peer feels it, memory doesn't, and other links go on.
func TestAFloodIsFeltByItsSenderOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		var flooder *Link
		r := &tape{}
		r.received = func(l *Link, _ []Inbound) {
			if l == flooder {
				<-gate
			}
		}
		h := build(t, r, merchant("m", nil))
		bad := h.call(t)
		flooder = h.last(t)
		good := h.call(t)

		sent := 0
		bad.SetWriteDeadline(time.Now().Add(time.Minute))
		message := frame(strings.Repeat("f", 100))
		for {
			n, err := bad.Write(message)
			sent += n
			if err != nil {
				break
			}
		}
		// The socket's buffer, the link's, and nothing else.
		if limit := 1<<16 + maxReadBuffer; sent > limit {
			t.Errorf("%d bytes were taken, want at most %d", sent, limit)
		}
		write(t, good, frame("and me?"))
		if got := h.messages(); got[len(got)-1] != "and me?" {
			t.Errorf("the other link waits: %q", got[len(got)-1])
		}
		close(gate)
		synctest.Wait()
		h.ended(t)
	})
}

func TestABatchIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, &tape{}, merchant("m", nil))
		c := h.call(t)
		write(t, c, bytes.Repeat(frame("x"), 3*maxBatch+1))
		if got := len(h.messages()); got != 3*maxBatch+1 {
			t.Errorf("%d messages came", got)
		}
		for _, n := range h.batch {
			if n > maxBatch || n == 0 {
				t.Errorf("a batch of %d", n)
			}
		}
	})
}

func TestAPanicEndsItsOwnLinkOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const secret = "4111111111111111"
		r := &tape{}
		r.received = func(_ *Link, in []Inbound) {
			if strings.HasPrefix(string(in[0].Frame), "bad") {
				panic(string(in[0].Frame))
			}
		}
		h := build(t, r, merchant("m", nil))
		bad, good := h.call(t), h.call(t)
		write(t, bad, frame("bad "+secret))
		h.ended(t, Panicked)
		write(t, good, frame("good"))
		if got := h.messages(); got[len(got)-1] != "good" {
			t.Errorf("the other link is gone: %q", got)
		}
		log := h.log.String()
		if !strings.Contains(log, "panic") || !strings.Contains(log, "TestAPanicEndsItsOwnLinkOnly") {
			t.Errorf("the log doesn't say where: %s", log)
		}
		if strings.Contains(log, secret) {
			t.Errorf("the log shows data: %s", log)
		}
	})
}

func TestAPanicInUpOrDownIsConfinedToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &tape{up: func(*Link) { panic(1) }}
		h := build(t, r, merchant("m", nil))
		h.call(t)
		h.ended(t, Panicked)
		r.up = nil
		c := h.call(t)
		write(t, c, frame("x"))
		if got := len(h.messages()); got != 1 {
			t.Errorf("%d messages on the next connection", got)
		}
	})
}
