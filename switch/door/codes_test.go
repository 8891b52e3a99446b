package door

import (
	"bytes"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"cardswitch/spec"
	"cardswitch/spec/dialect"
	cardswitch "cardswitch/switch"
	"cardswitch/switch/link"
	"cardswitch/switch/link/keyorder"
	"cardswitch/switch/security/securitytest"
)

// codedHouse is a house whose merchant has codes, made and checked by a second implementation.
type codedHouse struct {
	*house
	shop *securitytest.Partner
}

func openCoded(t *testing.T) *codedHouse {
	t.Helper()
	module := securitytest.Soft(t)
	ring := securitytest.Ring(t, module)
	all := cardswitch.Config{Centers: []cardswitch.CenterConfig{{Name: "shop",
		Role: cardswitch.RoleMerchant, Dialect: dialect.Default, Security: &cardswitch.SecurityConfig{
			Generations: true, MAC: &cardswitch.MACConfig{Algorithm: "x9.19", Padding: 1, Size: 8}}}}}
	codes, err := all.DoorCodes(dialect.Builtin, module, ring)
	if err != nil {
		t.Fatal(err)
	}
	h := &codedHouse{house: open(t, link.SignOnPeer, func(c *Config) { c.Codes = codes })}
	h.shop = &securitytest.Partner{T: t, Ring: ring, Center: "shop", Dialect: h.dialect, Padding: 1,
		Size: 8, Generations: true}
	h.shop.NewKeys()
	return h
}

// says sends a message with its code, or a wrong one.
func (h *codedHouse) says(mti spec.MTI, elements map[int]string, right bool) {
	h.t.Helper()
	frame := h.shop.Seal(h.message(mti, elements))
	if !right {
		frame[len(frame)-1] ^= 1
	}
	if _, err := h.merchant.Write(appendFrame(nil, frame)); err != nil {
		h.t.Fatal(err)
	}
}

// hear reads one message within some time.
func (h *codedHouse) hear(within time.Duration) *spec.Message {
	h.t.Helper()
	_ = h.merchant.SetReadDeadline(time.Now().Add(within))
	m, _, err := h.in.next()
	if err != nil {
		h.t.Fatal(err)
	}
	return m
}

// The door answers echo tests with codes, also while no shard is there. One with a wrong code is
// the shard's to refuse, and a message for a shard passes as it came.
func TestEchoTestsHaveCodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := openCoded(t)
		defer h.close()
		h.east.moves(0, false)
		for range 2 * mostSpeech {
			h.says(0x1804, map[int]string{24: "831"}, true)
			m := h.hear(time.Second)
			if err := h.shop.Check(m); err != nil || m.MTI() != 0x1814 || m.ActionCode() != 800 {
				t.Fatalf("%s: %v", m.MTI(), err)
			}
		}
		h.says(0x1804, map[int]string{24: "831"}, false)
		h.says(0x1804, map[int]string{24: "831"}, true)
		if m := h.hear(time.Second); !bytes.Equal(m.Append(nil, 11), []byte("000034")) {
			t.Errorf("an echo test with a wrong code is answered: %s", m.Append(nil, 11))
		}
		h.east.moves(1, false)
		h.want("the shard's answer", h.hears(time.Second), "1814 000033")
		h.want("east", h.east.asked(), "1: 1804 000033")
	})
}

// The door's own echo tests have codes, and an answer with a wrong one is none: who has the line
// but no key can't keep it open.
func TestTheDoorsTestsHaveCodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := openCoded(t)
		defer h.close()
		for range 2 {
			m := h.hear(2 * time.Minute)
			if err := h.shop.Check(m); err != nil || m.MTI() != 0x1804 || functionOf(m) != echo {
				t.Fatalf("%s: %v", m.MTI(), err)
			}
			h.says(0x1814, map[int]string{24: "831", 39: "800"}, true)
		}
		if n := h.door.WrongCodes(); n != 0 {
			t.Errorf("%d are wrong", n)
		}
		h.hear(2 * time.Minute)
		h.says(0x1814, map[int]string{24: "831", 39: "800"}, false)
		synctest.Wait()
		if n := h.door.WrongCodes(); n != 1 {
			t.Errorf("%d are wrong", n)
		}
	})
}

// What became of keys on this node is told to the first shard, once, and to the next one what the
// one before didn't hear of.
func TestWhatBecameOfKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := openSealed(t, link.SignOnNone)
		defer h.close()
		h.holder.mu.Lock()
		h.holder.order = keyorder.Order{Round: 1, Version: 1}
		h.holder.mu.Unlock()
		time.Sleep(time.Second)
		h.east.moves(0, false) // nobody hears
		h.holder.mu.Lock()
		_ = h.holder.conns[0].Close()
		h.holder.mu.Unlock()
		time.Sleep(time.Second)
		h.keys.mu.Lock()
		h.keys.used = []keyorder.Use{{Key: "zak:shop:in@1", Times: 7}}
		h.keys.mu.Unlock()
		h.door.noteUses()
		h.door.keys.use([]keyorder.Use{{Key: "zak:shop:in@1", Times: 2}})
		for range 2 * mostWanted {
			h.door.WantKey(keyorder.Want{Slot: "zak:shop:in", Why: 122})
		}
		h.east.moves(3, false)
		time.Sleep(usesTold * standTold)
		var got keyorder.Report
		for _, r := range h.holder.all() {
			got.Used, got.Wanted = append(got.Used, r.Used...), append(got.Wanted, r.Wanted...)
		}
		want := []keyorder.Use{{Key: "zak:shop:in@1", Times: 9}}
		if !slices.Equal(got.Used, want) || len(got.Wanted) != mostWanted ||
			got.Wanted[0] != (keyorder.Want{Slot: "zak:shop:in", Why: 122}) {
			t.Errorf("told of %v, and %d wanted", got.Used, len(got.Wanted))
		}
	})
}
