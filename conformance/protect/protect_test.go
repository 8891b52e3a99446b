package protect_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"math/bits"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cardswitch/conformance/ground"
	"cardswitch/conformance/issuer"
	"cardswitch/conformance/ledger"
	"cardswitch/conformance/load/sealed"
	"cardswitch/conformance/pos"
	"cardswitch/conformance/protect"
	"cardswitch/hsm/keyblock"
	"cardswitch/hsm/keyring"
	cardswitch "cardswitch/switch"
)

// agreement is what both ends are told, each in its own way.
type agreement struct {
	security *cardswitch.SecurityConfig
	simulate protect.Options
}

// enroll gives a center's keys to the switch, and returns the file that a simulator reads.
func enroll(t *testing.T, ring *keyring.Ring, center string, cmac bool) string {
	t.Helper()
	var lines strings.Builder
	for _, slot := range []keyring.Slot{
		{Purpose: keyring.ZAK, Direction: keyring.In}, {Purpose: keyring.ZAK, Direction: keyring.Out},
		{Purpose: keyring.ZPK, Direction: keyring.In}, {Purpose: keyring.ZPK, Direction: keyring.Out},
		{Purpose: keyring.BDK},
	} {
		slot.Center = center
		plan := keyring.Plan{Slot: slot, Algorithm: keyblock.TDES, Size: 16}
		if slot.Purpose == keyring.ZAK && cmac {
			plan.Algorithm = keyblock.AES
		}
		one, other, key := make([]byte, 16), make([]byte, 16), make([]byte, 16)
		_, _ = rand.Read(one)
		_, _ = rand.Read(other)
		for i := range key {
			if plan.Algorithm == keyblock.TDES { // odd parity, as TDES keys have
				one[i] ^= byte(bits.OnesCount8(one[i])+1) & 1
				other[i] ^= byte(bits.OnesCount8(other[i])+1) & 1
			}
			if key[i] = one[i] ^ other[i]; plan.Algorithm == keyblock.TDES {
				key[i] ^= byte(bits.OnesCount8(key[i])+1) & 1
			}
		}
		f, _, err := ring.Forming(plan)
		if err == nil {
			_, err = f.Form(t.Context(), [][]byte{one, other})
		}
		if err == nil {
			_, err = f.Activate(t.Context(), "an officer", "an approver", "test")
		}
		if err != nil {
			t.Fatal(slot, err)
		}
		fmt.Fprintf(&lines, "%s@1 %X # of this test\n", slot, key)
	}
	file := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(file, []byte(lines.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func merchants() map[string]agreement {
	retail := &cardswitch.MACConfig{Algorithm: "x9.19", Padding: 1, Size: 8}
	second := &cardswitch.MACConfig{Algorithm: "iso9797-1", Padding: 2, Size: 4}
	dukpt := &cardswitch.TerminalsConfig{Scheme: cardswitch.P2PETDES}
	return map[string]agreement{
		"codes and PINs of a zone": {
			&cardswitch.SecurityConfig{MAC: retail, PIN: &cardswitch.PINConfig{}, Generations: true},
			protect.Options{MAC: &protect.MAC{}, PIN: &protect.PIN{}, Generations: true}},
		"element 53 isn't used": {
			&cardswitch.SecurityConfig{MAC: second, PIN: &cardswitch.PINConfig{Format: 3}},
			protect.Options{MAC: &protect.MAC{Algorithm: "iso9797-1", Padding: 2, Size: 4},
				PIN: &protect.PIN{Format: 3}}},
		"terminals encrypt": {
			&cardswitch.SecurityConfig{MAC: retail, Generations: true,
				PIN:  &cardswitch.PINConfig{Terminals: dukpt},
				P2PE: &cardswitch.P2PEConfig{Scheme: cardswitch.P2PETDES, Required: true}},
			protect.Options{MAC: &protect.MAC{}, Generations: true, P2PE: &protect.P2PE{},
				PIN: &protect.PIN{Terminals: "tdes-dukpt"}}},
	}
}

// A merchant and an issuer, played by the simulators, trade over a switch: every message has its
// code, PINs arrive and are right or wrong as they were meant, what terminals encrypt is opened.
// Sales are taken back, in part too, and nothing stays unknown.
func TestSimulatorsOverASwitch(t *testing.T) {
	for name, shop := range merchants() {
		t.Run(name, func(t *testing.T) {
			for _, wrong := range []float64{0, 1} {
				shop.simulate.PIN.Wrong = wrong
				play(t, shop, wrong == 1)
			}
		})
	}
}

func play(t *testing.T, shop agreement, wrong bool) {
	t.Helper()
	g := ground.New()
	c := ground.Config(t, t.TempDir(),
		"ranges:\n  - {prefix: \"352812\", destinations: [sakura]}\n")
	c.Centers = []cardswitch.CenterConfig{
		{Name: "hq", Role: cardswitch.RoleMerchant, Acquirers: []string{"12345678901"},
			Security: shop.security, Links: []cardswitch.LinkConfig{{Name: "a", Listen: "hq.test:1",
				From: []string{"127.0.0.0/8"}}}},
		{Name: "sakura", Role: cardswitch.RoleIssuer,
			Security: &cardswitch.SecurityConfig{Generations: true, PIN: &cardswitch.PINConfig{},
				MAC: &cardswitch.MACConfig{Algorithm: "cmac"}},
			Links: []cardswitch.LinkConfig{{Name: "a", Dial: "sakura.test:1"}}},
	}
	ring := g.Enroll(t, c, sealed.Secret("of this test"))
	shop.simulate.Keys = enroll(t, ring, "hq", false)
	bank := startBank(t, g, enroll(t, ring, "sakura", true))
	g.Start(t, c)
	hq := startShop(t, g, shop.simulate)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := hq.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	if err := hq.Run(ctx); err != nil {
		t.Fatal(err)
	}
	s, b := hq.Stats(), bank.Stats()
	if s.Unknown+s.Unreadable+s.Unasked != 0 || b.Unreadable+b.UnreadablePINs != 0 {
		t.Errorf("the merchant counts %+v, the issuer %+v", s, b)
	}
	switch {
	case wrong && (b.RightPINs != 0 || b.WrongPINs < 10):
		t.Errorf("wrong PINs: the issuer counts %+v", b)
	case !wrong && (b.WrongPINs != 0 || b.RightPINs < 20 || s.Approved < 15 || s.Cancelled == 0):
		t.Errorf("right PINs: the merchant counts %+v, the issuer %+v", s, b)
	}
}

func startBank(t *testing.T, g *ground.Ground, keys string) *issuer.Issuer {
	t.Helper()
	bank, err := issuer.Start(context.Background(), issuer.Options{Name: "sakura",
		ListenFunc: g.Listen, Links: []issuer.Link{{Listen: "sakura.test:1"}},
		Protect: &protect.Options{Keys: keys, Generations: true, PIN: &protect.PIN{},
			MAC: &protect.MAC{Algorithm: "cmac"}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(bank.Close)
	return bank
}

func startShop(t *testing.T, g *ground.Ground, o protect.Options) *pos.POS {
	t.Helper()
	receipts := ledger.NewReceipts()
	hq, err := pos.Start(context.Background(), pos.Options{Name: "hq", Seed: 8583, Total: 60,
		Addresses: []string{"hq.test:1"}, DialFunc: g.Dial, Receipts: receipts, Protect: &o,
		Cards: []pos.Range{{Prefix: "352812"}},
		Mix:   pos.Mix{Sale: 50, Return: 5, Authorization: 15, Completion: 10, Cancel: 20, Reduce: 10}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(hq.Close)
	return hq
}

// Who has another key isn't understood: it signs on in vain, and takes nothing.
func TestAnotherKey(t *testing.T) {
	g := ground.New()
	c := ground.Config(t, t.TempDir(),
		"ranges:\n  - {prefix: \"352812\", destinations: [sakura]}\n")
	shop := merchants()["codes and PINs of a zone"]
	c.Centers = []cardswitch.CenterConfig{
		{Name: "hq", Role: cardswitch.RoleMerchant, Acquirers: []string{"12345678901"},
			Security: shop.security, Links: []cardswitch.LinkConfig{{Name: "a", Listen: "hq.test:1",
				From: []string{"127.0.0.0/8"}}}},
		{Name: "sakura", Role: cardswitch.RoleIssuer,
			Links: []cardswitch.LinkConfig{{Name: "a", Dial: "sakura.test:1"}}},
	}
	ring := g.Enroll(t, c, sealed.Secret("of this test"))
	enroll(t, ring, "hq", false)
	others := ground.New()
	shop.simulate.Keys = enroll(t, others.Enroll(t, c, sealed.Secret("of others")), "hq", false)
	g.Start(t, c)
	hq := startShop(t, g, shop.simulate)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for hq.Stats().Unreadable == 0 {
		select {
		case <-ctx.Done():
			t.Fatal("nothing of the switch was refused")
		case <-time.After(10 * time.Millisecond):
		}
	}
	if hq.Up() != 0 {
		t.Error("a connection is signed on")
	}
}
