package hostile

import (
	"bytes"
	"maps"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"cardswitch/conformance/envelope"
	"cardswitch/conformance/ground"
	cardswitch "cardswitch/switch"
)

// sealedMerchants are what a merchant's side, or somebody on its wire, may do to an envelope.
func sealedMerchants(y *yard) map[string]func(*testing.T) {
	cases := map[string]func(*testing.T){
		"a wrong key":                      y.wrongKey,
		"a generation that we don't have":  y.wrongGeneration,
		"another link's id":                y.wrongLink,
		"a whole session again":            y.replaySession,
		"a hello over the bound":           y.oversizeHello,
		"half-open peers and slow hellos":  y.slowHellos,
		"a flood of hellos":                y.helloFlood,
		"something between, at the hellos": y.betweenMerchant,
		"clear messages":                   y.clearMerchant,
	}
	frames := strayFrames(y)
	maps.Copy(frames, brokenFrames(y))
	maps.Copy(frames, earlyFrames(y))
	for what, attack := range frames {
		cases[what] = func(t *testing.T) {
			y.configure(t, badMerchant(cardswitch.EnvelopeConfig{}))
			f := attack(t)
			f.told(t)
			y.refusedEnvelope(t, "bad", 1)
			if n := y.line("bad").Counters.Faulty; n != 0 {
				t.Errorf("%d messages came through", n)
			}
		}
	}
	return cases
}

