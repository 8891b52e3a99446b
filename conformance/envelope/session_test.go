package envelope

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
)

func keyOf(g uint16) []byte { return bytes.Repeat([]byte{byte(g), byte(g >> 8)}, 16) }

func options() Options {
	return Options{Link: "SHOP-1", Keys: map[uint16]Key{7: keyOf(7)}}
}

// shake runs a handshake, with what lies between changing frames.
func shake(i, a Options, between func(n int, frame []byte) []byte) (x, y *Session, err error) {
	if between == nil {
		between = func(_ int, frame []byte) []byte { return frame }
	}
	x, hello, err := Initiate(i)
	if err != nil {
		return nil, nil, err
	}
	if y, err = Accept(a); err != nil {
		return nil, nil, err
	}
	e, err := y.Receive(between(0, hello))
	if err != nil {
		return x, y, fmt.Errorf("acceptor at the hello: %w", err)
	}
	if _, err := x.Receive(between(1, e.Send[0])); err != nil {
		return x, y, fmt.Errorf("initiator at the hello-ack: %w", err)
	}
	if e, err = x.Receive(between(2, e.Send[1])); err != nil {
		return x, y, fmt.Errorf("initiator at finished: %w", err)
	}
	if _, err = y.Receive(between(3, e.Send[0])); err != nil {
		return x, y, fmt.Errorf("acceptor at finished: %w", err)
	}
	return x, y, nil
}

