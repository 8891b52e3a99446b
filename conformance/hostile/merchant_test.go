package hostile

import (
	"bytes"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"

	"cardswitch/conformance/format"
	"cardswitch/conformance/ground"
	"cardswitch/store/journal"
)

const badID = "20000000002"

// call connects as the bad merchant.
func (y *yard) call(t *testing.T) *ground.Peer {
	t.Helper()
	p, err := y.ground.Call("bad.test:1", "ascii-binary")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func (y *yard) signedOn(t *testing.T) *ground.Peer {
	t.Helper()
	p := y.call(t)
	if err := p.SignOn(badID); err != nil {
		t.Fatal(err)
	}
	return p
}

func frame(t *testing.T, p *ground.Peer, m *format.Message) []byte {
	t.Helper()
	b, err := p.Frame(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// put writes bytes; that the switch has hung up meanwhile is no fault of the test.
func put(p *ground.Peer, b []byte) {
	_ = p.SetWriteDeadline(time.Now().Add(3 * time.Second))
	_, _ = p.Write(b)
}

// merchantCases are what a merchant's side may do to us.
func merchantCases(y *yard) map[string]func(*testing.T) {
	return map[string]func(*testing.T){
		"half a frame, then silence": func(t *testing.T) {
			p := y.signedOn(t)
			b := frame(t, p, sale(1, cards()[0], badID))
			put(p, b[:len(b)/2])
			y.ended(t, "bad", "silence", "echo missed")
		},
		"half a frame, then gone": func(t *testing.T) {
			p := y.signedOn(t)
			put(p, frame(t, p, sale(1, cards()[0], badID))[:40])
			p.Close()
			y.ended(t, "bad", "peer closed")
		},
		"one byte at a time":       y.oneByte,
		"silent from the start":    y.silent,
		"more connections":         y.connectionFlood,
		"frames without a sign-on": y.frameFlood,
		"a length of zero": func(t *testing.T) {
			put(y.signedOn(t), []byte{0, 0})
			y.ended(t, "bad", "empty frame")
		},
		"a length over the bound": func(t *testing.T) {
			put(y.signedOn(t), []byte{0xff, 0xff, '1', '2'})
			y.ended(t, "bad", "frame too long")
		},
		"wrong lengths": func(t *testing.T) {
			p := y.signedOn(t)
			b := frame(t, p, sale(1, cards()[0], badID))
			b[1]-- // the last byte of the message becomes the first of the next length
			put(p, bytes.Repeat(b, 20))
			y.ended(t, "bad", "frame too long", "empty frame", "silence", "echo missed")
			if y.line("bad").Counters.Faulty == 0 {
				t.Error("no message is counted as faulty")
			}
		},
		"garbage": y.garbage,
		"messages of 1987": func(t *testing.T) {
			p := y.signedOn(t)
			b := frame(t, p, sale(1, cards()[0], badID))
			copy(b[2:], "0200")
			put(p, b)
			eventually(t, "the message is counted", func() bool {
				return y.line("bad").Counters.Faulty == 1
			})
			if a, err := p.Ask(sale(2, cards()[0], badID), patience); err != nil ||
				a.Get(39) != "000" {
				t.Errorf("the next message: %v, %v", a, err)
			}
		},
		"answers to nothing": func(t *testing.T) { y.unasked(t, y.signedOn(t), "bad", badID) },
		"answers never read": y.neverReads,
		"another's acquirer id": func(t *testing.T) {
			a, err := y.signedOn(t).Ask(sale(1, cards()[0], goodID), patience)
			if err != nil || a.Get(39) != "905" {
				t.Errorf("%v, %v; want 905", a, err)
			}
			if n := y.metric(t, "cardswitch_outcomes_total", "bad", "refused"); n == 0 {
				t.Error("the refusal isn't counted")
			}
		},
		"the good merchant's trace numbers": y.sameStans,
	}
}

func (y *yard) oneByte(t *testing.T) {
	p := y.signedOn(t)
	for _, c := range frame(t, p, sale(1, cards()[0], badID)) {
		put(p, []byte{c})
	}
	a, err := p.Next(patience)
	if err != nil || a.MTI != "1210" || a.Get(39) != "000" {
		t.Errorf("answered %v, %v", a, err)
	}
	if n := y.line("bad").Counters.FramesIn; n != 2 {
		t.Errorf("%d frames counted, want 2", n)
	}
}

func (y *yard) silent(t *testing.T) {
	for range 8 {
		y.call(t)
	}
	eventually(t, "all eight are ended", func() bool {
		n := y.line("bad").Counters.Ended
		return n["silence"]+n["echo missed"] == 8
	})
}

// connectionFlood opens many more connections than the link allows.
func (y *yard) connectionFlood(t *testing.T) {
	const tried = 300
	for range tried {
		y.call(t)
		if n := len(y.line("bad").Links); n > 8 {
			t.Fatalf("%d connections stand, 8 are allowed", n)
		}
	}
	eventually(t, "the rest is refused and counted", func() bool {
		n := y.line("bad").Counters.Ended
		refused := n["too many connections"] + y.refused("bad")["too many connections"]
		stood := n["silence"] + n["echo missed"] // and left their places to others
		return refused > 0 && refused+stood >= tried-8-8
	})
}

// frameFlood sends sales as fast as the socket takes them, without ever having signed on.
func (y *yard) frameFlood(t *testing.T) {
	const sent = 4_000
	p := y.call(t)
	go func() {
		var all []byte
		for stan := range sent {
			b, err := p.Frame(sale(stan, cards()[0], badID))
			if err != nil {
				panic(err)
			}
			if all = append(all, b...); len(all) > 64<<10 {
				put(p, all)
				all = all[:0]
			}
		}
		put(p, all)
	}()
	for n := range sent {
		a, err := p.Next(patience)
		if err != nil {
			t.Fatalf("after %d answers: %v", n, err)
		}
		if a.Get(39) != "910" {
			t.Fatalf("answered %s, want 910", a.Get(39))
		}
	}
	if n := y.metric(t, "cardswitch_outcomes_total", "bad", "refused"); n < sent {
		t.Errorf("%v refusals counted, want %d", n, sent)
	}
}

// garbage sends noise in frames that are whole, and noise without any.
func (y *yard) garbage(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	p := y.signedOn(t)
	var all []byte
	for range 500 {
		b := make([]byte, 1+r.IntN(300))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		all = append(all, ground.Framed(b)...)
	}
	put(p, append(all, ground.Framed([]byte("1200"+cards()[0]))...))
	eventually(t, "all of it is counted", func() bool {
		return y.line("bad").Counters.Faulty == 501
	})
	q := y.signedOn(t)
	put(q, bytes.Repeat([]byte{0xfe, 0xdc, 0xba}, 10_000))
	y.ended(t, "bad", "frame too long")
}

// unasked sends answers to nothing; they are counted, and few of them are journaled.
func (y *yard) unasked(t *testing.T, p *ground.Peer, center, acquirer string) {
	const sent = 10_000
	before, began := y.Status().Journal.LastSeq, time.Now()
	counted := y.metric(t, "cardswitch_events_total", center, "unasked")
	some := make([]byte, 0, 16<<10)
	for stan := range 50 {
		m := format.Answer(sale(stan, cards()[0], acquirer), "000").Set(38, "123456")
		some = append(some, frame(t, p, m)...)
	}
	for range sent / 50 {
		put(p, some)
	}
	eventually(t, "all of them are counted", func() bool {
		return y.metric(t, "cardswitch_events_total", center, "unasked") == counted+sent
	})
	written := 0
	eventually(t, "some of them are durable", func() bool { // counted first, committed after
		written = 0
		err := y.Journal().Replay(before+1, func(r *journal.Record) error {
			if r.Kind == journal.Late {
				written++
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return written > 0
	})
	if most := 20 * int(time.Since(began)/time.Second+2); written > most {
		t.Errorf("%d records for a flood of answers to nothing, want 1 to %d", written, most)
	}
}

// neverReads asks and asks, and reads no answer: the window, its queue and its sockets are full
// some time, and then the link is ended.
func (y *yard) neverReads(t *testing.T) {
	p := y.signedOn(t)
	if err := p.Conn.(*net.TCPConn).SetReadBuffer(4 << 10); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for stan := 0; ; stan++ {
			b, err := p.Frame(sale(stan%1000000, cards()[0], goodID)) // refused: the cheapest
			if err != nil {
				panic(err)
			}
			_ = p.SetWriteDeadline(time.Now().Add(patience)) // it is read at the switch's pace
			if _, err := p.Write(bytes.Repeat(b, 50)); err != nil {
				return
			}
		}
	}()
	most := 0
	eventually(t, "the link is ended", func() bool {
		n := y.line("bad")
		for _, l := range n.Links {
			most = max(most, l.Queued)
		}
		return n.Counters.Ended["write stall"] > 0
	})
	if most > 1<<20 {
		t.Errorf("%d bytes wait to be written, 1 MB is the bound", most)
	}
	p.Close()
	<-done
}

// sameStans uses the trace numbers, the seconds and the references of the good merchant: each of
// the two is still answered for itself.
func (y *yard) sameStans(t *testing.T) {
	other := merchant("bad2", "30000000003")
	y.configure(t, merchant("bad", badID), other)
	p := y.signedOn(t)
	q, err := y.ground.Call("bad2.test:1", "ascii-binary")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { q.Close() })
	if err := q.SignOn("30000000003"); err != nil {
		t.Fatal(err)
	}
	for stan := range 200 {
		one, two := sale(stan, cards()[0], badID), sale(stan, cards()[0], "30000000003")
		two.Set(4, "000000009900").Set(12, one.Get(12)).Set(37, one.Get(37))
		if err := p.Send(one); err != nil {
			t.Fatal(err)
		}
		if err := q.Send(two); err != nil {
			t.Fatal(err)
		}
		for peer, m := range map[*ground.Peer]*format.Message{p: one, q: two} {
			a, err := peer.Next(patience)
			if err != nil {
				t.Fatal(err)
			}
			got := strings.Join([]string{a.MTI, a.Get(4), a.Get(11), a.Get(32), a.Get(39)}, " ")
			want := strings.Join([]string{"1210", m.Get(4), m.Get(11), m.Get(32), "000"}, " ")
			if got != want {
				t.Fatalf("answered %s, want %s", got, want)
			}
		}
	}
}

// strangers are peers that may not even connect.
func strangers(y *yard) map[string]func(*testing.T) {
	return map[string]func(*testing.T){
		"outside the allow-list": func(t *testing.T) {
			c := merchant("bad", badID)
			c.Links[0].From = []string{"192.0.2.0/24"}
			y.configure(t, c)
			for range 50 {
				if _, err := y.call(t).Next(patience); err == nil {
					t.Fatal("a stranger is spoken to")
				}
			}
			if n := y.refused("bad")["source not allowed"]; n != 50 {
				t.Errorf("%d refused, want 50", n)
			}
			if !strings.Contains(y.log.take(), "source not allowed") {
				t.Error("the log doesn't say so")
			}
		},
		"without the right certificate": y.wrongCertificates,
	}
}