// seal makes the frame of a sale, and doesn't send it.
func (f *far) seal(t *testing.T, stan int) []byte {
	t.Helper()
	b, err := f.session.Seal(frame(t, f.Peer, sale(stan, cards()[0], badID))[2:])
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// strayFrames are good frames that aren't the next one of their connection.
func strayFrames(y *yard) map[string]func(*testing.T) *far {
	return map[string]func(*testing.T) *far{
		"a gap": func(t *testing.T) *far {
			f := y.covered(t)
			f.seal(t, 1)
			f.put(f.seal(t, 2))
			return f
		},
		"a replay": func(t *testing.T) *far {
			f := y.covered(t)
			f.put(f.said[len(f.said)-1])
			return f
		},
		"a replay over another connection": func(t *testing.T) *far {
			f, g := y.covered(t), y.covered(t)
			g.put(f.seal(t, 1))
			return g
		},
		"our own frames": func(t *testing.T) *far {
			f := y.covered(t)
			f.put(f.heard[len(f.heard)-1])
			return f
		},
		"our own frames turned round": func(t *testing.T) *far {
			f := y.covered(t)
			b := bytes.Clone(f.heard[len(f.heard)-1])
			b[3] ^= 1
			f.put(b)
			return f
		},
		"an epoch too far": func(t *testing.T) *far {
			f := y.covered(t)
			b := f.seal(t, 1)
			b[7] = 2
			f.put(b)
			return f
		},
		"a generation not installed": func(t *testing.T) *far {
			f := y.covered(t)
			if err := f.session.Install(2, secret().Key(badLink, 2)); err != nil {
				t.Fatal(err)
			}
			if err := f.session.Switch(2); err != nil {
				t.Fatal(err)
			}
			f.put(f.seal(t, 1))
			return f
		},
	}
}

// brokenFrames are what no session of the switch's takes for a frame.
func brokenFrames(y *yard) map[string]func(*testing.T) *far {
	return map[string]func(*testing.T) *far{
		"a frame cut short": func(t *testing.T) *far {
			f := y.covered(t)
			b := f.seal(t, 1)
			f.put(b[:len(b)-1])
			return f
		},
		"a frame without a body": func(t *testing.T) *far {
			f := y.covered(t)
			f.put(f.seal(t, 1)[:24])
			return f
		},
		"a header cut short": func(t *testing.T) *far {
			f := y.covered(t)
			f.put(f.seal(t, 1)[:23])
			return f
		},
		"a bit changed": func(t *testing.T) *far {
			f := y.covered(t)
			b := f.seal(t, 1)
			b[40] ^= 1
			f.put(b)
			return f
		},
		"garbage after the handshake": func(t *testing.T) *far {
			f := y.covered(t)
			f.put([]byte("1200 " + cards()[0] + " and garbage that is long enough"))
			return f
		},
		"a second hello": func(t *testing.T) *far {
			f := y.covered(t)
			f.put(f.said[0])
			return f
		},
		"a second finished": func(t *testing.T) *far {
			f := y.covered(t)
			f.put(f.said[1])
			return f
		},
		"a clear alert": func(t *testing.T) *far {
			f := y.covered(t)
			f.put(append([]byte{0xe8, 0x14, 0, 0}, make([]byte, 20)...))
			return f
		},
	}
}

// earlyFrames come where the handshake wants others.
func earlyFrames(y *yard) map[string]func(*testing.T) *far {
	return map[string]func(*testing.T) *far{
		"our own hello-ack": func(t *testing.T) *far {
			f := y.greeted(t, linkOptions(badLink))
			b, err := f.hear()
			if err != nil {
				t.Fatal(err)
			}
			f.put(b)
			return f
		},
		"data before finished": func(t *testing.T) *far {
			f := y.greeted(t, linkOptions(badLink))
			for range 2 {
				b, err := f.hear()
				if err != nil {
					t.Fatal(err)
				}
				if _, err := f.session.Receive(b); err != nil { // its finished stays here
					t.Fatal(err)
				}
			}
			f.put(f.seal(t, 1))
			return f
		},
		"garbage for finished": func(t *testing.T) *far {
			f := y.greeted(t, linkOptions(badLink))
			f.put(bytes.Repeat([]byte{0xe8}, 72))
			return f
		},
	}
}

func (y *yard) wrongKey(t *testing.T) {
	y.configure(t, badMerchant(cardswitch.EnvelopeConfig{Share: cardswitch.ShareOffered}))
	for n, share := range []bool{false, true} {
		// It doesn't care that the switch's proof is wrong, and answers with its own.
		o := linkOptions(badLink)
		o.Keys[1], o.Share = secret().Key(badLink, 2), share
		f := y.greeted(t, o)
		if _, err := f.take(); err != nil {
			t.Fatal(err)
		}
		b, err := f.hear()
		if err != nil {
			t.Fatal(err)
		}
		b[3] ^= 1
		f.put(b)
		f.told(t)
		y.refusedEnvelope(t, "bad", uint64(n+1))
	}
	// Where it does care, it refuses, too.
	o := linkOptions(badLink)
	o.Keys[1] = secret().Key(badLink, 2)
	f := y.greeted(t, o)
	var err error
	for err == nil && !f.session.Standing() {
		_, err = f.take()
	}
	if err == nil {
		t.Error("two ends with two keys agree")
	}
	y.refusedEnvelope(t, "bad", 3)
}

func (y *yard) wrongGeneration(t *testing.T) {
	y.configure(t, badMerchant(cardswitch.EnvelopeConfig{}))
	o := linkOptions(badLink)
	o.Keys = map[uint16]envelope.Key{2: secret().Key(badLink, 2)}
	f := y.greeted(t, o)
	if _, err := f.take(); err == nil { // the switch chose one that this end doesn't have
		t.Error("a hello-ack for a generation without a key is taken")
	}
	f.told(t)
	y.refusedEnvelope(t, "bad", 1)
	// A peer that knows no better says the generation of its own in finished.
	f = y.greeted(t, linkOptions(badLink))
	for range 2 {
		b, err := f.hear()
		if err != nil {
			t.Fatal(err)
		}
		e, err := f.session.Receive(b)
		if err != nil {
			t.Fatal(err)
		}
		for _, finished := range e.Send {
			finished[5] = 2
			f.put(finished)
		}
	}
	f.told(t)
	y.refusedEnvelope(t, "bad", 2)
}

// wrongLink names links that aren't of this address, or that the switch dials itself.
func (y *yard) wrongLink(t *testing.T) {
	y.configure(t, badMerchant(cardswitch.EnvelopeConfig{}))
	for n, link := range []string{evilLink, "good/a", "nobody", "bad", "bad/a ", "BAD/A"} {
		o := linkOptions(badLink)
		if link != "bad/a " {
			o.Link = link
		}
		f := newFar(t, y.call(t).Conn)
		session, hello, err := envelope.Initiate(o)
		if err != nil {
			t.Fatal(err)
		}
		if f.session = session; link == "bad/a " {
			hello[24+33+len(badLink)-1] = ' '
		}
		f.put(hello)
		f.told(t)
		eventually(t, "it is counted", func() bool {
			return y.refused("bad")["envelope refused"] == uint64(n+1)
		})
	}
}

// replaySession plays a session with a sale again, frame by frame.
func (y *yard) replaySession(t *testing.T) {
	y.configure(t, badMerchant(cardswitch.EnvelopeConfig{}))
	f := y.covered(t)
	a, err := f.Ask(sale(1, cards()[0], badID), patience)
	if err != nil || a.Get(39) != "000" {
		t.Fatalf("%v, %v", a, err)
	}
	f.Close()
	before := y.line("bad").Counters.FramesIn
	for n := range 3 {
		g := newFar(t, y.call(t).Conn)
		g.session = f.session // dead, or ahead of all that comes
		var all []byte
		for _, frame := range f.said {
			all = append(all, ground.Framed(frame)...)
		}
		_, _ = g.raw.Write(all)
		for {
			b, err := g.hear()
			if err != nil {
				break
			}
			if b[1]&0xf == 0 {
				t.Fatal("a session played again is answered")
			}
		}
		y.refusedEnvelope(t, "bad", uint64(n+1))
	}
	if n := y.line("bad").Counters.FramesIn; n != before {
		t.Errorf("%d frames of a session played again", n-before)
	}
}

func (y *yard) oversizeHello(t *testing.T) {
	y.configure(t, badMerchant(cardswitch.EnvelopeConfig{}))
	_, hello, err := envelope.Initiate(linkOptions(badLink))
	if err != nil {
		t.Fatal(err)
	}
	rest := 2049 - len(hello) - 3
	for n, b := range [][]byte{
		{0xff, 0xff, 0xe8, 0x11, 0, 0}, // over the bound of the link
		ground.Framed(slices.Concat(hello, []byte{9, byte(rest >> 8), byte(rest)},
			make([]byte, rest))), // over that of a hello
	} {
		f := newFar(t, y.call(t).Conn)
		_, _ = f.raw.Write(b)
		f.gone(t)
		want := uint64(n + 1)
		eventually(t, "it is counted", func() bool {
			n := y.refused("bad")
			return n["frame too long"]+n["envelope refused"] == want
		})
	}
}

// slowHellos are peers that hold connections before there is a session: the greeting has a time.
func (y *yard) slowHellos(t *testing.T) {
	y.configure(t, badMerchant(cardswitch.EnvelopeConfig{}))
	began := time.Now()
	var peers sync.WaitGroup
	for n := range 8 {
		f := newFar(t, y.call(t).Conn)
		_, hello, err := envelope.Initiate(linkOptions(badLink))
		if err != nil {
			t.Fatal(err)
		}
		peers.Go(func() {
			var err error
			for _, c := range ground.Framed(hello) { // in all, it would take 75 s, and 10 are allowed
				if n >= 4 && err == nil {
					_, err = f.raw.Write([]byte{c})
					time.Sleep(time.Second)
				}
			}
			_ = f.raw.SetReadDeadline(time.Now().Add(40 * time.Second))
			_, _ = f.raw.Read(make([]byte, 1))
		})
	}
	peers.Wait()
	if d := time.Since(began); d > 40*time.Second {
		t.Errorf("they last %v", d)
	}
	eventually(t, "all are counted", func() bool {
		return y.refused("bad")["silence"] == 8
	})
}

// helloFlood opens many more handshakes than may be under way; each costs the switch a share.
func (y *yard) helloFlood(t *testing.T) {
	y.configure(t, badMerchant(cardswitch.EnvelopeConfig{Share: cardswitch.ShareOffered}))
	o := linkOptions(badLink)
	o.Share = true
	const tried = 300
	var open []net.Conn
	for range tried {
		f := y.greeted(t, o)
		open = append(open, f.raw)
	}
	eventually(t, "too many are refused and counted", func() bool {
		return y.refused("bad")["too many connections"] > 0
	})
	for _, c := range open {
		c.Close()
	}
	eventually(t, "all are counted", func() bool {
		sum := uint64(0)
		for _, n := range y.refused("bad") {
			sum += n
		}
		return sum == tried
	})
	// Many hellos on one connection: the second is refused.
	f := y.greeted(t, o)
	_, _ = f.raw.Write(bytes.Repeat(ground.Framed(f.said[0]), 50))
	for err := error(nil); err == nil; {
		_, err = f.hear()
	}
	y.shaken(t, o) // and who means well gets in
}

// clearMerchant has no envelope at all.
func (y *yard) clearMerchant(t *testing.T) {
	y.configure(t, badMerchant(cardswitch.EnvelopeConfig{}))
	f := newFar(t, y.call(t).Conn)
	session, _, err := envelope.Initiate(linkOptions(badLink))
	if err != nil {
		t.Fatal(err)
	}
	f.session = session
	f.put(frame(t, f.Peer, sale(1, cards()[0], badID))[2:])
	f.told(t)
	eventually(t, "it is counted", func() bool {
		return y.refused("bad")["envelope refused"] == 1
	})
}
