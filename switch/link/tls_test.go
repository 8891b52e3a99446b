package link

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTLSOfWhoConnects(t *testing.T) {
	ours, foreign := newAuthority(t), newAuthority(t)
	ours.issue(t, "switch", "switch")
	ours.issue(t, "shop", "other.example", "shop.example")
	ours.issue(t, "thief", "thief.example")
	ours.sign(t, "old", &x509.Certificate{DNSNames: []string{"shop.example"},
		NotAfter:    time.Date(1999, 12, 31, 0, 0, 0, 0, time.UTC),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	foreign.issue(t, "switch", "switch")
	foreign.issue(t, "shop", "shop.example")
	shopOf := func(change func(*tls.Config)) *tls.Config {
		c := ours.peer(t, "shop")
		change(c)
		return c
	}
	for _, c := range []struct {
		name string
		peer *tls.Config
		want Cause // 0: it gets in
	}{
		{"as configured", ours.peer(t, "shop"), 0},
		{"no certificate", shopOf(func(c *tls.Config) { c.Certificates = nil }), HandshakeFail},
		{"wrong CA", shopOf(func(c *tls.Config) {
			c.Certificates = foreign.peer(t, "shop").Certificates
		}), HandshakeFail},
		{"wrong name", ours.peer(t, "thief"), WrongName},
		{"expired", ours.peer(t, "old"), HandshakeFail},
		{"TLS 1.2", shopOf(func(c *tls.Config) {
			c.MinVersion, c.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
		}), HandshakeFail},
		{"plain", nil, HandshakeFail},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := build(t, &tape{}, merchant("m", func(m *CenterConfig) {
					m.Links[0].TLS = ours.tls("switch", "shop.example")
				}))
				var peer net.Conn = h.call(t)
				if c.peer != nil {
					peer = tls.Client(peer, c.peer)
				}
				// Under TLS 1.3 a client learns that it isn't welcome from its first read only.
				_, err := peer.Write(frame("hello"))
				if c.want != 0 && err == nil {
					_, err = peer.Read(make([]byte, 1))
				}
				synctest.Wait()
				if (err == nil) != (c.want == 0) {
					t.Errorf("the peer sees: %v", err)
				}
				refused := h.Status().Ports[0].Refused
				if c.want != 0 {
					if refused[c.want.String()] != 1 || len(h.links) != 0 || len(h.messages()) != 0 {
						t.Errorf("refused %v, links %d", refused, len(h.links))
					}
					return
				}
				l := h.last(t)
				l.Queue(1, []byte("answer"), Prefix{})
				l.Flush()
				if diff := cmp.Diff([]string{"answer"}, read(t, peer)); diff != "" {
					t.Error(diff)
				}
				if diff := cmp.Diff([]string{"hello"}, h.messages()); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

func TestTLSOfWhomWeDial(t *testing.T) {
	ours, foreign := newAuthority(t), newAuthority(t)
	ours.issue(t, "switch", "switch")
	ours.issue(t, "bank", "bank.example")
	ours.issue(t, "thief", "thief.example")
	ours.sign(t, "client", &x509.Certificate{DNSNames: []string{"bank.example"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	foreign.issue(t, "bank", "bank.example")
	server := func(a *authority, name string, change func(*tls.Config)) *tls.Config {
		s, err := a.tls(name, "switch").load("")
		if err != nil {
			t.Fatal(err)
		}
		if change != nil {
			change(s.server)
		}
		return s.server
	}
	for _, c := range []struct {
		name  string
		bank  *tls.Config
		names []string
		want  Cause
	}{
		{"as configured", server(ours, "bank", nil), []string{"bank.example"}, 0},
		{"one of the names", server(ours, "bank", nil), []string{"dr.example", "BANK.example"}, 0},
		{"wrong name", server(ours, "thief", nil), []string{"bank.example"}, WrongName},
		{"no name given is the host", server(ours, "bank", nil), nil, WrongName},
		{"wrong CA", server(foreign, "bank", nil), []string{"bank.example"}, HandshakeFail},
		{"not a server's certificate", server(ours, "client", nil), []string{"bank.example"},
			HandshakeFail},
		{"TLS 1.2", server(ours, "bank", func(c *tls.Config) {
			c.MinVersion, c.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
		}), []string{"bank.example"}, HandshakeFail},
		{"plain", nil, []string{"bank.example"}, HandshakeFail},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := build(t, &tape{}, issuer("i", func(i *CenterConfig) {
					i.Links[0].TLS = ours.tls("switch", c.names...)
					i.Links[0].Redial = Redial{First: time.Second, Max: time.Hour}
				}))
				bank := h.host(t, bank)
				time.Sleep(2 * time.Second)
				synctest.Wait()
				conn := net.Conn(bank.last(t))
				if c.bank != nil {
					conn = tls.Server(conn, c.bank)
				}
				if _, err := conn.Write(frame("hello, this is no TLS")); err == nil && c.want == 0 {
					synctest.Wait()
					if got := h.messages(); len(got) != 1 {
						t.Errorf("got %q", got)
					}
				} else if c.want == 0 {
					t.Error(err)
				}
				synctest.Wait()
				counters := h.Status().Centers[0].Lines[0].Counters
				if c.want == 0 {
					h.last(t)
				} else if len(h.links) != 0 || counters.Ended[c.want.String()] != 1 {
					t.Errorf("links %d, counters %v", len(h.links), counters.Ended)
				}
				conn.Close()
			})
		})
	}
}

func TestTLSFilesAreNeededToStart(t *testing.T) {
	a := newAuthority(t)
	a.issue(t, "switch", "switch")
	a.issue(t, "other", "other")
	good := a.tls("switch", "shop")
	for _, c := range []struct {
		name string
		tls  TLS
		want string
	}{
		{"no cert", TLS{Key: good.Key, CA: good.CA, Names: good.Names}, "must all be there"},
		{"no ca", TLS{Cert: good.Cert, Key: good.Key, Names: good.Names}, "must all be there"},
		{"key of another", TLS{Cert: good.Cert, Key: a.tls("other").Key, CA: good.CA,
			Names: good.Names}, "does not match"},
		{"ca is a key", TLS{Cert: good.Cert, Key: good.Key, CA: good.Key, Names: good.Names},
			"holds no certificate"},
		{"no names", TLS{Cert: good.Cert, Key: good.Key, CA: good.CA}, "list the DNS names"},
	} {
		_, err := New(Config{Centers: []CenterConfig{merchant("m", func(m *CenterConfig) {
			m.Links[0].TLS = &c.tls
		})}}, &tape{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

// Part of a record that left counts as all of it; nothing left, nothing counts.
func TestUnsentUnderTLS(t *testing.T) {
	a := newAuthority(t)
	a.issue(t, "switch", "switch")
	a.issue(t, "shop", "shop.example")
	for _, cut := range []int{0, 1, 20_000, 40_000} {
		synctest.Test(t, func(t *testing.T) {
			h := build(t, &tape{}, merchant("m", func(m *CenterConfig) {
				m.Links[0].TLS = a.tls("switch", "shop.example")
			}))
			peer := tls.Client(h.call(t), a.peer(t, "shop"))
			write(t, peer, frame("hello"))
			l := h.last(t)
			go io.Copy(io.Discard, peer)
			l.socket.Conn.(interface{ CutAfter(int) }).CutAfter(cut)
			for i := range 100 {
				l.Queue(uint64(i), make([]byte, 998), Prefix{})
			}
			l.Flush()
			synctest.Wait()
			if len(h.tags) == 0 || h.tags[len(h.tags)-1] != 99 {
				t.Fatalf("cut after %d: %d frames came back", cut, len(h.tags))
			}
			// Whole records of 16 KiB and 22 bytes around it left, then at most one that is torn.
			records := (cut + tlsRecord + 21) / (tlsRecord + 22)
			if first := int(h.tags[0]); first != (records*tlsRecord+999)/1000 {
				t.Errorf("cut after %d: frame %d is the first unsent", cut, first)
			}
		})
	}
}
