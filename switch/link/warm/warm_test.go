package warm

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cardswitch/switch/link"
	"cardswitch/switch/link/linktest"
)

// street has an issuer at each address that is opened, and a holder that dials them.
type street struct {
	*Holder
	net *linktest.Net
	log *bytes.Buffer

	mu    sync.Mutex
	conns map[string][]*linktest.Conn // their ends, by address
	cut   bool                        // whoever connects
}

func lay(t *testing.T, addresses ...string) *street {
	s := &street{net: linktest.New(1 << 16), log: new(bytes.Buffer),
		conns: make(map[string][]*linktest.Conn)}
	s.Holder = New(slog.New(slog.NewTextHandler(s.log, nil)))
	for _, a := range addresses {
		s.open(t, a)
	}
	t.Cleanup(s.Close)
	return s
}

func (s *street) open(t *testing.T, address string) net.Listener {
	t.Helper()
	l, err := s.net.Listen(address)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.conns[address] = append(s.conns[address], c.(*linktest.Conn))
			if s.cut {
				c.Close()
			}
			s.mu.Unlock()
		}
	}()
	t.Cleanup(func() { l.Close() })
	return l
}

// at gives the issuer's ends of all connections there ever were.
func (s *street) at(address string) []*linktest.Conn {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conns[address]
}

func (s *street) dialer(t *testing.T, center, address string) *link.Dialer {
	t.Helper()
	d, err := link.NewDialer(center, link.LinkConfig{Name: "primary", Dial: address}, 1, s.net.Dial)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// ready counts the connections that are held.
func (s *street) ready() (n int) {
	synctest.Wait()
	for _, l := range s.Status() {
		if l.Ready {
			n++
		}
	}
	return n
}

// words are what was logged, which is done under the holder's mutex.
func (s *street) words() string {
	synctest.Wait()
	s.Holder.mu.Lock()
	defer s.Holder.mu.Unlock()
	return s.log.String()
}

const (
	one   = "10.0.0.1:7201"
	two   = "10.0.0.2:7201"
	three = "10.0.0.3:7201"
)

// Each line has a connection, and another one when that ends; a takeover has them all, nothing
// dials afterwards, and who follows again holds again.
func TestConnectionsAreHeldUntilTheyAreTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := lay(t, one, two)
		s.Set([]*link.Dialer{s.dialer(t, "a", one), s.dialer(t, "b", two)})
		if s.ready() != 0 || len(s.at(one)) != 0 {
			t.Fatal("it dials before it is to hold")
		}
		s.Hold()
		s.Hold() // once more changes nothing
		if s.ready() != 2 || len(s.at(one)) != 1 {
			t.Fatalf("%+v", s.Status())
		}
		s.at(one)[0].Cut()
		if s.ready() != 1 || s.Status()[0].LastError == "" {
			t.Errorf("%+v", s.Status())
		}
		time.Sleep(time.Second) // more than the first back-off
		if s.ready() != 2 || len(s.at(one)) != 2 || s.Counts() != (Counts{Lost: 1}) {
			t.Errorf("%+v, %d dials", s.Status(), len(s.at(one)))
		}
		taken := s.Take()
		if len(taken) != 2 || taken[0].Name() != "a/primary" || s.Status() != nil {
			t.Fatalf("%d taken", len(taken))
		}
		time.Sleep(time.Hour)
		s.at(two)[0].Cut()
		if len(s.at(one)) != 2 || len(s.at(two)) != 1 {
			t.Error("it dials on")
		}
		s.Hold()
		if s.ready() != 2 || len(s.at(one)) != 3 || len(s.at(two)) != 2 {
			t.Errorf("%+v", s.Status())
		}
		s.at(one)[2].Cut() // it isn't known yet to be dead
		if got := s.Take(); len(got) != 1 || got[0].Name() != "b/primary" {
			t.Errorf("%d taken, of which one is dead", len(got))
		}
		for _, idle := range taken {
			idle.Close()
		}
	})
}

// A new configuration changes what is held, and nothing else.
func TestANewConfiguration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := lay(t, one, two, three)
		s.Set([]*link.Dialer{s.dialer(t, "a", one), s.dialer(t, "b", two)})
		s.Hold()
		since := s.ready()
		time.Sleep(time.Minute)
		s.Set([]*link.Dialer{s.dialer(t, "b", two), s.dialer(t, "a", three)})
		if since != 2 || s.ready() != 2 || len(s.at(two)) != 1 || len(s.at(three)) != 1 {
			t.Errorf("%+v", s.Status())
		}
		old := s.at(one)[0]
		old.SetReadDeadline(time.Now().Add(time.Second))
		if _, err := old.Read(make([]byte, 1)); err == nil || len(s.at(one)) != 1 {
			t.Errorf("the old address: %v", err)
		}
		if list := s.Status(); list[0].Link != "b/primary" || time.Since(list[0].Since) != time.Minute {
			t.Errorf("%+v", list)
		}
		s.Set(nil)
		if s.ready() != 0 || len(s.Take()) != 0 {
			t.Error("something is held that isn't configured")
		}
		s.Set([]*link.Dialer{s.dialer(t, "a", one)})
		if s.ready() != 0 {
			t.Error("it holds though the node is the active one")
		}
	})
}

// What is missing for long is said once, with a way out: nobody listens there, or whoever does ends
// a connection on which nothing is said. So is what is missing later again.
func TestAMissingConnectionIsSaidOnce(t *testing.T) {
	for name, cut := range map[string]bool{"nobody listens": false, "always ended": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := lay(t)
				s.cut = cut
				s.Set([]*link.Dialer{s.dialer(t, "a", one)})
				if cut {
					s.open(t, one)
				}
				said := func() int { return strings.Count(s.words(), "level=WARN") }
				s.Hold()
				time.Sleep(patience - time.Second)
				if said() != 0 {
					t.Error("it is said at once")
				}
				time.Sleep(time.Hour)
				if said() != 1 || !strings.Contains(s.words(), "hint=") {
					t.Errorf("it is said %d times: %s", said(), s.words())
				}
				if c := s.Counts(); cut != (c.Lost > 0) || cut == (c.Failures > 0) {
					t.Errorf("%+v", c)
				}
				if n := len(s.at(one)); n > 4*60 { // each wait is 15 s at least, in the end
					t.Errorf("%d dials in an hour", n)
				}
				s.mu.Lock()
				s.cut = false
				s.mu.Unlock()
				var l net.Listener
				if !cut {
					l = s.open(t, one)
				}
				time.Sleep(3 * patience)
				if s.ready() != 1 {
					t.Fatalf("%+v", s.Status())
				}
				if l != nil {
					l.Close()
				}
				s.mu.Lock()
				s.cut = true
				s.mu.Unlock()
				conns := s.at(one)
				conns[len(conns)-1].Cut()
				time.Sleep(time.Hour)
				if said() != 2 {
					t.Errorf("it is said %d times: %s", said(), s.words())
				}
			})
		})
	}
}

// A takeover waits for nobody who is dialing.
func TestATakeoverWaitsForNoDial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := lay(t)
		silent := func(ctx context.Context, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		d, err := link.NewDialer("a", link.LinkConfig{Name: "primary", Dial: one}, 1, silent)
		if err != nil {
			t.Fatal(err)
		}
		s.Set([]*link.Dialer{d})
		s.Hold()
		synctest.Wait()
		began := time.Now()
		if taken := s.Take(); len(taken) != 0 || time.Since(began) != 0 {
			t.Errorf("%d taken after %v", len(taken), time.Since(began))
		}
	})
}