func standingPair(t *testing.T) (x, y *Session) {
	t.Helper()
	x, y, err := shake(options(), options(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return x, y
}

func sealed(t *testing.T, s *Session, message string) []byte {
	t.Helper()
	frame, err := s.Seal([]byte(message))
	if err != nil {
		t.Fatal(err)
	}
	return frame
}

func takes(t *testing.T, s *Session, frame []byte, want string) {
	t.Helper()
	e, err := s.Receive(frame)
	if err != nil || string(e.Message) != want {
		t.Fatalf("%q, %v; want %q", e.Message, err, want)
	}
}

func TestWhatTheEndsAgreeOn(t *testing.T) {
	plain, padded := State{Suite: GCM}, State{Suite: GCM, Padded: true}
	shared, refuse := State{Suite: GCM, Shared: true}, State{}
	for name, c := range map[string]struct {
		change func(i, a *Options)
		want   State
	}{
		"as usual":  {func(i, a *Options) {}, plain},
		"padding i": {func(i, a *Options) { i.Padding = true }, padded},
		"padding a": {func(i, a *Options) { a.Padding = true }, padded},
		"share i":   {func(i, a *Options) { i.Share = true }, plain},
		"share a":   {func(i, a *Options) { a.Share = true }, plain},
		"shares":    {func(i, a *Options) { i.Share, a.Share = true, true }, shared},
		"need i":    {func(i, a *Options) { i.NeedShare = true }, refuse},
		"need a":    {func(i, a *Options) { a.NeedShare = true }, refuse},
		"need both": {func(i, a *Options) { i.NeedShare, a.NeedShare = true, true }, shared},
		"legacy i":  {func(i, a *Options) { i.Suites = []Suite{TDES} }, refuse},
		"legacy": {func(i, a *Options) {
			i.Suites, a.Suites = []Suite{TDES}, []Suite{GCM, TDES}
		}, State{Suite: TDES}},
		"the better": {func(i, a *Options) {
			i.Suites, a.Suites = []Suite{TDES, GCM}, []Suite{TDES, GCM}
		}, plain},
		"other link": {func(i, a *Options) { i.Link = "SHOP-2" }, refuse},
		"other key":  {func(i, a *Options) { i.Keys = map[uint16]Key{7: keyOf(9)} }, refuse},
		"no common":  {func(i, a *Options) { i.Keys = map[uint16]Key{8: keyOf(8)} }, refuse},
		"the older": {func(i, a *Options) {
			i.Keys = map[uint16]Key{7: keyOf(7), 8: keyOf(8)}
		}, plain},
		"AES-128": {func(i, a *Options) {
			i.Keys, a.Keys = map[uint16]Key{7: keyOf(7)[:16]}, map[uint16]Key{7: keyOf(7)[:16]}
		}, plain},
	} {
		i, a := options(), options()
		c.change(&i, &a)
		x, y, err := shake(i, a, nil)
		if c.want == refuse {
			if err == nil {
				t.Errorf("%s: they agree", name)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		c.want.Sending, c.want.Receiving = 7, 7
		if x.State() != c.want || y.State() != c.want {
			t.Errorf("%s: %+v and %+v, want %+v", name, x.State(), y.State(), c.want)
		}
		takes(t, y, sealed(t, x, "1804"), "1804")
		takes(t, x, sealed(t, y, "1814"), "1814")
	}
}

// Any bit that changes on the way, of any frame of the handshake, ends it.
func TestEachBitOfTheHandshake(t *testing.T) {
	i, a := options(), options()
	i.Padding = true
	i.Suites, a.Suites = []Suite{GCM, TDES}, []Suite{GCM, TDES}
	var sizes [4]int
	_, _, err := shake(i, a, func(n int, b []byte) []byte { sizes[n] = len(b); return b })
	if err != nil {
		t.Fatal(err)
	}
	for frame, size := range sizes {
		for bit := range 8 * size {
			_, _, err := shake(i, a, func(n int, b []byte) []byte {
				if n == frame {
					b = bytes.Clone(b)
					b[bit/8] ^= 1 << (bit % 8)
				}
				return b
			})
			if err == nil {
				t.Errorf("frame %d, bit %d: they agree", frame, bit)
			}
		}
		for short := range size {
			_, _, err := shake(i, a, func(n int, b []byte) []byte {
				if n == frame {
					b = b[:short]
				}
				return b
			})
			if err == nil {
				t.Errorf("frame %d, cut at %d: they agree", frame, short)
			}
		}
	}
}

// attacks are frames for y that a session must refuse.
func attacks(t *testing.T) map[string]func(x, y *Session) []byte {
	return map[string]func(x, y *Session) []byte{
		"replay": func(x, y *Session) []byte {
			f := sealed(t, x, "a")
			takes(t, y, f, "a")
			return f
		},
		"gap": func(x, y *Session) []byte { sealed(t, x, "a"); return sealed(t, x, "b") },
		"reflection": func(x, y *Session) []byte {
			f := sealed(t, y, "a")
			takes(t, x, f, "a")
			return f
		},
		"another connection": func(x, y *Session) []byte {
			z, _ := standingPair(t)
			return sealed(t, z, "a")
		},
		"cut": func(x, y *Session) []byte { f := sealed(t, x, "a"); return f[:len(f)-1] },
		"a tag of another frame": func(x, y *Session) []byte {
			f, g := sealed(t, x, "a"), sealed(t, x, "a")
			return append(f[:len(f)-16], g[len(g)-16:]...)
		},
		"a clear message": func(x, y *Session) []byte {
			return []byte("1804 and much more of it, in clear")
		},
		"a clear alert": func(x, y *Session) []byte { return clearAlert(0) },
		"a hello":       func(x, y *Session) []byte { return x.hello },
		"a second finished": func(x, y *Session) []byte {
			f, _ := x.sealNext(finished, make([]byte, 32))
			return f
		},
		"an empty message": func(x, y *Session) []byte { f, _ := x.sealNext(data, nil); return f },
		"a strange close": func(x, y *Session) []byte {
			f, _ := x.sealNext(closing, []byte{2})
			return f
		},
		"after the close": func(x, y *Session) []byte {
			if e, err := y.Receive(x.Close()); err != nil || !e.Closed {
				t.Fatal(e, err)
			}
			x.out.closed = false
			return sealed(t, x, "a")
		},
	}
}

// keyAttacks are those with keys that y doesn't have, or has no more.
func keyAttacks(t *testing.T) map[string]func(x, y *Session) []byte {
	return map[string]func(x, y *Session) []byte{
		"two epochs on": func(x, y *Session) []byte {
			_ = errors.Join(x.advance(), x.advance())
			return sealed(t, x, "a")
		},
		"a generation not installed": func(x, y *Session) []byte {
			if err := errors.Join(x.Install(8, keyOf(8)), x.Switch(8)); err != nil {
				t.Fatal(err)
			}
			return sealed(t, x, "a")
		},
		"another key of the generation": func(x, y *Session) []byte {
			err := errors.Join(x.Install(8, keyOf(8)), y.Install(8, keyOf(9)), x.Switch(8))
			if err != nil {
				t.Fatal(err)
			}
			return sealed(t, x, "a")
		},
		"back to the old generation": func(x, y *Session) []byte {
			old := x.out
			err := errors.Join(x.Install(8, keyOf(8)), y.Install(8, keyOf(8)), x.Switch(8))
			if err != nil {
				t.Fatal(err)
			}
			takes(t, y, sealed(t, x, "a"), "a")
			x.out = old
			return sealed(t, x, "b")
		},
	}
}

// What a session refuses kills it, and it says so in a sealed alert that says nothing else.
func TestWhatASessionRefuses(t *testing.T) {
	all := attacks(t)
	maps.Copy(all, keyAttacks(t))
	for name, attack := range all {
		x, y := standingPair(t)
		e, err := y.Receive(attack(x, y))
		if err == nil {
			t.Errorf("%s: taken, %q", name, e.Message)
			continue
		}
		if len(e.Send) != 1 {
			t.Errorf("%s: %d frames in answer", name, len(e.Send))
			continue
		}
		if _, err := x.Receive(e.Send[0]); !errors.Is(err, ErrAlert) {
			t.Errorf("%s: the alert: %v", name, err)
		}
		if _, err := y.Receive(sealed(t, stranger(t), "a")); !errors.Is(err, ErrNotStanding) {
			t.Errorf("%s: it lives on: %v", name, err)
		}
		if _, err := y.Seal([]byte("a")); !errors.Is(err, ErrNotStanding) {
			t.Errorf("%s: it says more: %v", name, err)
		}
	}
}

func stranger(t *testing.T) *Session {
	x, _ := standingPair(t)
	return x
}

func TestEachBitOfAFrame(t *testing.T) {
	for _, suite := range []Suite{GCM, TDES} {
		for _, padded := range []bool{false, true} {
			o := options()
			o.Suites, o.Padding = []Suite{suite}, padded
			x, y, err := shake(o, o, nil)
			if err != nil {
				t.Fatal(err)
			}
			frame := sealed(t, x, "1804 something")
			in, out := y.in, y.out
			for bit := range 8 * len(frame) {
				y.phase, y.in, y.out = standing, in, out
				bad := bytes.Clone(frame)
				bad[bit/8] ^= 1 << (bit % 8)
				if _, err := y.Receive(bad); err == nil {
					t.Errorf("%v: bit %d changed, and it's taken", suite, bit)
				}
			}
			y.phase, y.in, y.out = standing, in, out
			takes(t, y, frame, "1804 something")
		}
	}
}

// Whatever the ends do with keys in whatever order, nothing is lost.
func TestNothingIsLostOverNewKeys(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 7))
		o := options()
		o.Suites = []Suite{[]Suite{GCM, TDES}[seed%2]}
		o.Keys = map[uint16]Key{65530: keyOf(65530)}
		o.EpochFrames = 1 + r.Uint64N(20)
		x, y, err := shake(o, o, nil)
		if err != nil {
			t.Fatal(err)
		}
		g := uint16(65530)
		ends := []*Session{x, y}
		wires := [2][][]byte{}
		sent, got := [2]int{}, [2]int{}
		for range 2000 {
			n := r.IntN(2)
			from, to := ends[n], ends[1-n]
			switch r.IntN(12) {
			case 0:
				if len(x.out.pending)+len(x.in.pending)+len(y.in.pending)+len(y.out.pending) < 8 {
					g++
					err := errors.Join(x.Install(g, keyOf(g)), y.Install(g, keyOf(g)))
					if err != nil {
						t.Fatal(err)
					}
				}
			case 1:
				if p := from.out.pending; len(p) > 0 {
					if err := from.Switch(p[r.IntN(len(p))].generation); err != nil {
						t.Fatal(err)
					}
				}
			case 2:
				if err := from.Ratchet(); err != nil {
					t.Fatal(err)
				}
			case 3, 4, 5, 6, 7:
				wires[n] = append(wires[n], sealed(t, from, fmt.Sprint(sent[n])))
				sent[n]++
			default:
				if len(wires[n]) > 0 {
					takes(t, to, wires[n][0], fmt.Sprint(got[n]))
					wires[n] = wires[n][1:]
					got[n]++
				}
			}
		}
		for n := range 2 {
			for _, frame := range wires[n] {
				takes(t, ends[1-n], frame, fmt.Sprint(got[n]))
				got[n]++
			}
		}
		if sent != got {
			t.Errorf("seed %d: sent %v, got %v", seed, sent, got)
		}
		if g == 65530 || x.out.epoch == 0 && y.out.epoch == 0 && x.in.generation == 65530 {
			t.Errorf("seed %d: the keys never changed", seed)
		}
	}
}

func TestInstallRefuses(t *testing.T) {
	x, _ := standingPair(t)
	for _, g := range []uint16{7, 6, 7 + 32768, 65535} {
		if err := x.Install(g, keyOf(g)); err == nil {
			t.Errorf("generation %d behind 7 is taken", g)
		}
	}
	if err := x.Install(8, keyOf(8)[:31]); err == nil {
		t.Error("a key of 31 bytes is taken")
	}
	for g := uint16(8); g < 16; g++ {
		if err := x.Install(g, keyOf(g)); err != nil {
			t.Fatal(err)
		}
	}
	if err := x.Install(16, keyOf(16)); err == nil {
		t.Error("a ninth waits")
	}
	if err := x.Switch(15); err != nil {
		t.Fatal(err)
	}
	if err := x.Switch(14); err == nil {
		t.Error("it goes back")
	}
}

// The legacy suite has 2^20 blocks an epoch; sender and receiver keep to it.
func TestLegacyLimit(t *testing.T) {
	o := options()
	o.Suites = []Suite{TDES}
	x, y, err := shake(o, o, nil)
	if err != nil {
		t.Fatal(err)
	}
	long := string(bytes.Repeat([]byte{'a'}, 65000))
	for n := 0; n < 130; n++ {
		takes(t, y, sealed(t, x, long), long)
	}
	if x.State().SendingEpoch != 1 {
		t.Errorf("epoch %d after 1,056,380 blocks", x.State().SendingEpoch)
	}
	x.out.blocks = 0 // a sender that doesn't care
	y.in.blocks = mostBlocks - 10
	if _, err := y.Receive(sealed(t, x, long)); err == nil {
		t.Error("a receiver takes more than the limit")
	}
}

func TestEpochsGoByTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, y := standingPair(t)
		takes(t, y, sealed(t, x, "a"), "a")
		time.Sleep(59 * time.Minute)
		takes(t, y, sealed(t, x, "b"), "b")
		time.Sleep(time.Minute)
		takes(t, y, sealed(t, x, "c"), "c")
		if x.State().SendingEpoch != 1 || y.State().TakingEpoch != 1 {
			t.Errorf("%+v", x.State())
		}
	})
}

func TestOversize(t *testing.T) {
	x, y := standingPair(t)
	if _, err := x.Seal(make([]byte, 65535-40+1)); err == nil {
		t.Error("a message without room is sealed")
	}
	takes(t, y, sealed(t, x, string(make([]byte, 65535-40))), string(make([]byte, 65535-40)))
	if _, err := y.Receive(make([]byte, 65536)); err == nil {
		t.Error("a frame of 65,536 bytes is taken")
	}
}
