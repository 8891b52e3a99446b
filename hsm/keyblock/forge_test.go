package keyblock

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"time"
)

// kbpkOf is a protection key for tests; the parts of a TDES one differ.
func kbpkOf(cipher Algorithm) []byte {
	if cipher == TDES {
		return []byte("three parts that differ."[:24])
	}
	return []byte("a protection key with 256 bits!!")
}

// forge makes a block that is authentic whatever it says and holds.
func forge(t testing.TB, kbpk []byte, h Header, plain []byte) string {
	t.Helper()
	f, ok := h.Version.form()
	if !ok {
		t.Fatal("no such version")
	}
	head, err := h.write(f, 2*(len(plain)+f.code))
	if err != nil {
		t.Fatal(err)
	}
	return forgeText(t, kbpk, f, head, plain)
}

// forgeText is forge for a header that is given as text.
func forgeText(t testing.TB, kbpk []byte, f form, head string, plain []byte) string {
	t.Helper()
	var keys pair
	if err := derive(f, kbpk, &keys); err != nil {
		t.Fatal(err)
	}
	if f.version != VersionA && f.version != VersionC {
		block, err := seal(&keys, head, plain)
		if err != nil {
			t.Fatal(err)
		}
		return block
	}
	m, err := keys.authenticator()
	if err != nil {
		t.Fatal(err)
	}
	data := make([]byte, len(plain))
	if err := keys.crypt(data, plain, []byte(head[:8]), false); err != nil {
		t.Fatal(err)
	}
	return head + hexOf(data) + hexOf(m.Sum(nil, []byte(head), data))
}

func hexOf(b []byte) string {
	var s strings.Builder
	for _, c := range b {
		s.WriteByte("0123456789ABCDEF"[c>>4])
		s.WriteByte("0123456789ABCDEF"[c&15])
	}
	return s.String()
}

// plainOf is a key with its length before it and zeros behind it to a whole block.
func plainOf(raw []byte, block int) []byte {
	plain := binary.BigEndian.AppendUint16(nil, uint16(8*len(raw)))
	plain = append(plain, raw...)
	for len(plain)%block != 0 {
		plain = append(plain, 0)
	}
	return plain
}

// pinKey is a header of what an acquirer sends: a key for PIN encryption.
func pinKey(v Version, algorithm Algorithm) Header {
	return Header{Version: v, Usage: UsageP0, Algorithm: algorithm, Mode: ModeB, Export: ExportN}
}

var (
	raw16 = []byte("sixteen letters.")
	raw24 = []byte("four and twenty letters.")
	raw32 = []byte("there are two and thirty of them")
)

// The code is right, and the key isn't taken all the same.
func TestAuthenticButUnwanted(t *testing.T) {
	h := Header{Version: VersionD, Usage: UsageM3, Algorithm: TDES, Mode: ModeC, KeyVersion: "07",
		Export: ExportN, Context: ContextExchange}
	want := Want{Versions: []Version{VersionD}, Usages: []Usage{UsageM3, UsageM6},
		Algorithms: []Algorithm{TDES}, Modes: []Mode{ModeC}, Exports: []Export{ExportN},
		KeyVersions: []string{"07"}, Context: ContextExchange, LeastStrength: 80, MostStrength: 112}
	kbpk := kbpkOf(AES)
	block := forge(t, kbpk, h, plainOf(raw16, 16))
	if _, _, err := Unwrap(kbpk, block, want); err != nil {
		t.Fatalf("what is wanted isn't taken: %v", err)
	}
	for reason, change := range map[string]func(*Want){
		"block of version D, not B":         func(w *Want) { w.Versions = []Version{VersionB} },
		"usage is M3 (MAC key: ISO 9797-1 ": func(w *Want) { w.Usages = []Usage{UsageP0} },
		"algorithm is T (TDES), not A":      func(w *Want) { w.Algorithms = []Algorithm{AES} },
		"mode of use is C, not G or V":      func(w *Want) { w.Modes = []Mode{ModeG, ModeV} },
		"exportability is N, not E":         func(w *Want) { w.Exports = []Export{ExportE} },
		"version is 07, not 08":             func(w *Want) { w.KeyVersions = []string{"08"} },
		"another context":                   func(w *Want) { w.Context = ContextStorage },
		"80 bits of security, less than 81": func(w *Want) { w.LeastStrength = 81 },
		"80 bits of security, more than 79": func(w *Want) { w.LeastStrength, w.MostStrength = 1, 79 },
		"and none is wanted":                func(w *Want) { *w = Want{} },
		"P0 or K0":                          func(w *Want) { w.Usages = []Usage{UsageP0, UsageK0} },
	} {
		other := want
		change(&other)
		_, key, err := Unwrap(kbpk, block, other)
		if !errors.Is(err, ErrUnwanted) || !strings.Contains(err.Error(), reason) || !key.IsZero() {
			t.Errorf("%s: %v", reason, err)
		}
	}
}

