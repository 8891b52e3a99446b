package link

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"cardswitch/hsm/envelope"
	"cardswitch/switch/link/linktest"
)

// polite is a greeting in words.
type polite struct{}

func (polite) Print() string { return "polite" }

func (polite) Echo() Echo { return Echo{After: time.Minute, Wait: 10 * time.Second, Misses: 2} }

func (polite) Ask(_ context.Context, duty Duty) ([]byte, error) {
	if duty == SendSignOn {
		return []byte("may I?"), nil
	}
	return []byte("there?"), nil
}

func (polite) Hear(_ context.Context, frame []byte) ([]byte, Duty, error) {
	switch string(frame) {
	case "you may":
		return nil, SendSignOn, nil
	case "here":
		return nil, SendEcho, nil
	case "there?":
		return []byte("here"), Nothing, nil
	}
	return nil, Nothing, errors.New("it says " + string(frame))
}

// greets gives a center whose connections kept ready are signed on.
func greets(change func(*CenterConfig)) CenterConfig {
	return issuer("i", func(c *CenterConfig) {
		c.SignOn = SignOnUs
		c.Links[0].Greeting = polite{}
		if change != nil {
			change(c)
		}
	})
}

// permit plays the center's part of a sign-on.
func permit(t *testing.T, conn net.Conn) {
	if got := read(t, conn); !cmp.Equal(got, []string{"may I?"}) {
		t.Errorf("%q, want a sign-on", got)
	}
	write(t, conn, frame("you may"))
}

// A connection that is signed on stays it, in both directions, until it is taken over: then the
// line has it as it is, with what came meanwhile, be it half a message.
func TestASignedOnConnectionIsTakenOver(t *testing.T) {
	a := newAuthority(t)
	a.issue(t, "switch", "switch")
	a.issue(t, "bank", "bank.example")
	for _, secure := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			c := greets(func(c *CenterConfig) {
				if secure {
					c.Links[0].TLS = a.tls("switch", "bank.example")
				}
			})
			v := openVault(t)
			peers := make(chan net.Conn, 1)
			go func() {
				peer := net.Conn(<-v.conns)
				if secure {
					s := tls.Server(peer, a.server(t, "bank"))
					if err := s.Handshake(); err != nil {
						t.Error(err)
					}
					peer = s
				}
				permit(t, peer)
				peers <- peer
			}()
			idle := v.keep(t, c)
			checkTakenOverSignedOn(t, v, c, idle, <-peers)
		})
	}
}

func checkTakenOverSignedOn(t *testing.T, v *vault, c CenterConfig, idle *Idle, peer net.Conn) {
	there := frame("there?")
	write(t, peer, append(frame("there?"), there[:3]...))
	if got := read(t, peer); !cmp.Equal(got, []string{"here"}) {
		t.Errorf("it answers %q", got)
	}
	write(t, peer, there[3:])
	if got := read(t, peer); !cmp.Equal(got, []string{"here"}) {
		t.Errorf("it answers %q", got)
	}
	time.Sleep(time.Minute + time.Second)
	if got := read(t, peer); !cmp.Equal(got, []string{"there?"}) {
		t.Errorf("it asks %q", got)
	}
	write(t, peer, append(frame("here"), frame("early")[:4]...))
	if !idle.Release() {
		t.Fatal(idle.Err())
	}
	write(t, peer, frame("early")[4:])
	var lease lease
	h := buildOn(t, v.net, &tape{mayLeave: lease.valid}, giving(idle), c)
	synctest.Wait()
	l := h.last(t)
	if l.State() != SignedOn || string(l.Words().Question) != "may I?" ||
		string(l.Words().Answer) != "you may" {
		t.Errorf("it is %v, after %q", l.State(), l.Words())
	}
	l.Queue(1, []byte("question"), Prefix{})
	l.Flush()
	if diff := cmp.Diff([]string{"question"}, read(t, peer)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"early"}, h.messages()); diff != "" {
		t.Error(diff)
	}
	fenced(t, &lease, l, peer)
}

// A takeover waits for no peer that reads nothing: such a connection isn't taken.
func TestATakeoverWaitsForNoPeerThatReadsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &vault{linktest.New(16), make(chan *linktest.Conn, 1)}
		l, err := v.net.Listen(bank)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		go func() {
			conn, err := l.Accept()
			if err != nil {
				t.Error(err)
				return
			}
			permit(t, conn)
			v.conns <- conn.(*linktest.Conn)
		}()
		idle := v.keep(t, greets(nil))
		peer := <-v.conns
		for range 4 { // whose answers don't fit into what lies on the way
			write(t, peer, frame("there?"))
		}
		began := time.Now()
		if idle.Release() {
			t.Error("it is taken")
		}
		if took := time.Since(began); took > 0 {
			t.Errorf("after %s", took)
		}
	})
}

