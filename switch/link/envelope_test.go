package link

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"cardswitch/hsm/envelope"
	"cardswitch/hsm/mac"
	"cardswitch/switch/link/linktest"
)

// secret is a link key in clear.
type secret [32]byte

func (s secret) PRF(message []byte) (out [16]byte, err error) {
	m, err := mac.New(mac.Spec{Algorithm: mac.AESCMAC, Size: 16}, s[:])
	if err == nil {
		m.Sum(out[:0], message)
	}
	return out, err
}

func secretOf(generation uint16) secret {
	return secret{byte(generation), byte(generation >> 8), 7}
}

// ring has the keys of generations 1 to newest.
type ring struct {
	mu     sync.Mutex
	newest uint16
}

func (r *ring) Newest(string) (uint16, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.newest, r.newest > 0
}

func (r *ring) Key(_ string, generation uint16) (envelope.Key, bool) {
	newest, _ := r.Newest("")
	return keyOf(generation), generation > 0 && generation <= newest
}

func keyOf(generation uint16) envelope.Key {
	return envelope.Key{Generation: generation, PRF: secretOf(generation)}
}

// enveloped gives every link of a center an envelope named after center and link.
func enveloped(policy envelope.Policy) func(*CenterConfig) {
	return func(c *CenterConfig) {
		for i := range c.Links {
			c.Links[i].Envelope = &Envelope{ID: c.Name + "/" + c.Links[i].Name,
				Keys: &ring{newest: 1}, Policy: policy}
		}
	}
}

// far is a center's end of an enveloped connection.
type far struct {
	net.Conn
	session *envelope.Session
	stream  *stream
}

var plainLength = framing{length: binary2, head: 2, max: 1 << 15, wire: 1 << 16}

func shakenHands(t testing.TB, conn net.Conn, h *envelope.Handshake) *far {
	t.Helper()
	f := &far{Conn: conn, stream: newStream(conn, &plainLength)}
	if err := shake(h, f.stream); err != nil {
		t.Fatal(err)
	}
	f.session = h.Session()
	synctest.Wait()
	return f
}

func (h *house) callSealed(t testing.TB, id string, generation uint16, p envelope.Policy) *far {
	t.Helper()
	shake, err := envelope.NewInitiator(id, generation,
		func(string, uint16) (envelope.Key, envelope.Policy, bool) { return keyOf(generation), p, true })
	if err != nil {
		t.Fatal(err)
	}
	return shakenHands(t, h.call(t), shake)
}

func (f *far) seal(t testing.TB, message string) []byte {
	t.Helper()
	sealed, err := f.session.Sealer().Seal(nil, []byte(message))
	if err != nil {
		t.Fatal(err)
	}
	return frame(string(sealed))
}

// read gives what has come, opened.
func (f *far) read(t testing.TB) (out []string) {
	t.Helper()
	for _, sealed := range read(t, f.Conn) {
		message, err := f.session.Opener().Open([]byte(sealed))
		if err != nil {
			return append(out, err.Error())
		}
		out = append(out, string(message))
	}
	return out
}

func TestNothingIsReadableOnTheWire(t *testing.T) {
	for name, policy := range map[string]envelope.Policy{"gcm": {}, "padded": {Padding: true},
		"shared": {Share: envelope.ShareRequired},
		"legacy": {Suites: []envelope.Suite{envelope.TDES}}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := &tape{}
				h := build(t, r, merchant("m", func(c *CenterConfig) {
					enveloped(policy)(c)
					c.Links[0].Framing.Header = "6000030000" // inside as well
				}))
				peer := h.callSealed(t, "m/a", 1, policy)
				wire := slices.Concat(peer.seal(t, "\x60\x00\x03\x00\x00question one"),
					peer.seal(t, "\x60\x00\x03\x00\x00question two"))
				write(t, peer, wire)
				if diff := cmp.Diff([]string{"question one", "question two"}, r.messages()); diff != "" {
					t.Fatal(diff)
				}
				l := h.last(t)
				l.Queue(1, []byte("the answer"), Prefix{})
				l.Queue(2, []byte("another"), Prefix{})
				l.Flush()
				if diff := cmp.Diff([]string{"\x60\x00\x03\x00\x00the answer",
					"\x60\x00\x03\x00\x00another"}, peer.read(t)); diff != "" {
					t.Fatal(diff)
				}
				if bytes.Contains(wire, []byte("question")) || bytes.Contains(wire, []byte("\x60\x00\x03")) {
					t.Error("a message can be read")
				}
				if text := h.Network.Status().Centers[0].Lines[0].Links[0].Envelope; text == "" {
					t.Error("the operator isn't told of the envelope")
				}
			})
		})
	}
}

