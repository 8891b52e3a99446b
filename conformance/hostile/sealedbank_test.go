package hostile

import (
	"bytes"
	"fmt"
	"net"
	"testing"
	"time"

	"cardswitch/conformance/envelope"
	"cardswitch/conformance/format"
	"cardswitch/conformance/ground"
	cardswitch "cardswitch/switch"
)

// sealedBank is the configuration of the issuer that misbehaves, with an envelope.
func sealedBank(e cardswitch.EnvelopeConfig) cardswitch.CenterConfig {
	c := evilBank("evil")
	c.Links[0].Envelope = &e
	return c
}

// far waits for the switch to dial. It has not even read the hello.
func (b *bank) far(t *testing.T, o envelope.Options) *far {
	t.Helper()
	f := newFar(t, b.accept(t).Conn)
	session, err := envelope.Accept(o)
	if err != nil {
		t.Fatal(err)
	}
	f.session = session
	return f
}

// openSealed is the switch with the bad issuer signed on in an envelope.
func (y *yard) openSealed(t *testing.T) (b *bank, f *far, customer *ground.Peer) {
	t.Helper()
	b = y.listen(t)
	y.configure(t, sealedBank(cardswitch.EnvelopeConfig{}), merchant("customer", badID))
	f = b.far(t, linkOptions(evilLink))
	m, err := f.Next(patience)
	if err != nil || m.Get(24) != "801" {
		t.Fatalf("%v, %v; want a sign-on", m, err)
	}
	if err := f.Send(format.Answer(m, "800")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the issuer is signed on", func() bool {
		return y.line("evil").State == "signed-on"
	})
	customer, err = y.ground.Call("customer.test:1", "ascii-binary")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { customer.Close() })
	if err := customer.SignOn(badID); err != nil {
		t.Fatal(err)
	}
	return b, f, customer
}

// sealedBanks are what an issuer's side, or somebody on its wire, may do to an envelope.
func sealedBanks(y *yard) map[string]func(*testing.T) {
	cases := map[string]func(*testing.T){
		"something between, at the hellos of a bank": y.betweenBank,
		"a bank that never finishes a handshake":     y.silentBank,
		"a handshake of another connection":          y.replayBank,
	}
	next := 2000
	for what, attack := range bankFrames() {
		next++
		stan := next
		cases[what+" for an answer"] = func(t *testing.T) {
			_, f, customer := y.openSealed(t)
			if err := customer.Send(sale(stan, cards()[1], badID)); err != nil {
				t.Fatal(err)
			}
			answer := format.Answer(request(t, f.Peer, "1200"), "000").Set(38, "123456")
			sealed, err := f.session.Seal(frame(t, f.Peer, answer)[2:])
			if err != nil {
				t.Fatal(err)
			}
			f.put(attack(f, sealed))
			f.told(t)
			y.refusedEnvelope(t, "evil", 1)
			answered(t, customer, stan, "911")
			if n := y.metric(t, "cardswitch_events_total", "evil", "reversal"); n == 0 {
				t.Error("no reversal is owed for what nobody knows")
			}
		}
	}
	for what, greet := range bankGreetings() {
		cases[what+" at a hello"] = func(t *testing.T) {
			b := y.listen(t)
			y.configure(t, sealedBank(cardswitch.EnvelopeConfig{}))
			f := b.far(t, linkOptions(evilLink))
			hello, err := f.hear()
			if err != nil {
				t.Fatal(err)
			}
			greet(t, f, hello)
			f.gone(t)
			y.refusedEnvelope(t, "evil", 1)
			if n := y.line("evil").Counters.FramesOut; n != 0 {
				t.Errorf("the switch sent %d messages", n)
			}
		}
	}
	return cases
}

// bankFrames makes of the right answer what the switch must refuse.
func bankFrames() map[string]func(f *far, sealed []byte) []byte {
	change := func(n int, b byte) func(*far, []byte) []byte {
		return func(_ *far, sealed []byte) []byte {
			sealed[n] ^= b
			return sealed
		}
	}
	return map[string]func(*far, []byte) []byte{
		"a changed bit":         change(40, 1),
		"a changed tag":         change(30, 0x80),
		"another session id":    change(8, 1),
		"another suite":         change(2, 0x80),
		"another version":       change(1, 0x30),
		"a later sequence":      change(23, 8),
		"a later epoch":         change(7, 1),
		"a generation unheard":  change(5, 2),
		"a frame type unheard":  change(1, 0x0f),
		"the switch's own":      func(f *far, _ []byte) []byte { return f.heard[len(f.heard)-1] },
		"a replay":              func(f *far, _ []byte) []byte { return f.said[len(f.said)-1] },
		"a truncated frame":     func(_ *far, b []byte) []byte { return b[:len(b)-1] },
		"a clear message":       func(*far, []byte) []byte { return []byte("1210 " + cards()[1]) },
		"the handshake's hello": func(f *far, _ []byte) []byte { return f.said[0] },
		"an empty frame's head": func(_ *far, b []byte) []byte { return b[:24] },
		"the wrong direction":   change(3, 1),
	}
}

