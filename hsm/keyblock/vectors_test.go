package keyblock

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"cardswitch/hsm/mac"
	"cardswitch/hsm/vectors"
)

// anything wants every key that is a key.
func anything() Want {
	return Want{
		Versions:   []Version{VersionA, VersionB, VersionC, VersionD, VersionE},
		Usages:     Usages(),
		Algorithms: []Algorithm{AES, DES, EC, HMAC, RSA, DSA, TDES},
		Modes:      []Mode{ModeB, ModeC, ModeD, ModeE, ModeG, ModeN, ModeS, ModeV, ModeX, ModeY},
		Exports:    []Export{ExportE, ExportN, ExportS},
	}
}

func rawOf(t testing.TB, key Key) (raw []byte) {
	t.Helper()
	if err := key.Use(func(b []byte) error { raw = bytes.Clone(b); return nil }); err != nil {
		t.Fatal(err)
	}
	return raw
}

func newKey(t testing.TB, algorithm Algorithm, raw []byte) Key {
	t.Helper()
	key, err := NewKey(algorithm, raw)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestUnwrapVectors(t *testing.T) {
	for _, c := range vectors.Load(t, "tr31") {
		h, key, err := Unwrap(c.Hex("kbpk"), c.Text("block"), anything())
		if err != nil {
			t.Errorf("%s: %v", c.ID(), err)
			continue
		}
		if got := rawOf(t, key); !bytes.Equal(got, c.Hex("key")) {
			t.Errorf("%s: another key", c.ID())
		}
		if parsed, err := Parse(c.Text("block")); err != nil || fmt.Sprint(parsed) != fmt.Sprint(h) ||
			string(h.Version) != c.Text("version") {
			t.Errorf("%s: the header is %v or %v, %v", c.ID(), h, parsed, err)
		}
		if c.Text("kcv") == "" {
			continue
		}
		method := TDESECB
		if key.Algorithm() == AES {
			method = CMAC
		}
		value, err := key.CheckValue(method, len(c.Hex("kcv")))
		if key.Algorithm() != EC && (err != nil || value.Hex != c.Text("kcv")) {
			t.Errorf("%s: check value %v, %v", c.ID(), value, err)
		}
	}
}

// With the padding that the standard's example has, Wrap gives the example to the last character.
func TestWrapGivesTheVectors(t *testing.T) {
	same := 0
	for _, c := range vectors.Load(t, "tr31") {
		h, key, err := Unwrap(c.Hex("kbpk"), c.Text("block"), anything())
		if err != nil {
			t.Fatal(err)
		}
		if h.Version == VersionA || h.Version == VersionC || h.Usage == UsageB0 && h.Mode == ModeV {
			if _, err := Wrap(c.Hex("kbpk"), h, key, Options{}); err == nil {
				t.Errorf("%s: what the standard doesn't allow is written", c.ID())
			}
			continue
		}
		s, err := read(c.Text("block"))
		if err != nil {
			t.Fatal(err)
		}
		var keys pair
		plain := make([]byte, len(s.data))
		err = errors.Join(derive(s.form, c.Hex("kbpk"), &keys), keys.crypt(plain, s.data, s.code, true))
		if err != nil {
			t.Fatal(err)
		}
		o := Options{Random: bytes.NewReader(plain[2+key.Size():])}
		o.ShowLength = paddedSize(s.form, key, false) != len(plain)
		block, err := Wrap(c.Hex("kbpk"), h, key, o)
		if err != nil || block != c.Text("block") {
			t.Errorf("%s: %v\n%s\n%s", c.ID(), err, block, c.Text("block"))
		}
		same++
	}
	if same != 12 {
		t.Errorf("%d examples are written again, not 12", same)
	}
}

func TestDeriveVectors(t *testing.T) {
	for _, c := range vectors.Load(t, "tr31_keys") {
		f, ok := Version(c.Text("version")).form()
		var keys pair
		if err := derive(f, c.Hex("kbpk"), &keys); err != nil || !ok {
			t.Fatal(err)
		}
		if !bytes.Equal(keys.encrypt[:keys.size], c.Hex("kbek")) ||
			!bytes.Equal(keys.code[:keys.size], c.Hex("kbak")) {
			t.Errorf("%s: %X, %X", c.ID(), keys.encrypt[:keys.size], keys.code[:keys.size])
		}
		if keys.wipe(); keys != (pair{}) {
			t.Errorf("%s: something stays after wipe", c.ID())
		}
	}
}

// There is no published vector with an AES-192 KBPK, so this spells its derivation out: two CMACs,
// of which the second is halved (X9.143 section 7.2).
func TestDeriveAES192(t *testing.T) {
	m, err := mac.New(mac.Spec{Algorithm: mac.AESCMAC, Size: 16}, raw24)
	if err != nil {
		t.Fatal(err)
	}
	for v, usage := range map[Version]byte{VersionD: 0, VersionE: 2} {
		f, _ := v.form()
		var keys pair
		if err := derive(f, raw24, &keys); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			usage byte
			got   []byte
		}{{usage, keys.encrypt[:keys.size]}, {1, keys.code[:keys.size]}} {
			want := m.Sum(nil, []byte{1, 0, c.usage, 0, 0, 3, 0, 0xC0})
			want = m.Sum(want, []byte{2, 0, c.usage, 0, 0, 3, 0, 0xC0})[:24]
			if !bytes.Equal(c.got, want) {
				t.Errorf("%s, usage %d: %X, want %X", v, c.usage, c.got, want)
			}
		}
	}
}