// Whoever hasn't the key of the link it names gets one alert, always the same, and nothing else.
func TestWhoHasNoKeyIsRefused(t *testing.T) {
	wrong := func(id string, g uint16, s secret) func(testing.TB, *linktest.Conn) {
		return func(t testing.TB, c *linktest.Conn) {
			h, err := envelope.NewInitiator(id, g,
				func(string, uint16) (envelope.Key, envelope.Policy, bool) {
					return envelope.Key{Generation: g, PRF: s}, envelope.Policy{}, true
				})
			if err != nil {
				t.Fatal(err)
			}
			if err := shake(h, newStream(c, &plainLength)); err == nil {
				synctest.Wait() // our proof is what they refuse
			}
		}
	}
	for name, knock := range map[string]func(testing.TB, *linktest.Conn){
		"wrong key":    wrong("m/a", 1, secretOf(9)),
		"unknown link": wrong("somebody/a", 1, secretOf(1)),
		"in clear":     func(t testing.TB, c *linktest.Conn) { write(t, c, frame("1804 in clear")) },
		"nothing":      func(_ testing.TB, c *linktest.Conn) { time.Sleep(greetTime + time.Second) },
		"half a hello": func(t testing.TB, c *linktest.Conn) {
			write(t, c, []byte{0, 90, 0xE8, 0x11, 1})
			time.Sleep(greetTime + time.Second)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := &tape{}
				h := build(t, r, merchant("m", enveloped(envelope.Policy{})))
				good := h.callSealed(t, "m/a", 1, envelope.Policy{})
				c := h.call(t)
				knock(t, c)
				synctest.Wait()
				if _, err := c.Write([]byte("x")); err == nil {
					if _, err := c.Read(make([]byte, 4096)); err == nil {
						_, err = c.Read(make([]byte, 4096))
						if err == nil {
							t.Error("the connection stands")
						}
					}
				}
				if len(r.messages()) != 0 {
					t.Errorf("the switch heard %q", r.messages())
				}
				write(t, good, good.seal(t, "still here"))
				if got := r.messages(); len(got) != 1 {
					t.Errorf("the good connection is harmed: %q", got)
				}
				if !strings.Contains(h.log.String(), "connection refused") ||
					!strings.Contains(h.log.String(), "hint") {
					t.Error("the log doesn't say so with a hint")
				}
			})
		})
	}
}

// A frame that isn't the next one ends its connection, with an alert; the others go on.
func TestBadFramesEndTheirConnection(t *testing.T) {
	for name, spoil := range map[string]func(f *far, t testing.TB, before []byte) []byte{
		"replayed": func(f *far, t testing.TB, before []byte) []byte { return before },
		"gap": func(f *far, t testing.TB, _ []byte) []byte {
			f.seal(t, "lost")
			return f.seal(t, "b")
		},
		"flipped": func(f *far, t testing.TB, _ []byte) []byte {
			b := f.seal(t, "flipped")
			b[len(b)-20] ^= 1
			return b
		},
		"in clear": func(f *far, t testing.TB, _ []byte) []byte { return frame("1200 all in clear") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := &tape{}
				h := build(t, r, merchant("m", enveloped(envelope.Policy{})))
				good := h.callSealed(t, "m/a", 1, envelope.Policy{})
				bad := h.callSealed(t, "m/a", 1, envelope.Policy{})
				before := bad.seal(t, "a")
				write(t, bad, before)
				l := h.last(t)
				l.Queue(1, []byte("waits"), Prefix{}) // no flush: it must not leave any more
				write(t, bad, spoil(bad, t, before))
				if diff := cmp.Diff([]string{envelope.Alerted.Error()}, bad.read(t)); diff != "" {
					t.Error(diff)
				}
				time.Sleep(linger + time.Second)
				h.ended(t, Refused)
				if diff := cmp.Diff([]string{"waits"}, r.unsent); diff != "" {
					t.Error(diff)
				}
				write(t, good, good.seal(t, "still here"))
				if diff := cmp.Diff([]string{"a", "still here"}, r.messages()); diff != "" {
					t.Error(diff)
				}
				if n := h.Network.Status().Centers[0].Lines[0].Counters.Ended["envelope refused"]; n != 1 {
					t.Errorf("%d are counted", n)
				}
			})
		})
	}
}

func TestOrderlyEndIsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, &tape{}, merchant("m", enveloped(envelope.Policy{})))
		peer := h.callSealed(t, "m/a", 1, envelope.Policy{})
		l := h.last(t)
		l.Queue(1, []byte("last"), Prefix{})
		l.Close(Drained)
		if diff := cmp.Diff([]string{"last", "EOF"}, peer.read(t)); diff != "" {
			t.Error(diff)
		}
	})
}

// The side that dials proves itself too, and keeps trying while the center refuses.
func TestDialedLinkIsSealed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &tape{}
		h := build(t, r, issuer("i", enveloped(envelope.Policy{})))
		bank := h.host(t, bank)
		time.Sleep(time.Second)
		synctest.Wait()
		wrong := envelope.NewAcceptor(func(string, uint16) (envelope.Key, envelope.Policy, bool) {
			return envelope.Key{Generation: 1, PRF: secretOf(8)}, envelope.Policy{}, true
		})
		if err := shake(wrong, newStream(bank.last(t), &plainLength)); err == nil {
			t.Fatal("an issuer without the key is believed")
		}
		n := bank.count()
		time.Sleep(5 * time.Second)
		if bank.count() == n {
			t.Fatal("it doesn't dial again")
		}
		peer := shakenHands(t, bank.last(t), envelope.NewAcceptor(
			func(id string, g uint16) (envelope.Key, envelope.Policy, bool) {
				return keyOf(g), envelope.Policy{}, id == "i/primary"
			}))
		write(t, peer, peer.seal(t, "hello"))
		if diff := cmp.Diff([]string{"hello"}, r.messages()); diff != "" {
			t.Fatal(diff)
		}
	})
}

// New keys come while messages travel both ways; not one is lost, and the connection stands.
func TestRekeyUnderLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &tape{}
		keys := &ring{newest: 1}
		h := build(t, r, merchant("m", func(c *CenterConfig) {
			enveloped(envelope.Policy{EpochFrames: 37})(c)
			c.Links[0].Envelope.Keys = keys
			c.Links[0].Envelope.EpochTime = 10 * time.Second
		}))
		peer := h.callSealed(t, "m/a", 1, envelope.Policy{EpochFrames: 29})
		l := h.last(t)
		sent, got := 0, []string{}
		for generation := uint16(2); generation < 30; generation++ {
			for range 50 {
				write(t, peer, peer.seal(t, fmt.Sprintf("message %06d", sent)))
				l.Queue(1, fmt.Appendf(nil, "message %06d", sent), Prefix{})
				l.Flush()
				sent++
			}
			l.Due(time.Now().Add(time.Duration(generation) * 11 * time.Second))
			got = append(got, peer.read(t)...)
			// The order of the exchange: the receiver installs, says so, the sender switches.
			if err := errors.Join(l.InstallKey(keyOf(generation)),
				peer.session.Install(generation, secretOf(generation))); err != nil {
				t.Fatal(err)
			}
			if generation%3 != 0 { // each third is skipped by us, every fourth by the peer
				if err := l.SwitchKey(generation); err != nil {
					t.Fatal(err)
				}
			}
			if generation%4 != 0 {
				if err := peer.session.Switch(generation); err != nil {
					t.Fatal(err)
				}
			}
		}
		if diff := cmp.Diff(numbered(sent), r.messages()); diff != "" {
			t.Fatal(diff)
		}
		if diff := cmp.Diff(numbered(sent), got); diff != "" {
			t.Fatal(diff)
		}
		if len(r.downs) != 0 {
			t.Fatal("the connection ended")
		}
	})
}

