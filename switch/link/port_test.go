package link

import (
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cardswitch/spec"
)

func prefixes(list ...string) (out []netip.Prefix) {
	for _, p := range list {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}

func message(t testing.TB, mti spec.MTI, elements map[int]string) string {
	t.Helper()
	var e spec.Edit
	e.SetMTI(mti)
	for n, v := range elements {
		e.Set(n, []byte(v))
	}
	out, fault := ascii().Append(nil, nil, &e)
	if !fault.OK() {
		t.Fatal(fault)
	}
	return string(out)
}

func TestOnlyAllowedSourcesGetIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, &tape{},
			merchant("aoyama", func(m *CenterConfig) {
				m.Links[0].From = prefixes("10.1.0.0/16", "10.9.9.9/32")
			}),
			merchant("ginza", func(m *CenterConfig) {
				m.Links[0].From = prefixes("10.2.0.0/16", "2001:db8::/32")
			}))
		for from, want := range map[string]string{
			"10.1.255.1": "aoyama", "10.9.9.9": "aoyama", "10.2.0.1": "ginza",
			"::ffff:10.2.0.2": "ginza", "2001:db8::1": "ginza",
			"10.9.9.8": "", "10.3.0.1": "", "::1": "",
		} {
			before := len(h.links)
			peer := h.callFrom(t, from)
			got := ""
			if len(h.links) > before {
				got = h.last(t).Center().Name()
			}
			if got != want {
				t.Errorf("from %s: it is %q, want %q", from, got, want)
			}
			if want == "" {
				if _, err := peer.Read(make([]byte, 1)); err == nil {
					t.Errorf("from %s: the connection stands", from)
				}
			}
		}
		if got := h.Status().Ports[0].Refused[NotAllowed.String()]; got != 3 {
			t.Errorf("%d refusals are counted", got)
		}
	})
}

func TestTheFirstMessageTellsCentersApart(t *testing.T) {
	for _, c := range []struct {
		name  string
		first string
		want  string
	}{
		{"acquirer", message(t, 0x1200, map[int]string{32: "111"}), "aoyama"},
		{"forwarder before acquirer", message(t, 0x1200, map[int]string{32: "111", 33: "222"}), "ginza"},
		{"unknown forwarder, known acquirer", message(t, 0x1200, map[int]string{32: "222", 33: "9"}),
			"ginza"},
		{"originator of a sign-on", message(t, 0x1804, map[int]string{94: "111"}), "aoyama"},
		{"originator of something else", message(t, 0x1200, map[int]string{94: "111"}), ""},
		{"nobody", message(t, 0x1200, map[int]string{32: "333"}), ""},
		{"nothing", message(t, 0x1200, nil), ""},
		{"garbage", "garbage", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := build(t, &tape{},
					merchant("aoyama", func(m *CenterConfig) { m.Identities = []string{"110", "111"} }),
					merchant("ginza", func(m *CenterConfig) { m.Identities = []string{"222"} }))
				peer := h.call(t)
				if len(h.links) != 0 {
					t.Fatal("it is up before it said a word")
				}
				write(t, peer, frame(c.first)[:5])
				write(t, peer, append(frame(c.first)[5:], frame("second")...))
				if c.want == "" {
					if n := h.Status().Ports[0].Refused[Unidentified.String()]; n != 1 || len(h.links) > 0 {
						t.Errorf("%d refused, %d links", n, len(h.links))
					}
					return
				}
				if got := h.last(t).Center().Name(); got != c.want {
					t.Errorf("it is %s, want %s", got, c.want)
				}
				if got := h.messages(); len(got) != 2 || got[0] != c.first || got[1] != "second" {
					t.Errorf("got %q", got)
				}
			})
		})
	}
}

func TestWhoSaysNothingIsSentAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, &tape{},
			merchant("aoyama", func(m *CenterConfig) { m.Identities = []string{"111"} }),
			merchant("ginza", func(m *CenterConfig) { m.Identities = []string{"222"} }))
		for range maxGreeting + 5 {
			h.call(t)
		}
		refused := h.Status().Ports[0].Refused
		if refused[TooMany.String()] != 5 || len(refused) != 1 {
			t.Errorf("refused %v", refused)
		}
		time.Sleep(greetTime + time.Second)
		synctest.Wait()
		if got := h.Status().Ports[0].Refused[Unidentified.String()]; got != maxGreeting {
			t.Errorf("%d were sent away for silence", got)
		}
		peer := h.call(t) // and there is room again
		write(t, peer, frame(message(t, 0x1200, map[int]string{32: "111"})))
		h.last(t)
	})
}

// A connection that is still asked who it is finds the door closed when the answer comes late.
func TestWhoComesTooLateIsNotServed(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, h *house){
		"drain": func(t *testing.T, h *house) {
			if err := h.Drain(t.Context()); err != nil {
				t.Error(err)
			}
		},
		"drain of the line": func(_ *testing.T, h *house) { h.Center("aoyama").Lines()[0].Drain() },
		"removal": func(t *testing.T, h *house) {
			if err := h.Reconfigure(nil); err != nil {
				t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := build(t, &tape{},
					merchant("aoyama", func(m *CenterConfig) { m.Identities = []string{"111"} }),
					merchant("ginza", func(m *CenterConfig) { m.Identities = []string{"222"} }))
				line := h.Center("aoyama").Lines()[0]
				peer := h.call(t)
				end(t, h)
				write(t, peer, frame(message(t, 0x1200, map[int]string{32: "111"})))
				if len(h.links) != 0 || line.ends[NotServing].Load() != 1 {
					t.Errorf("%d links, ended %v", len(h.links), line.ends.status())
				}
				if _, err := peer.Read(make([]byte, 1)); err == nil {
					t.Error("the connection stands")
				}
			})
		})
	}
}

func TestConnectionsOfALineAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, &tape{}, merchant("m", func(m *CenterConfig) { m.Links[0].MaxConnections = 3 }))
		first := h.call(t)
		for range 5 {
			h.call(t)
		}
		if len(h.links) != 3 || len(h.Center("m").Links()) != 3 {
			t.Fatalf("%d links", len(h.links))
		}
		numbers := map[uint64]bool{}
		for _, l := range h.links {
			numbers[l.Number()] = true
			if l.ID() != 10 || l.Center().ID() != 1 || l.Name() != "a" {
				t.Errorf("link %d of center %d is called %s", l.ID(), l.Center().ID(), l.Name())
			}
		}
		if len(numbers) != 3 {
			t.Errorf("connection numbers %v", numbers)
		}
		if got := h.Status().Centers[0].Lines[0].Counters.Ended[TooMany.String()]; got != 3 {
			t.Errorf("%d refusals are counted", got)
		}
		first.Close()
		synctest.Wait()
		h.call(t)
		if len(h.links) != 4 {
			t.Error("the place of a closed connection stays taken")
		}
	})
}

func TestStartNamesAnAddressInUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, &tape{}, merchant("m", nil))
		other, err := New(Config{Listen: h.net.Listen, Centers: []CenterConfig{
			merchant("m", func(m *CenterConfig) {
				free := m.Links[0]
				free.Name, free.Listen = "free", "10.0.0.1:1"
				m.Links = append([]LinkConfig{free}, m.Links...)
			})}}, &tape{})
		if err != nil {
			t.Fatal(err)
		}
		err = other.Start(t.Context())
		if err == nil || !strings.Contains(err.Error(), "another program") {
			t.Errorf("started: %v", err)
		}
		if _, err := h.net.Listen("10.0.0.1:1"); err != nil {
			t.Errorf("the first address is still taken: %v", err)
		}
	})
}
