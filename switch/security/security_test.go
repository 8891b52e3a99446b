package security_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"cardswitch/hsm"
	"cardswitch/hsm/keyring"
	"cardswitch/hsm/mac"
	"cardswitch/hsm/pinblock"
	"cardswitch/spec"
	"cardswitch/spec/dialect"
	"cardswitch/spec/keying"
	"cardswitch/switch/security"
	"cardswitch/switch/security/securitytest"
	"cardswitch/switch/txn"
)

const pan = "3530111333300000"

// agreement is one way to protect messages, known to both ends.
type agreement struct {
	name    string
	profile security.Profile
	partner securitytest.Partner
}

func agreements() []agreement {
	list := []agreement{}
	for padding := 1; padding <= 3; padding++ {
		list = append(list, agreement{fmt.Sprintf("retail MAC, padding %d", padding),
			security.Profile{MAC: &security.MAC{Padding: mac.Padding(padding), Size: 8}},
			securitytest.Partner{Padding: padding, Size: 8}})
	}
	elements := []int{0, 1, 3, 2, 4, 11, 53, 90}
	return append(list,
		agreement{"short", security.Profile{MAC: &security.MAC{Padding: mac.Padding1, Size: 4}},
			securitytest.Partner{Padding: 1, Size: 4}},
		agreement{"AES-CMAC", security.Profile{MAC: &security.MAC{CMAC: true, Size: 8}},
			securitytest.Partner{CMAC: true, Size: 8}},
		agreement{"listed elements",
			security.Profile{MAC: &security.MAC{CMAC: true, Size: 8, Elements: elements}},
			securitytest.Partner{CMAC: true, Size: 8, Elements: elements}},
	)
}

// setup gives a guard, and both ends of an agreement with fresh keys.
func setup(t testing.TB, a agreement, d string, generations bool) (*security.Guard,
	*security.Profile, *securitytest.Partner) {
	t.Helper()
	format, err := dialect.Builtin(d)
	if err != nil {
		t.Fatal(err)
	}
	m := securitytest.Soft(t)
	ring := securitytest.Ring(t, m)
	p, x := a.profile, a.partner
	p.Dialect, p.Generations = format, generations
	if err := p.Compile("hq-1"); err != nil {
		t.Fatal(err)
	}
	x.T, x.Ring, x.Center, x.Dialect, x.Generations = t, ring, "hq-1", format, generations
	x.NewKeys()
	return security.NewGuard(m, ring, nil), &p, &x
}

// message is one with some elements, above 64 too where wide.
func message(t testing.TB, d *spec.Dialect, mti spec.MTI, wide bool) []byte {
	t.Helper()
	var e spec.Edit
	e.Reset()
	e.SetMTI(mti)
	for n, v := range map[int]string{2: pan, 3: "000000", 4: "000000001000", 11: "000042",
		12: "261122120000", 32: "12345678901", 41: "TERM0001"} {
		e.Set(n, []byte(v))
	}
	if wide {
		e.Set(93, []byte("12345678901"))
	}
	out, fault := d.Append(nil, nil, &e)
	if !fault.OK() {
		t.Fatal(fault.Err())
	}
	return out
}

// Codes that one end makes the other takes, in every way, dialect and direction.
func TestBothEndsAgree(t *testing.T) {
	for _, a := range agreements() {
		for _, d := range dialect.Names() {
			for _, generations := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s in %s, %v", a.name, d, generations), func(t *testing.T) {
					g, p, x := setup(t, a, d, generations)
					for _, wide := range []bool{false, true} {
						plain := message(t, p.Dialect, 0x1200, wide)
						f := g.Inspect(t.Context(), p, x.Index(x.Seal(plain)))
						if f.Reason != txn.None || !f.Coded {
							t.Errorf("a right code: %v, %v", f.Reason, f.Err)
						}
						out, why, err := g.Protect(t.Context(), []byte("before"), p, plain, nil)
						if why != txn.None {
							t.Fatalf("%v: %v", why, err)
						}
						out, found := bytes.CutPrefix(out, []byte("before"))
						if !found {
							t.Fatal("what was there before is gone")
						}
						if len(out) > len(plain)+p.Room() {
							t.Errorf("%d bytes were added, Room says %d", len(out)-len(plain), p.Room())
						}
						if err := x.Check(x.Index(out)); err != nil {
							t.Error(err)
						}
					}
				})
			}
		}
	}
}