func TestInvalidVectors(t *testing.T) {
	for _, c := range vectors.Load(t, "tr31_invalid") {
		_, key, err := Unwrap(c.Hex("kbpk"), c.Text("block"), anything())
		if c.Text("expect") != "reject" || !key.IsZero() {
			t.Fatalf("%s: expected is %s", c.ID(), c.Text("expect"))
		}
		if !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrForged) &&
			!errors.Is(err, ErrKBPK) {
			t.Errorf("%s: %v", c.ID(), err)
		}
	}
}

// What X9.143 section 8.5 and 8.6 print in their long optional blocks.
func TestOptionalBlocksOfVectors(t *testing.T) {
	long := 0
	for _, c := range vectors.Load(t, "tr31") {
		h, err := Parse(c.Text("block"))
		if err != nil {
			t.Fatal(err)
		}
		certificate, ok := h.Find(CT)
		if !ok {
			continue
		}
		long++
		value, kp := h.CheckValue(KP)
		at, ts := h.Time(TS)
		if !kp || !ts || at.Year() != 2020 || len(value.Hex) != 10 || len(h.Optional) != 4 ||
			h.Optional[0].ID != CT || h.Optional[3].ID != PB || !strings.Contains(certificate, "MII") {
			t.Errorf("%s: %v %v %v", c.ID(), value, at, h.Optional)
		}
	}
	if long != 2 {
		t.Errorf("%d blocks have a certificate, not 2", long)
	}
}

func TestCheckValueVectors(t *testing.T) {
	for _, c := range vectors.Load(t, "kcv") {
		algorithm, method := TDES, TDESECB
		if c.Text("alg") == "AES" {
			algorithm = AES
		}
		if c.Text("method") == "CMAC-zero" {
			method = CMAC
		}
		key := newKey(t, algorithm, c.Hex("key"))
		want := CheckValue{method, c.Text("kcv")}
		got, err := key.CheckValue(method, len(c.Hex("kcv")))
		if err != nil || got != want || !got.Matches(want) {
			t.Errorf("%s: %v, %v", c.ID(), got, err)
		}
	}
}

// PayEx prints four bytes of a component's check value; more than three aren't given here. Its
// components have no parity.
func TestComponentVectors(t *testing.T) {
	for _, c := range vectors.Load(t, "key_components") {
		one, two := newKey(t, TDES, c.Hex("component1")), newKey(t, TDES, c.Hex("component2"))
		key, err := Combine(false, one, two)
		if err != nil {
			t.Fatalf("%s: %v", c.ID(), err)
		}
		for i, k := range []Key{one, two, key} {
			want := c.Text([]string{"kcv1", "kcv2", "kcv"}[i])[:6]
			if got, err := k.CheckValue(TDESECB, 3); err != nil || got.Hex != want {
				t.Errorf("%s: key %d has check value %v, want %s, %v", c.ID(), i, got, want, err)
			}
			if _, err := k.CheckValue(TDESECB, 4); err == nil {
				t.Errorf("%s: a check value of four bytes is given", c.ID())
			}
		}
		if _, err := Combine(true, one, two); err == nil {
			t.Errorf("%s: taken as of odd parity", c.ID())
		}
	}
}