// As TestUnsentIsExact: of an envelope of which a byte has left, the message is not given back.
func TestUnsentIsExactInEnvelopes(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		sizes := rapid.SliceOfN(rapid.IntRange(1, 3000), 1, 400).Draw(rt, "sizes")
		padded := rapid.Bool().Draw(rt, "padded")
		cut := rapid.IntRange(0, 700_000).Draw(rt, "cut")
		flushes := rapid.IntRange(1, 400).Draw(rt, "flushes")
		synctest.Test(t, func(t *testing.T) { checkUnsentSealed(t, sizes, padded, cut, flushes) })
	})
}

func checkUnsentSealed(t *testing.T, sizes []int, padded bool, cut, flushes int) {
	h := build(t, &tape{}, issuer("i", enveloped(envelope.Policy{Padding: padded})))
	bank := h.host(t, bank)
	time.Sleep(time.Second)
	peer := shakenHands(t, bank.last(t), envelope.NewAcceptor(
		func(_ string, g uint16) (envelope.Key, envelope.Policy, bool) {
			return keyOf(g), envelope.Policy{}, true
		}))
	go func() {
		buf := make([]byte, 1<<16)
		for {
			if _, err := peer.Read(buf); err != nil {
				return
			}
		}
	}()
	l := h.last(t)
	l.socket.Conn.(*linktest.Conn).CutAfter(cut)
	var wholly []int
	offset := 0
	for i, n := range sizes {
		if l.Queue(uint64(i), fmt.Appendf(nil, "%0*d", n, i%10), Prefix{}) {
			if offset >= cut {
				wholly = append(wholly, i)
			}
			if offset += 2 + 24 + 16 + n; padded {
				offset += 64 - n%64
			}
		}
		if i%flushes == 0 {
			l.Flush()
			synctest.Wait()
		}
	}
	l.Flush()
	synctest.Wait()
	peer.Conn.(*linktest.Conn).Cut()
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
}

func TestSealingDoesNotAllocate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, &tape{}, merchant("m", enveloped(envelope.Policy{})))
		peer := h.callSealed(t, "m/a", 1, envelope.Policy{})
		l, message := h.last(t), make([]byte, 400)
		stand := l.conn
		l.conn = nowhere{stand}
		send := func() {
			l.outbox.taken.reset()
			l.outbox.taken, l.outbox.waiting = l.outbox.waiting, l.outbox.taken
			for i := range 50 {
				l.Queue(uint64(i), message, Prefix{})
			}
			if err := l.send(); err != nil {
				t.Fatal(err)
			}
		}
		send()
		send()
		if n := testing.AllocsPerRun(100, send); n != 0 {
			t.Errorf("%v allocations to seal 50 messages", n)
		}
		l.conn = stand
		opened := func() { // one after the other is all that the opener takes
			b := peer.seal(t, string(message))
			l.sealed.open(b[2:])
		}
		sealing := testing.AllocsPerRun(100, func() { peer.seal(t, string(message)) })
		if n := testing.AllocsPerRun(100, opened); n > sealing {
			t.Errorf("%v allocations to open a message", n-sealing)
		}
		peer.Close()
	})
}

// nowhere takes all that is written.
type nowhere struct{ net.Conn }

func (nowhere) Write(b []byte) (int, error) { return len(b), nil }

func TestEnvelopeRoomIsEnough(t *testing.T) {
	for _, p := range []envelope.Policy{{}, {Padding: true},
		{Padding: true, Suites: []envelope.Suite{envelope.TDES}}} {
		synctest.Test(t, func(t *testing.T) {
			h := build(t, &tape{}, merchant("m", enveloped(p)))
			peer := h.callSealed(t, "m/a", 1, p)
			for n := range 300 {
				if more := peer.session.Sealer().Size(n+1) - n - 1; more > envelopeRoom {
					t.Fatalf("an envelope adds %d bytes to %d", more, n+1)
				}
			}
			peer.Close()
		})
	}
}

func TestOneAddressOneKind(t *testing.T) {
	a := merchant("a", enveloped(envelope.Policy{}))
	b := merchant("b", func(c *CenterConfig) { c.Identities = []string{"2"} })
	_, err := New(Config{Centers: []CenterConfig{a, b}, Listen: linktest.New(1).Listen,
		Dial: func(context.Context, string) (net.Conn, error) { return nil, net.ErrClosed }}, &tape{})
	if err == nil || !strings.Contains(err.Error(), "one with envelope") {
		t.Errorf("taken: %v", err)
	}
}