// Not one bit of a message may differ: it is refused, whether it can still be read or not.
func TestEveryBitCounts(t *testing.T) {
	for _, a := range agreements() {
		if a.partner.Elements != nil {
			continue
		}
		g, p, x := setup(t, a, "ascii-binary", true)
		sealed := x.Seal(message(t, p.Dialect, 0x1200, true))
		var m spec.Message
		read := 0
		for bit := range 8 * len(sealed) {
			flipped := bytes.Clone(sealed)
			flipped[bit/8] ^= 1 << (bit % 8)
			if !p.Dialect.Index(&m, flipped).OK() {
				continue
			}
			read++
			if f := g.Inspect(t.Context(), p, &m); f.Reason == txn.None {
				t.Errorf("%s: bit %d of byte %d doesn't count", a.name, bit%8, bit/8)
			}
		}
		if read < 100 {
			t.Errorf("%s: only %d of the altered messages could be read", a.name, read)
		}
	}
}

// What the message says of its key decides, and nothing else.
func TestKeysByGeneration(t *testing.T) {
	a := agreements()[0]
	g, p, x := setup(t, a, "ascii-binary", true)
	plain := message(t, p.Dialect, 0x1200, false)
	reason := func(frame []byte) txn.Reason {
		return g.Inspect(t.Context(), p, x.Index(frame)).Reason
	}
	if why := reason(x.SealWith(plain, 0, 2)); why != txn.MACKeyUnknown {
		t.Errorf("a generation that isn't there: %v", why)
	}
	if why := reason(x.SealWith(plain, 0, 0)); why != txn.MACKeyUnknown {
		t.Errorf("no generation: %v", why)
	}
	old := x.SealWith(plain, 0, 1)
	x.NewKey(keyring.ZAK, keyring.In)
	x.NewKey(keyring.ZAK, keyring.Out)
	if why := reason(old); why != txn.None {
		t.Errorf("the old key beside the new one: %v", why)
	}
	if why := reason(x.SealWith(plain, 0, 2)); why != txn.None {
		t.Errorf("the new key: %v", why)
	}
	out, why, err := g.Protect(t.Context(), nil, p, plain, nil)
	if why != txn.None {
		t.Fatal(err)
	}
	if c, err := keying.Parse(x.Index(out).Append(nil, 53)); err != nil || c.ZAK != 2 {
		t.Errorf("sent with generation %d, %v", c.ZAK, err)
	}
	if err := x.Check(x.Index(out)); err != nil {
		t.Error(err)
	}
}

// A code that is missing, or isn't last, is no code.
func TestNoCode(t *testing.T) {
	a := agreements()[0]
	g, p, x := setup(t, a, "ascii-binary", false)
	plain := message(t, p.Dialect, 0x1200, false)
	if f := g.Inspect(t.Context(), p, x.Index(plain)); f.Reason != txn.MACMissing {
		t.Errorf("no code: %v", f.Reason)
	}
	var e spec.Edit
	e.Reset()
	e.Set(93, []byte("12345678901"))
	longer, fault := p.Dialect.Append(nil, x.Index(x.Seal(plain)), &e)
	if !fault.OK() {
		t.Fatal(fault.Err())
	}
	if f := g.Inspect(t.Context(), p, x.Index(longer)); f.Reason != txn.MACMissing {
		t.Errorf("a code with an element behind it: %v", f.Reason)
	}
	p.MAC.Required = []spec.MTI{0x1420}
	if f := g.Inspect(t.Context(), p, x.Index(plain)); f.Reason != txn.None || f.Coded {
		t.Errorf("no code where none is required: %v", f.Reason)
	}
	for mti, want := range map[spec.MTI]txn.Reason{0x1420: txn.MACMissing, 0x1421: txn.MACMissing,
		0x1430: txn.MACMissing, 0x1200: txn.None, 0x1210: txn.None} {
		m := x.Index(message(t, p.Dialect, mti, false))
		if f := g.Inspect(t.Context(), p, m); f.Reason != want {
			t.Errorf("%s: %v, want %v", mti, f.Reason, want)
		}
	}
	wrong := x.Seal(plain)
	wrong[len(wrong)-1] ^= 1
	if f := g.Inspect(t.Context(), p, x.Index(wrong)); f.Reason != txn.MACWrong {
		t.Errorf("a wrong code where none is required: %v", f.Reason)
	}
}