// The version is looked at before the key is used, so the reason doesn't tell whether the code was
// right.
func TestVersionIsCheckedBeforeTheKeyIsUsed(t *testing.T) {
	block := forge(t, kbpkOf(TDES), pinKey(VersionC, TDES), plainOf(raw16, 8))
	want := anything()
	want.Versions = []Version{VersionB}
	_, _, first := Unwrap(kbpkOf(TDES), block, want)
	_, _, second := Unwrap(kbpkOf(TDES), block[:len(block)-1]+"0", want)
	if !errors.Is(first, ErrUnwanted) || second == nil || first.Error() != second.Error() {
		t.Errorf("%v; %v", first, second)
	}
}

func TestComponentsAreNoKeys(t *testing.T) {
	h := pinKey(VersionD, AES)
	h.KeyVersion = "c1"
	block := forge(t, kbpkOf(AES), h, plainOf(raw32, 16))
	want := anything()
	if _, _, err := Unwrap(kbpkOf(AES), block, want); !errors.Is(err, ErrUnwanted) {
		t.Errorf("a component is taken for a key: %v", err)
	}
	want.KeyVersions = []string{"c1", "c2"}
	got, _, err := Unwrap(kbpkOf(AES), block, want)
	if err != nil || !got.IsComponent() {
		t.Errorf("a component that is wanted isn't taken: %v", err)
	}
}

// No key is under a weaker one, neither when it is written nor when a partner did.
func TestNoKeyUnderAWeakerOne(t *testing.T) {
	same := append(raw16[:8:8], raw16[:8]...)
	for name, c := range map[string]struct {
		kbpk []byte
		v    Version
		key  Key
		ok   bool
	}{
		"AES-256 under AES-128":    {raw16, VersionD, newKey(t, AES, raw32), false},
		"AES-192 under AES-128":    {raw16, VersionE, newKey(t, AES, raw24), false},
		"AES-128 under AES-128":    {raw16, VersionD, newKey(t, AES, raw16), true},
		"TDES-3 under AES-128":     {raw16, VersionD, newKey(t, TDES, raw24), true},
		"AES-128 under TDES-3":     {raw24, VersionB, newKey(t, AES, raw16), false},
		"TDES-3 under TDES-2":      {raw16, VersionB, newKey(t, TDES, raw24), false},
		"TDES-2 under TDES-2":      {raw16, VersionB, newKey(t, TDES, raw16), true},
		"TDES-2 under equal parts": {same, VersionB, newKey(t, TDES, raw16), false},
		"long HMAC under AES-128":  {raw16, VersionD, newKey(t, HMAC, raw32), false},
		"not to be told":           {raw32, VersionD, newKey(t, RSA, raw16), false},
	} {
		h := pinKey(c.v, c.key.Algorithm())
		_, err := Wrap(c.kbpk, h, c.key, Options{})
		if (err == nil) != c.ok {
			t.Errorf("%s: wrapped, %v", name, err)
		}
		block := forge(t, c.kbpk, h, plainOf(rawOf(t, c.key), 16))
		_, _, err = Unwrap(c.kbpk, block, anything())
		if (err == nil) != c.ok || !c.ok && !errors.Is(err, ErrUnwanted) {
			t.Errorf("%s: unwrapped, %v", name, err)
		}
	}
}

