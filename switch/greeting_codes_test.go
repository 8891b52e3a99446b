package cardswitch_test

import (
	"context"
	"encoding/binary"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cardswitch/hsm"
	"cardswitch/hsm/envelope"
	"cardswitch/hsm/keyring"
	"cardswitch/spec"
	"cardswitch/switch/link/warm"
	"cardswitch/switch/security"
	"cardswitch/switch/security/securitytest"
)

// behind is a standby's copy of the keys, which has them as they were when it was brought up to
// date.
type behind struct {
	t     *testing.T
	of    *keyring.Ring
	ring  *keyring.Ring
	guard *security.Guard
}

func (b *behind) follow() {
	b.t.Helper()
	if err := b.ring.Follow(b.t.Context(), b.of.Set()); err != nil {
		b.t.Fatal(err)
	}
}

func (b *behind) Newest(string) (uint16, bool) { return 0, false }

func (b *behind) Key(string, uint16) (envelope.Key, bool) { return envelope.Key{}, false }

func (b *behind) Guard(context.Context) (*security.Guard, error) { return b.guard, nil }

// securedEarly gives the yard codes, and its standby a copy of their keys.
func (y *yard) securedEarly(module hsm.Module) *behind {
	y.t.Helper()
	if module == nil {
		module = securitytest.Soft(y.t)
	}
	secured(y, module)
	ring := securitytest.Ring(y.t, module)
	b := &behind{y.t, y.deps.Keys, ring, security.NewGuard(module, ring, nil)}
	b.follow()
	y.early = b
	return b
}

// zak is the generation of the key that a message's code is under.
func zak(m *spec.Message) uint16 {
	if names := m.Append(nil, 53); len(names) >= 5 {
		return binary.BigEndian.Uint16(names[3:])
	}
	return 0
}

// echoes has the center test the connection, and the standby too, and gives the generation of what
// the standby says.
func (p *peer) echoes() (reply, question uint16) {
	p.y.t.Helper()
	p.send("1804", map[int]string{11: "000777", 12: "261122115900", 24: "831", 93: "99999000001",
		94: "00000000017"})
	m := p.read("1814") // whose code is checked
	want(p.y.t, m, map[int]string{11: "000777", 24: "831", 39: "800"})
	reply = zak(m)
	m = p.asked(2 * time.Minute)
	p.answer(m, map[int]string{39: "800"})
	return reply, zak(m)
}

// asked reads an echo test, which next would answer.
func (p *peer) asked(within time.Duration) *spec.Message {
	p.y.t.Helper()
	_ = p.conn.SetReadDeadline(time.Now().Add(within))
	buf := make([]byte, 1024)
	n, err := p.conn.Read(buf)
	m := new(spec.Message)
	if err != nil || !p.y.d.Index(m, buf[2:n]).OK() || value(m, 24) != "831" {
		p.y.t.Fatalf("%x, %v, want an echo test", buf[:n], err)
	}
	if err := p.partner.Check(m); err != nil {
		p.y.t.Error(err)
	}
	return m
}

// A standby's sign-on and echo tests have codes, and the center's are checked. A key that is
// changed meanwhile is followed both ways; nothing is under the old one from then on.
func TestAStandbySignsOnEarlyWithCodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, nil)
		keys := y.securedEarly(nil)
		held, bank := y.standsBy()
		if reply, question := bank.echoes(); reply != 1 || question != 1 {
			t.Errorf("codes under generations %d and %d", reply, question)
		}
		y.bank.NewKey(keyring.ZAK, keyring.Out)
		y.bank.NewKey(keyring.ZAK, keyring.In)
		keys.follow()
		if reply, question := bank.echoes(); reply != 2 || question != 2 {
			t.Errorf("after new keys, codes under generations %d and %d", reply, question)
		}
		if s := held.Status(); !s[0].Ready || !s[0].SignedOn || s[0].Counts != (warm.Counts{}) {
			t.Fatalf("%+v", s)
		}
		y.takesOver(held)
		synctest.Wait()
		shop := y.merchant()
		shop.send("1200", sale(1, 700))
		again, m := bank.read("1804"), bank.read("1200")
		bank.answer(again, map[int]string{39: "800"})
		bank.answer(m, map[int]string{38: "A00001", 39: "000"})
		want(t, shop.read("1210"), map[int]string{39: "000"})
		y.close(shop, bank)
		checkWords(y)
	})
}