// Without a key nothing goes out that must have a code; the rest goes without.
func TestNoKey(t *testing.T) {
	m := securitytest.Soft(t)
	g := security.NewGuard(m, securitytest.Ring(t, m), nil)
	d, err := dialect.Builtin("ascii-binary")
	if err != nil {
		t.Fatal(err)
	}
	p := &security.Profile{Dialect: d, Generations: true,
		MAC: &security.MAC{Padding: mac.Padding1, Size: 8, Required: []spec.MTI{0x1200}}}
	if err := p.Compile("hq-1"); err != nil {
		t.Fatal(err)
	}
	sale, echo := message(t, d, 0x1200, false), message(t, d, 0x1804, false)
	if out, why, err := g.Protect(t.Context(), nil, p, sale, nil); why != txn.NoKey || err == nil ||
		out != nil {
		t.Errorf("%d bytes, %v, %v", len(out), why, err)
	}
	out, why, _ := g.Protect(t.Context(), nil, p, echo, nil)
	if why != txn.None || !bytes.Equal(out, echo) {
		t.Errorf("%X, %v", out, why)
	}
}

// An element 53 that isn't as agreed names the element.
func TestControl(t *testing.T) {
	a := agreements()[0]
	a.profile.PIN = &security.PIN{Format: pinblock.Format0}
	g, p, x := setup(t, a, "ascii-binary", true)
	with := func(mti spec.MTI, control []byte) security.Finding {
		var e spec.Edit
		e.Reset()
		e.Set(64, make([]byte, 8))
		if control != nil {
			e.Set(53, control)
		}
		out, fault := p.Dialect.Append(nil, x.Index(message(t, p.Dialect, mti, false)), &e)
		if !fault.OK() {
			t.Fatal(fault.Err())
		}
		return g.Inspect(t.Context(), p, x.Index(out))
	}
	for name, control := range map[string][]byte{"none": nil, "short": {1, 0, 0, 0, 1},
		"another profile": {2, 0, 0, 0, 1, 0xFF, 7, 7}, "a PIN that isn't there": {1, 0, 1, 0, 1, 0}} {
		f := with(0x1200, control)
		if f.Reason != txn.Malformed || f.Fault.Element != 53 {
			t.Errorf("%s: %v, %v", name, f.Reason, f.Fault)
		}
	}
	f := with(0x1804, []byte{2, 0, 0, 0, 1, 0xFF, 7, 7})
	if f.Reason != txn.MACWrong || f.Keys.ZAK != 1 || !bytes.Equal(f.Order, []byte{7, 7}) {
		t.Errorf("a change of keys: %v, generation %d, order %X", f.Reason, f.Keys.ZAK, f.Order)
	}
}

// A message that changes keys keeps its order behind how it is protected, and comes back to what
// it was.
func TestChangesKeepTheirOrder(t *testing.T) {
	g, p, x := setup(t, agreements()[0], "ascii-binary", true)
	var e spec.Edit
	e.Reset()
	e.Set(53, []byte{1, 2, 1, 0, 0, 9})
	plain, fault := p.Dialect.Append(nil, x.Index(message(t, p.Dialect, 0x1804, true)), &e)
	if !fault.OK() {
		t.Fatal(fault.Err())
	}
	out, why, err := g.Protect(t.Context(), nil, p, plain, nil)
	if why != txn.None {
		t.Fatal(err)
	}
	m := x.Index(out)
	v := m.Append(nil, 53)
	if !bytes.Equal(v, []byte{2, 0, 0, 0, 1, 0xFF, 1, 2, 1, 0, 0, 9}) {
		t.Errorf("element 53 is %X", v)
	}
	f := security.Finding{Order: v[6:]}
	if bare, fault := f.Bare(nil, m); !fault.OK() || !bytes.Equal(bare, plain) {
		t.Errorf("it comes back as %X, not %X", bare, plain)
	}
}

// A module that fails is told from a message that is wrong.
func TestModuleFails(t *testing.T) {
	g, p, x := setup(t, agreements()[0], "ascii-binary", true)
	plain := message(t, p.Dialect, 0x1200, false)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if f := g.Inspect(ctx, p, x.Index(x.Seal(plain))); f.Reason != txn.ModuleSilent {
		t.Errorf("inspected: %v", f.Reason)
	}
	if _, why, err := g.Protect(ctx, nil, p, plain, nil); why != txn.ModuleSilent || err == nil {
		t.Errorf("protected: %v, %v", why, err)
	}
	retail := *p.MAC
	p.MAC = &security.MAC{CMAC: true, Size: 8}
	if _, why, _ := g.Protect(t.Context(), nil, p, plain, nil); why != txn.ModuleFailed {
		t.Errorf("a key of another algorithm: %v", why)
	}
	p.MAC = &retail
	if err := g.Permit(p, hsm.Production); err != nil {
		t.Errorf("codes in production: %v", err)
	}
	p.PIN = &security.PIN{Format: pinblock.Format0}
	if err := g.Permit(p, hsm.Production); err == nil {
		t.Error("PINs in this process are allowed in production")
	}
}