// bankGreetings are answers to a hello that the switch must refuse.
func bankGreetings() map[string]func(t *testing.T, f *far, hello []byte) {
	// say answers as it should be, and lets a case change the frames.
	say := func(o func(*envelope.Options), change func(frames [][]byte) [][]byte,
	) func(*testing.T, *far, []byte) {
		return func(t *testing.T, f *far, hello []byte) {
			options := linkOptions(evilLink)
			o(&options)
			s, err := envelope.Accept(options)
			if err != nil {
				t.Fatal(err)
			}
			e, err := s.Receive(hello)
			if err != nil {
				t.Fatal(err)
			}
			for _, frame := range change(e.Send) {
				f.put(frame)
			}
		}
	}
	asIs := func(frames [][]byte) [][]byte { return frames }
	noOption := func(*envelope.Options) {}
	return map[string]func(*testing.T, *far, []byte){
		"another key": say(func(o *envelope.Options) { o.Keys[1] = secret().Key(evilLink, 2) }, asIs),
		"another generation": say(func(o *envelope.Options) {
			o.Keys = map[uint16]envelope.Key{2: secret().Key(evilLink, 2)}
		}, asIs),
		"a suite not offered": say(noOption, func(f [][]byte) [][]byte { f[0][2] = 0x81; return f }),
		"no suite":            say(noOption, func(f [][]byte) [][]byte { f[0][2] = 0; return f }),
		"another version":     say(noOption, func(f [][]byte) [][]byte { f[0][1] = 0x22; return f }),
		"another session":     say(noOption, func(f [][]byte) [][]byte { f[0][8] ^= 1; return f }),
		"a share not asked for": say(noOption, func(f [][]byte) [][]byte {
			f[0] = append(append(f[0], 2, 1120>>8, 1120&0xff), make([]byte, 1120)...)
			return f
		}),
		"an unknown option": say(noOption, func(f [][]byte) [][]byte {
			f[0] = append(f[0], 9, 0, 0)
			return f
		}),
		"data before finished": say(noOption, func(f [][]byte) [][]byte {
			f[1][1] = 0x10
			return f
		}),
		"finished before the hello-ack": say(noOption, func(f [][]byte) [][]byte { return f[1:] }),
		"a hello-ack twice": say(noOption, func(f [][]byte) [][]byte {
			return append(f[:1], f[0])
		}),
		"its own hello": func(_ *testing.T, f *far, hello []byte) { f.put(hello) },
		"its own hello turned round": func(_ *testing.T, f *far, hello []byte) {
			hello[1], hello[2], hello[3] = 0x12, 1, 1
			f.put(hello)
		},
		"an alert": func(_ *testing.T, f *far, _ []byte) {
			f.put(append([]byte{0xe8, 0x14, 0, 1}, make([]byte, 20)...))
		},
		"a clear message": func(_ *testing.T, f *far, _ []byte) { f.put([]byte("1210 " + cards()[1])) },
		"garbage": func(_ *testing.T, f *far, _ []byte) {
			f.put(bytes.Repeat([]byte{0xe8}, 100))
		},
	}
}

// silentBank takes connections and answers a hello with nothing, or with an ack that ends early.
func (y *yard) silentBank(t *testing.T) {
	b := y.listen(t)
	y.configure(t, sealedBank(cardswitch.EnvelopeConfig{}))
	began := time.Now()
	f := b.far(t, linkOptions(evilLink))
	for err := error(nil); err == nil; {
		_ = f.raw.SetReadDeadline(time.Now().Add(patience))
		_, err = f.raw.Read(make([]byte, 1000))
		if ne, ok := err.(net.Error); ok && ne.Timeout() {
			t.Fatalf("the switch waits for longer than %v", time.Since(began))
		}
	}
	f = b.far(t, linkOptions(evilLink))
	hello, err := f.hear()
	if err != nil {
		t.Fatal(err)
	}
	e, err := f.session.Receive(hello)
	if err != nil {
		t.Fatal(err)
	}
	half := ground.Framed(e.Send[0])
	_, _ = f.raw.Write(half[:len(half)/2])
	f.Close()
	eventually(t, "both are counted", func() bool {
		n := y.line("evil").Counters.Ended
		return n["silence"]+n["peer closed"]+n["read failed"] >= 2
	})
}

// replayBank answers hellos with what it said on another connection.
func (y *yard) replayBank(t *testing.T) {
	b, f, _ := y.openSealed(t)
	f.Close()
	for n, patched := range []bool{false, true} {
		g := b.far(t, linkOptions(evilLink))
		hello, err := g.hear()
		if err != nil {
			t.Fatal(err)
		}
		for _, frame := range f.said {
			frame = bytes.Clone(frame)
			if patched {
				copy(frame[8:16], hello[8:16])
			}
			g.put(frame)
		}
		g.gone(t)
		y.refusedEnvelope(t, "evil", uint64(n+1))
	}
	if s := fmt.Sprint(y.line("evil").State); s == "signed-on" {
		t.Error("the issuer is signed on by what was played again")
	}
}