// What isn't the center's, or can't be shown to be, ends the standby's connection; the next one is
// signed on as if nothing had been.
func TestCodesThatAStandbyDoesntTrust(t *testing.T) {
	signedOn := func(p *peer) { p.answer(p.read("1804"), map[int]string{39: "800"}) }
	echo := map[int]string{11: "000777", 12: "261122115900", 24: "831", 93: "99999000001",
		94: "00000000017"}
	forged := func(p *peer, frame []byte) {
		sealed := p.partner.Seal(frame)
		sealed[len(sealed)-1] ^= 1
		p.writeBare(sealed)
	}
	for name, c := range map[string]struct {
		play func(p *peer)
		want string
	}{
		"a sign-on's answer with a wrong code": {func(p *peer) {
			forged(p, p.frame("1814", map[int]string{39: "800"}, p.read("1804")))
		}, "1814 isn't trusted"},
		"without one": {func(p *peer) {
			m := p.read("1804")
			p.writeBare(p.frame("1814", map[int]string{39: "800", 53: "", 64: "", 128: ""}, m))
		}, "1814 isn't trusted"},
		"under a key that nobody has": {func(p *peer) {
			m := p.read("1804")
			p.writeBare(p.partner.SealWith(p.frame("1814", map[int]string{39: "800"}, m), 0, 9))
		}, "1814 isn't trusted"},
		"an echo test with a wrong code": {func(p *peer) {
			signedOn(p)
			forged(p, p.frame("1804", echo, nil))
		}, "1804 isn't trusted"},
		"its answer with a wrong code": {func(p *peer) {
			signedOn(p)
			m := p.asked(2 * time.Minute)
			forged(p, p.frame("1814", map[int]string{39: "800"}, m))
		}, "1814 isn't trusted"},
		"our code is refused": {func(p *peer) {
			signedOn(p)
			p.answer(p.asked(2*time.Minute), map[int]string{39: "916"})
		}, "refused our echo with action code 916"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				y := newYard(t, nil)
				y.securedEarly(nil)
				held, door := y.dialsEarly()
				conn, err := door.Accept()
				if err != nil {
					t.Fatal(err)
				}
				c.play(&peer{y: y, conn: conn, name: "bank", partner: y.bank})
				synctest.Wait()
				if s := held.Status()[0]; s.Ready || !strings.Contains(s.LastError, c.want) {
					t.Errorf("%+v, want %q", s, c.want)
				}
				y.issuer(door, "bank")
				synctest.Wait()
				if s := held.Status()[0]; !s.SignedOn {
					t.Errorf("it stays so: %+v", s)
				}
			})
		})
	}
}

// A standby whose copy of the keys is behind what the center uses is signed on again once it isn't.
func TestAStandbyBehindItsKeysSignsOnAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, nil)
		keys := y.securedEarly(nil)
		early(&y.config)
		door := y.listen(primaryAt)
		defer door.Close()
		held := y.holds()
		bank := y.issuer(door, "bank")
		y.bank.NewKey(keyring.ZAK, keyring.Out)
		y.bank.NewKey(keyring.ZAK, keyring.In)
		bank.send("1804", map[int]string{11: "000777", 12: "261122115900", 24: "831",
			93: "99999000001", 94: "00000000017"})
		bank.conn.Close()
		synctest.Wait()
		if s := held.Status()[0]; s.Ready || !strings.Contains(s.LastError, "isn't trusted") {
			t.Errorf("%+v", s)
		}
		keys.follow()
		bank = y.issuer(door, "bank")
		if reply, question := bank.echoes(); reply != 2 || question != 2 {
			t.Errorf("codes under generations %d and %d", reply, question)
		}
		if s := held.Status()[0]; !s.SignedOn {
			t.Errorf("%+v", s)
		}
	})
}

// A takeover waits for no security module: the connection is taken as it is.
func TestATakeoverWaitsForNoModule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &distant{Module: securitytest.Soft(t), latency: time.Millisecond}
		y := newYard(t, nil)
		y.securedEarly(d)
		held, bank := y.standsBy()
		bank.echoes()
		time.Sleep(time.Second)
		d.silent.Store(true)
		bank.send("1804", map[int]string{11: "000778", 12: "261122115900", 24: "831",
			93: "99999000001", 94: "00000000017"})
		synctest.Wait()
		began := time.Now()
		d.silent.Store(false) // for the next
		y.takesOver(held)
		bank.answer(bank.read("1804"), map[int]string{39: "800"})
		if took := time.Since(began); took > 100*time.Millisecond {
			t.Errorf("it is said after %s", took)
		}
		shop := y.merchant()
		shop.send("1200", sale(1, 700))
		bank.answer(bank.read("1200"), map[int]string{38: "A00001", 39: "000"})
		want(t, shop.read("1210"), map[int]string{39: "000"})
		y.close(shop, bank)
		checkWords(y)
	})
}

// Nor for a journal that can't be read, be the context over or not.
func TestATakeoverWaitsForNothingAside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, nil)
		keys := y.securedEarly(nil)
		stuck := &stuck{behind: keys}
		y.early = stuck
		held, bank := y.standsBy()
		synctest.Wait() // for its answer
		stuck.until = make(chan struct{})
		bank.send("1804", map[int]string{11: "000778", 12: "261122115900", 24: "831",
			93: "99999000001", 94: "00000000017"})
		synctest.Wait()
		began := time.Now()
		ready := held.Take()
		if took := time.Since(began); len(ready) != 1 || took > 0 {
			t.Errorf("%d are taken after %s", len(ready), took)
		}
		close(stuck.until)
		for _, idle := range ready {
			idle.Close()
		}
		bank.conn.Close()
	})
}

// stuck are keys that can't be read for a while.
type stuck struct {
	*behind
	until chan struct{}
}

func (s *stuck) Guard(ctx context.Context) (*security.Guard, error) {
	if s.until != nil {
		<-s.until
	}
	return s.behind.Guard(ctx)
}