// sealedGreets keeps a connection in an envelope, with a center of that policy.
func sealedGreets(t *testing.T, v *vault, p envelope.Policy) (CenterConfig, *ring, *Idle, *far) {
	t.Helper()
	c := greets(enveloped(envelope.Policy{}))
	bank := make(chan *far, 1)
	go func() {
		f := shakenHands(t, <-v.conns, envelope.NewAcceptor(
			func(string, uint16) (envelope.Key, envelope.Policy, bool) { return keyOf(1), p, true }))
		sealed, err := f.stream.wait() // it may have come with the end of the handshake
		if err != nil {
			t.Error(err)
		}
		if got, err := f.session.Opener().Open(sealed); string(got) != "may I?" {
			t.Errorf("%q, %v, want a sign-on", got, err)
		}
		write(t, f, f.seal(t, "you may"))
		bank <- f
	}()
	idle := v.keep(t, c)
	return c, c.Links[0].Envelope.Keys.(*ring), idle, <-bank
}

// In an envelope the session of a standby waits for its term, whatever others prove meanwhile, and
// goes along with new keys. When the node takes over, the center hears that first.
func TestASignedOnEnvelopeIsTakenOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		terms := new(envelope.Terms)
		v := openVault(t)
		c, keys, idle, f := sealedGreets(t, v, envelope.Policy{Terms: terms, Standby: true})
		write(t, f, f.seal(t, "there?"))
		if got := f.read(t); !cmp.Equal(got, []string{"here"}) {
			t.Errorf("it answers %q", got)
		}
		terms.Admit(6)
		keys.mu.Lock()
		keys.newest = 2
		keys.mu.Unlock()
		if err := errors.Join(f.session.Install(2, keyOf(2).PRF), f.session.Switch(2)); err != nil {
			t.Fatal(err)
		}
		write(t, f, f.seal(t, "there?"))
		if got := f.read(t); !cmp.Equal(got, []string{"here"}) {
			t.Errorf("after a new key it answers %q", got)
		}
		keys.mu.Lock()
		keys.newest = 1 // as this node's copy may be behind what the center knows
		keys.mu.Unlock()
		write(t, f, f.seal(t, "there?"))
		if got := f.read(t); !cmp.Equal(got, []string{"here"}) {
			t.Errorf("before its own copy has the key it answers %q", got)
		}
		if at, _ := f.session.Positions(); at.Generation != 2 || f.session.Over() {
			t.Errorf("generation %d, over: %v", at.Generation, f.session.Over())
		}
		if !idle.Release() {
			t.Fatal(idle.Err())
		}
		write(t, f, f.seal(t, "early"))
		h := buildOn(t, v.net, &tape{term: 7}, giving(idle), c)
		synctest.Wait()
		l := h.last(t)
		l.Queue(1, []byte("question"), Prefix{})
		l.Flush()
		if diff := cmp.Diff([]string{"", "question"}, f.read(t)); diff != "" || l.State() != SignedOn {
			t.Errorf("%v: %s", l.State(), diff)
		}
		if f.session.Term() != 7 || terms.Highest() != 7 {
			t.Errorf("term %d, the highest is %d", f.session.Term(), terms.Highest())
		}
		if diff := cmp.Diff([]string{"early"}, h.messages()); diff != "" {
			t.Error(diff)
		}
	})
}

// A center that knows nothing of terms has nothing to hear; one that heeds them and takes no
// standbys, as an older version, would end the connection at the takeover, so it isn't kept.
func TestAStandbyWithOtherVersions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := openVault(t)
		c, _, idle, f := sealedGreets(t, v, envelope.Policy{})
		if !idle.Release() {
			t.Fatal(idle.Err())
		}
		h := buildOn(t, v.net, &tape{term: 7}, giving(idle), c)
		synctest.Wait()
		l := h.last(t)
		l.Queue(1, []byte("question"), Prefix{})
		l.Flush()
		if diff := cmp.Diff([]string{"question"}, f.read(t)); diff != "" {
			t.Error(diff)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		v := openVault(t)
		go func() {
			shakenHands(t, <-v.conns, envelope.NewAcceptor(
				func(string, uint16) (envelope.Key, envelope.Policy, bool) {
					return keyOf(1), envelope.Policy{Terms: new(envelope.Terms)}, true
				}))
		}()
		c := greets(enveloped(envelope.Policy{}))
		d, err := NewDialer(c.Name, c.Links[0], 1, v.net.Dial)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = d.Dial(t.Context()); err == nil || !strings.Contains(err.Error(), "no standbys") {
			t.Errorf("%v", err)
		}
	})
}

// An active node that has heard of a higher term of the center takes no connection of a lower one.
func TestAConnectionOfAnOldTermIsNotTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := openVault(t)
		c, _, idle, _ := sealedGreets(t, v, envelope.Policy{Terms: new(envelope.Terms), Term: 3,
			Standby: true})
		if !idle.Release() {
			t.Fatal(idle.Err())
		}
		idle.greeted.sealed.session.Heed(new(envelope.Terms))
		h := buildOn(t, v.net, &tape{term: 7}, func() []*Idle { return nil }, c)
		h.Network.Center("i").terms.Admit(4)
		if err := h.Network.Center("i").Lines()[0].goesOn(idle.use(h.Network), idle); err != OldTerm {
			t.Errorf("%v", err)
		}
		(<-v.conns).Close()
	})
}
