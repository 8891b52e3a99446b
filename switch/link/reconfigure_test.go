package link

import (
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestReconfigureTouchesOnlyWhatChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(t)
		a.issue(t, "switch", "switch")
		secured := func(c *CenterConfig) {
			c.Links[0].Listen, c.Links[0].TLS = "10.0.0.1:9", a.tls("switch", "x")
		}
		config := []CenterConfig{
			merchant("stays", nil), issuer("changes", nil),
			merchant("secured", secured),
			issuer("goes", func(c *CenterConfig) { c.Links[0].Dial = "10.0.0.9:7301" }),
		}
		h := build(t, &tape{}, config...)
		bank, old := h.host(t, bank), h.host(t, "10.0.0.9:7301")
		go h.pump(t.Context())
		h.call(t)
		time.Sleep(time.Second)
		synctest.Wait()
		stays, changes, goes := h.Center("stays"), h.Center("changes"), h.Center("goes")
		secure := h.Center("secured").Lines()[0]
		link, busy := stays.Best(), goes.Best()
		busy.Acquire()

		if err := h.Reconfigure(config); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if h.Center("secured").Lines()[0] != secure || len(h.causes) != 0 {
			t.Fatal("the same configuration changes something")
		}
		a.issue(t, "switch", "switch") // a new certificate in the same files
		config = []CenterConfig{
			merchant("stays", func(c *CenterConfig) { c.Window = 7 }),
			issuer("changes", func(c *CenterConfig) { c.Links[0].Dial = "10.0.0.9:7401" }),
			merchant("secured", secured),
			issuer("comes", func(c *CenterConfig) { c.Links[0].Dial = "10.0.0.9:7501" }),
		}
		moved, fresh := h.host(t, "10.0.0.9:7401"), h.host(t, "10.0.0.9:7501")
		if err := h.Reconfigure(config); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if h.Center("stays") != stays || stays.Best() != link || stays.Window() != 7 {
			t.Error("a changed window touches the links")
		}
		if h.Center("changes") != changes || moved.count() != 1 || changes.Best() == nil {
			t.Error("the changed line isn't dialed")
		}
		if h.Center("comes").Best() == nil || fresh.count() != 1 {
			t.Error("the new center isn't dialed")
		}
		if h.Center("secured").Lines()[0] == secure {
			t.Error("the new certificate isn't taken")
		}
		if h.Center("goes") != nil || busy.State() != Draining || !slices.Contains(h.Links(), busy) {
			t.Errorf("the center that goes: link %v", busy.State())
		}
		h.ended(t, Drained) // the one that changed, with nothing in flight
		busy.Release()
		time.Sleep(5 * time.Second)
		synctest.Wait()
		h.ended(t, Drained, Drained)
		if bank.count() != 1 || old.count() != 1 || slices.Contains(h.Links(), busy) {
			t.Error("what is gone is dialed again")
		}
	})
}

func TestReconfigurePorts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from := func(p string) func(*CenterConfig) {
			return func(c *CenterConfig) { c.Links[0].From = prefixes(p) }
		}
		h := build(t, &tape{}, merchant("a", from("10.1.0.0/16")))
		h.callFrom(t, "10.1.0.1")
		first := h.last(t)
		if got := first.Line().Addr().String(); got != shop {
			t.Errorf("it listens on %s", got)
		}
		err := h.Reconfigure([]CenterConfig{
			merchant("a", from("10.1.0.0/16")), merchant("b", from("10.2.0.0/16"))})
		if err != nil {
			t.Fatal(err)
		}
		h.callFrom(t, "10.2.0.1")
		if h.last(t).Center().Name() != "b" || first.State() != SignedOn {
			t.Error("the port isn't shared with the new center")
		}
		if err := h.Reconfigure([]CenterConfig{merchant("b", from("10.2.0.0/16"))}); err != nil {
			t.Fatal(err)
		}
		before := len(h.links)
		h.callFrom(t, "10.1.0.1")
		if len(h.links) != before || first.State() != Draining {
			t.Errorf("the removed center still connects; its link is %v", first.State())
		}
		if err := h.Reconfigure(nil); err != nil {
			t.Fatal(err)
		}
		if _, err := h.net.Dial(t.Context(), shop); err == nil {
			t.Error("it listens for nobody")
		}
	})
}

func TestAFailedReconfigureChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(t)
		a.issue(t, "switch", "switch")
		h := build(t, &tape{}, merchant("m", nil))
		h.call(t)
		l := h.last(t)
		taken, err := h.net.Listen("10.0.0.1:80")
		if err != nil {
			t.Fatal(err)
		}
		defer taken.Close()
		secure := merchant("new", func(c *CenterConfig) {
			c.Links[0].Listen, c.Links[0].TLS = "10.0.0.1:1", a.tls("switch", "x")
		})
		os.Remove(secure.Links[0].TLS.Key)
		for want, config := range map[string][]CenterConfig{
			"another program": {merchant("other", func(c *CenterConfig) {
				free := c.Links[0]
				free.Name, free.Listen = "free", "10.0.0.1:1"
				c.Links[0].Listen = "10.0.0.1:80"
				c.Links = append([]LinkConfig{free}, c.Links...)
			})},
			"give the new one a new name": {issuer("m", nil)},
			"must all be there":           {merchant("m", nil), secure},
			"listen on or one to dial":    {merchant("m", func(c *CenterConfig) { c.Links[0].Listen = "" })},
		} {
			if err := h.Reconfigure(config); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v, want %q", err, want)
			}
			if h.Center("m") == nil || h.Center("other") != nil || l.State() != SignedOn {
				t.Errorf("after %q: %v, link %v", want, h.Centers(), l.State())
			}
			free, err := net.Listener(nil), error(nil)
			if free, err = h.net.Listen("10.0.0.1:1"); err != nil {
				t.Errorf("after %q an address stays taken", want)
			} else {
				free.Close()
			}
		}
	})
}
