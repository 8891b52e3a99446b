package security_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"cardswitch/hsm/keyring"
	"cardswitch/hsm/mac"
	"cardswitch/hsm/pinblock"
	"cardswitch/spec"
	"cardswitch/spec/dialect"
	"cardswitch/switch/security"
	"cardswitch/switch/security/securitytest"
	"cardswitch/switch/txn"
)

// wide is a dialect with room for a PIN block of format 4.
func wide(t testing.TB) *spec.Dialect {
	t.Helper()
	d, err := dialect.Parse("wide-pin", []byte("base: ascii-binary\nelements: {52: {length: 16}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// zones are two centers with PINs, over one module.
func zones(t testing.TB, from, to int) (g *security.Guard, p [2]*security.Profile,
	x [2]*securitytest.Partner) {
	t.Helper()
	m := securitytest.Soft(t)
	ring := securitytest.Ring(t, m)
	for i, format := range []int{from, to} {
		d, err := dialect.Builtin("ascii-binary")
		if err != nil {
			t.Fatal(err)
		}
		if format == 4 {
			d = wide(t)
		}
		f, err := pinblock.ParseFormat(format)
		if err != nil {
			t.Fatal(err)
		}
		center := []string{"hq-1", "issuer-a"}[i]
		p[i] = &security.Profile{Dialect: d, Generations: true, PIN: &security.PIN{Format: f},
			MAC: &security.MAC{Padding: mac.Padding1, Size: 8}}
		if err := p[i].Compile(center); err != nil {
			t.Fatal(err)
		}
		x[i] = &securitytest.Partner{T: t, Ring: ring, Center: center, Dialect: d, Padding: 1,
			Size: 8, PIN: format, Generations: true}
		x[i].NewKeys()
	}
	return security.NewGuard(m, ring, nil), p, x
}

// withPIN is a sealed message of a partner with a PIN for a card.
func withPIN(t testing.TB, x *securitytest.Partner, pin, card string) *spec.Message {
	t.Helper()
	var e spec.Edit
	e.Reset()
	e.Set(52, x.Encipher(pin, card))
	out, fault := x.Dialect.Append(nil, x.Index(message(t, x.Dialect, 0x1200, false)), &e)
	if !fault.OK() {
		t.Fatal(fault.Err())
	}
	return x.Index(x.Seal(out))
}

// carried brings a message with a PIN from one center to the other.
func carried(t testing.TB, g *security.Guard, p [2]*security.Profile, m *spec.Message) (
	[]byte, txn.Reason) {
	t.Helper()
	f := g.Inspect(t.Context(), p[0], m)
	if f.Reason != txn.None {
		t.Fatalf("inspected: %v, %v", f.Reason, f.Err)
	}
	block, why := g.Accept(p[0], p[1], m, &f)
	if why != txn.None {
		return nil, why
	}
	var e spec.Edit
	e.Reset()
	e.Set(52, make([]byte, p[1].PIN.Format.Size()))
	frame, fault := p[1].Dialect.Append(nil, m, &e)
	if !fault.OK() {
		t.Fatal(fault.Err())
	}
	out, why, _ := g.Protect(t.Context(), nil, p[1], frame, block)
	return out, why
}

func TestPINsAreTranslated(t *testing.T) {
	for _, way := range [][2]int{{0, 0}, {0, 3}, {0, 4}, {3, 0}, {3, 3}, {4, 0}} {
		t.Run(fmt.Sprint(way), func(t *testing.T) {
			g, p, x := zones(t, way[0], way[1])
			for _, pin := range []string{"1234", "987654321098"} {
				out, why := carried(t, g, p, withPIN(t, x[0], pin, pan))
				if why != txn.None {
					t.Fatal(why)
				}
				m := x[1].Index(out)
				if got := x[1].Decipher(m, pan); got != pin {
					t.Errorf("the PIN arrives as another")
				}
				if err := x[1].Check(m); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// Whatever is wrong with a block, the reason is the same; what is wrong with the keys is told.
func TestPINsAreRefused(t *testing.T) {
	g, p, x := zones(t, 0, 0)
	for name, m := range map[string]*spec.Message{
		"a block of another card": withPIN(t, x[0], "1234", "3530111222211119"),
		"a block under another key": func() *spec.Message {
			stranger := *x[0]
			_, _, others := zones(t, 0, 0)
			others[0].Dialect = stranger.Dialect
			var e spec.Edit
			e.Reset()
			e.Set(52, others[0].Encipher("1234", pan))
			out, _ := stranger.Dialect.Append(nil, x[0].Index(message(t, x[0].Dialect, 0x1200, false)), &e)
			return x[0].Index(x[0].Seal(out))
		}(),
	} {
		if out, why := carried(t, g, p, m); why != txn.PINUnreadable || len(out) != 0 {
			t.Errorf("%s: %v and %d bytes", name, why, len(out))
		}
	}
	good := withPIN(t, x[0], "1234", pan)
	keys := g.Inspect(t.Context(), p[0], good).Keys
	none := &security.Profile{Dialect: p[0].Dialect}
	for name, c := range map[string]struct {
		from, to *security.Profile
		want     txn.Reason
	}{
		"an issuer without an agreement":  {p[0], none, txn.PINNotTaken},
		"an issuer without security":      {p[0], nil, txn.PINNotTaken},
		"a merchant without an agreement": {none, p[1], txn.PINNotTaken},
		"two without one":                 {none, nil, txn.None},
	} {
		f := security.Finding{Keys: keys}
		if b, why := g.Accept(c.from, c.to, good, &f); why != c.want || b != nil {
			t.Errorf("%s: %v", name, why)
		}
	}
	future, other := keys, keys
	future.ZPK, other.Format = 7, 3
	f := security.Finding{Keys: future}
	if _, why := g.Accept(p[0], p[1], good, &f); why != txn.PINKeyUnknown {
		t.Errorf("an unknown generation: %v", why)
	}
	f.Keys = other
	if _, why := g.Accept(p[0], p[1], good, &f); why != txn.PINUnreadable {
		t.Errorf("another format than agreed: %v", why)
	}
}

// A PIN key that changed meanwhile is found by its generation.
func TestPINKeysByGeneration(t *testing.T) {
	g, p, x := zones(t, 0, 0)
	m := withPIN(t, x[0], "1234", pan)
	x[0].NewKey(keyring.ZPK, keyring.In)
	x[1].NewKey(keyring.ZPK, keyring.Out)
	out, why := carried(t, g, p, m)
	if why != txn.None {
		t.Fatal(why)
	}
	if got := x[1].Decipher(x[1].Index(out), pan); got != "1234" {
		t.Error("the PIN arrives as another")
	}
}

// A PIN block prints as nothing, and is gone when it is wiped.
func TestBlocksAreHidden(t *testing.T) {
	g, p, x := zones(t, 0, 0)
	m := withPIN(t, x[0], "1234", pan)
	f := g.Inspect(t.Context(), p[0], m)
	b, why := g.Accept(p[0], p[1], m, &f)
	if why != txn.None {
		t.Fatal(why)
	}
	raw := m.Append(nil, 52)
	for _, form := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		text := fmt.Sprintf(form, b)
		if bytes.Contains([]byte(text), raw) || strings.Contains(text, fmt.Sprintf("%x", raw)) ||
			strings.Contains(text, fmt.Sprint(raw)[1:20]) {
			t.Errorf("%s shows the block", form)
		}
	}
	b.Wipe()
	if out, why, _ := g.Protect(t.Context(), nil, p[1], m.Raw(), b); why != txn.PINUnreadable {
		t.Errorf("a wiped block makes %d bytes", len(out))
	}
}

// A format that doesn't fit element 52 of the dialect is refused at the start.
func TestFormatsFitTheDialect(t *testing.T) {
	d, err := dialect.Builtin("ascii-hex")
	if err != nil {
		t.Fatal(err)
	}
	p := security.Profile{Dialect: d, PIN: &security.PIN{Format: pinblock.Format4}}
	if err := p.Compile("hq-1"); err == nil || !strings.Contains(err.Error(), "hint") {
		t.Errorf("format 4 in 8 bytes: %v", err)
	}
	p.PIN.Format = pinblock.Format3
	if err := p.Compile("hq-1"); err != nil {
		t.Error(err)
	}
}

// Where two centers agreed on codes alone, a PIN is theirs: it is passed on as it is.
func TestPINsOfOthers(t *testing.T) {
	g, p, x := zones(t, 0, 0)
	m := withPIN(t, x[0], "1234", pan)
	f := g.Inspect(t.Context(), p[0], m)
	b, why := g.Accept(p[0], p[1], m, &f)
	if why != txn.None {
		t.Fatal(why)
	}
	p[1].PIN = nil
	out, why, err := g.Protect(t.Context(), nil, p[1], m.Raw(), nil)
	if why != txn.None {
		t.Fatal(err)
	}
	if got := x[1].Index(out); !bytes.Equal(got.Append(nil, 52), m.Append(nil, 52)) {
		t.Error("a PIN block of others is changed")
	}
	if out, why, _ := g.Protect(t.Context(), nil, p[1], m.Raw(), b); why != txn.PINNotTaken {
		t.Errorf("a block for a center that takes none any more: %v, %d bytes", why, len(out))
	}
}