// TDES whose parts are the same is DES, and isn't taken unless it is asked for.
func TestEqualPartsAreRefused(t *testing.T) {
	raw := append(raw16[:8:8], raw16[:8]...)
	raw[3] ^= 1 // another parity bit makes no other key
	block := forge(t, kbpkOf(AES), pinKey(VersionD, TDES), plainOf(raw, 16))
	want := anything()
	if _, _, err := Unwrap(kbpkOf(AES), block, want); !errors.Is(err, ErrUnwanted) {
		t.Errorf("taken: %v", err)
	}
	want.LeastStrength = 56
	if _, _, err := Unwrap(kbpkOf(AES), block, want); err != nil {
		t.Error(err)
	}
}

// A check value in the header that isn't the key's is refused, though the code is right.
func TestCheckValuesInTheHeader(t *testing.T) {
	kbpk, key := kbpkOf(AES), newKey(t, AES, raw32)
	check := func(k Key) CheckValue {
		value, err := k.CheckValue(CMAC, 5)
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
	right, of := check(key), check(newKey(t, AES, kbpk))
	created := time.Date(2026, 11, 2, 3, 4, 5, 0, time.FixedZone("JST", 9*3600))
	for _, c := range []struct {
		kc, kp CheckValue
		ok     bool
	}{{right, of, true}, {of, of, false}, {right, right, false},
		{CheckValue{TDESECB, "112233"}, of, false}} {
		kc, err1 := Check(KC, c.kc)
		kp, err2 := Check(KP, c.kp)
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		h := pinKey(VersionD, AES)
		h.Optional = []Optional{kc, kp, Time(TS, created), {LB, "ZPK of link 7"}}
		_, err := Wrap(kbpk, h, key, Options{})
		if (err == nil) != c.ok {
			t.Errorf("%v %v: wrapped, %v", c.kc, c.kp, err)
		}
		got, _, err := Unwrap(kbpk, forge(t, kbpk, h, plainOf(raw32, 16)), anything())
		if (err == nil) != c.ok || !c.ok && !errors.Is(err, ErrUnwanted) {
			t.Errorf("%v %v: unwrapped, %v", c.kc, c.kp, err)
		}
		if c.ok {
			value, _ := got.CheckValue(KC)
			at, _ := got.Time(TS)
			label, _ := got.Find(LB)
			if value != right || !at.Equal(created) || label != "ZPK of link 7" {
				t.Errorf("read are %v, %v, %q", value, at, label)
			}
		}
	}
}

// What is inside is malformed, although whoever made it had the key.
func TestMalformedInside(t *testing.T) {
	length := func(bits uint16, size int) []byte {
		return append(binary.BigEndian.AppendUint16(nil, bits), make([]byte, size-2)...)
	}
	for name, c := range map[string]struct {
		algorithm Algorithm
		plain     []byte
	}{
		"no key":                  {AES, length(0, 32)},
		"not of whole bytes":      {AES, length(129, 32)},
		"longer than the block":   {AES, length(256, 32)},
		"much longer":             {AES, length(0xFFF8, 32)},
		"AES with 20 bytes":       {AES, length(160, 32)},
		"TDES with 8 bytes":       {TDES, length(64, 32)},
		"TDES with 32 bytes":      {TDES, length(256, 48)},
		"DES with 16 bytes":       {DES, length(128, 32)},
		"HMAC without a key":      {HMAC, length(0, 16)},
		"an algorithm that isn't": {"Z", length(128, 32)},
	} {
		block := forge(t, kbpkOf(AES), pinKey(VersionD, c.algorithm), c.plain)
		if _, _, err := Unwrap(kbpkOf(AES), block, anything()); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
