package payshield

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"testing"

	"cardswitch/hsm"
	"cardswitch/hsm/keyblock"
	"cardswitch/hsm/mac"
	"cardswitch/hsm/payshield"
)

func sharedKey(a keyblock.Algorithm, size int) hsm.KeySpec {
	return hsm.KeySpec{Usage: keyblock.UsageK1, Algorithm: a, Size: size, Mode: keyblock.ModeB,
		Export: keyblock.ExportN}
}

func TestFormBlocks(t *testing.T) {
	u := unit(t, nil)
	m := driver(t, nil, u)
	s := sharedKey(keyblock.AES, 32)
	whole := make([]byte, 32)
	var components []string
	for i := range 3 {
		raw := make([]byte, 32)
		if _, err := rand.Read(raw); err != nil {
			t.Fatal(err)
		}
		for j := range raw {
			whole[j] ^= raw[j]
		}
		block, _, err := u.Seal(Header{"K1", "A", "B", fmt.Sprintf("c%d", i+1), "N"}, raw)
		if err != nil {
			t.Fatal(err)
		}
		components = append(components, block)
	}
	w, err := m.FormBlocks(t.Context(), s, components)
	if err != nil {
		t.Fatal(err)
	}
	h, raw, err := u.Open(w.Block)
	if err != nil || !bytes.Equal(raw, whole) || h != (Header{"K1", "A", "B", "00", "N"}) {
		t.Errorf("%+v, the key is right: %v, %v", h, bytes.Equal(raw, whole), err)
	}
	if k, err := m.Load(t.Context(), w); err != nil || k.Check() != w.Check {
		t.Errorf("%v, %v", k, err)
	}
	other, _, _ := u.Seal(Header{"K1", "A", "B", "00", "N"}, whole)
	stranger, _, _ := u.Seal(Header{"P0", "A", "B", "c1", "N"}, whole)
	for name, wrong := range map[string][]string{
		"none": nil, "one": components[:1], "a whole key": {components[0], other},
		"another usage": {components[0], stranger}, "nothing": {components[0], ""},
		"forged": {components[0], components[1][:80] + "0000" + components[1][84:]},
	} {
		if _, err := m.FormBlocks(t.Context(), s, wrong); !errors.Is(err, hsm.ErrKey) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	if _, err := m.Adopt(t.Context(), s, components[0]); !errors.Is(err, hsm.ErrKey) {
		t.Errorf("a component was taken for a key: %v", err)
	}
}

// A block of X9.143 doesn't show how long its key is, and neither does the unit's: the least that
// is wanted is taken for it, and no more is believed than the lengths allow.
func TestTheLengthOfAnImportedKey(t *testing.T) {
	u := unit(t, nil)
	m := driver(t, nil, u)
	raw := make([]byte, 32)
	if _, err := rand.Read(raw); err != nil {
		t.Fatal(err)
	}
	under, err := m.Load(t.Context(), plant(t, u, sharedKey(keyblock.AES, 32), raw))
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []struct {
		a           keyblock.Algorithm
		size        int
		least, most int
		want        int // 0: refused
	}{
		{keyblock.TDES, 16, 0, 0, 16}, {keyblock.TDES, 24, 112, 0, 24}, {keyblock.TDES, 24, 0, 0, 16},
		{keyblock.TDES, 24, 128, 0, 0}, {keyblock.AES, 16, 0, 0, 16}, {keyblock.AES, 32, 0, 0, 32},
		{keyblock.AES, 32, 0, 128, 0}, {keyblock.AES, 16, 256, 0, 0},
	} {
		h := keyblock.Header{Version: "D", Usage: "M6", Algorithm: v.a, Mode: "C", Export: "E"}
		if v.a == keyblock.TDES {
			h.Usage = "M3"
		}
		k, err := keyblock.RandomKey(v.a, v.size, nil)
		if err != nil {
			t.Fatal(err)
		}
		block, err := keyblock.Wrap(raw, h, k, keyblock.Options{})
		if err != nil {
			t.Fatal(err)
		}
		want := keyblock.Want{Versions: []keyblock.Version{"D"}, Usages: []keyblock.Usage{h.Usage},
			Algorithms: []keyblock.Algorithm{v.a}, Modes: []keyblock.Mode{"C"},
			Exports: []keyblock.Export{"E"}, LeastStrength: v.least, MostStrength: v.most}
		w, err := m.Import(t.Context(), under, block, want)
		switch {
		case v.want == 0 && !errors.Is(err, keyblock.ErrUnwanted):
			t.Errorf("%+v: error %v", v, err)
		case v.want != 0 && (err != nil || w.Spec.Size != v.want):
			t.Errorf("%+v: %v, %v", v, w.Spec, err)
		}
	}
}

// What a partner's block can be refused for, by the unit.
func TestImportErrors(t *testing.T) {
	u := unit(t, nil)
	m := driver(t, nil, u)
	raw := unhex(t, "88E1AB2A2E3DD38C1FA039A536500CC8A87AB9D62DC92C01058FA79F44657DE6")
	under, err := m.Load(t.Context(), plant(t, u, sharedKey(keyblock.AES, 32), raw))
	if err != nil {
		t.Fatal(err)
	}
	h := keyblock.Header{Version: "D", Usage: "P0", Algorithm: "T", Mode: "B", Export: "E"}
	want := keyblock.Want{Versions: []keyblock.Version{"D", "B"}, Usages: []keyblock.Usage{"P0"},
		Algorithms: []keyblock.Algorithm{"T"}, Modes: []keyblock.Mode{"B"},
		Exports: []keyblock.Export{"E"}}
	k, err := keyblock.RandomKey(keyblock.TDES, 16, nil)
	if err != nil {
		t.Fatal(err)
	}
	block, err := keyblock.Wrap(raw, h, k, keyblock.Options{})
	if err != nil {
		t.Fatal(err)
	}
	wrong, err := k.CheckValue(keyblock.CMAC, 5)
	if err != nil {
		t.Fatal(err)
	}
	wrong.Method = keyblock.TDESECB
	wrong.Hex = "000000"
	forged := block[:60] + "0" + block[61:]
	if block[60] == '0' {
		forged = block[:60] + "1" + block[61:]
	}
	for _, v := range []struct {
		name, block string
		want        error
	}{
		{"forged", forged, keyblock.ErrForged}, {"malformed", block[1:], keyblock.ErrMalformed},
		{"of a TDES key", "B0080P0TB00E0000" + block[16:80], keyblock.ErrKBPK},
	} {
		_, err := m.Import(t.Context(), under, v.block, want)
		if !errors.Is(err, v.want) || errors.Is(err, hsm.ErrKey) {
			t.Errorf("%s: error %v", v.name, err)
		}
	}
	if _, err := m.Import(t.Context(), under, block, want); err != nil {
		t.Error(err)
	}
}

// A key leaves with the check value that is kept with it, or not at all; and never what may not.
func TestExportErrors(t *testing.T) {
	u := unit(t, nil)
	m := driver(t, nil, u)
	raw := unhex(t, "88E1AB2A2E3DD38C1FA039A536500CC8A87AB9D62DC92C01058FA79F44657DE6")
	strong, err := m.Load(t.Context(), plant(t, u, sharedKey(keyblock.AES, 32), raw))
	if err != nil {
		t.Fatal(err)
	}
	weak, err := m.Load(t.Context(), plant(t, u, sharedKey(keyblock.AES, 16), raw[:16]))
	if err != nil {
		t.Fatal(err)
	}
	s := hsm.KeySpec{Usage: keyblock.UsageM6, Algorithm: keyblock.AES, Size: 32, Mode: keyblock.ModeC,
		Export: keyblock.ExportE}
	w, err := m.Generate(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	h := s.Header(keyblock.VersionD, keyblock.ContextExchange)
	block, err := m.Export(t.Context(), strong, w, h)
	if err != nil {
		t.Fatal(err)
	}
	if got, k, err := keyblock.Unwrap(raw, block, anyKey()); err != nil || got.Usage != "M6" ||
		k.Size() != 32 {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := m.Export(t.Context(), weak, w, h); !errors.Is(err, hsm.ErrKey) {
		t.Errorf("under a weaker key: error %v", err)
	}
	other := w
	other.Check.Hex = "000000"
	if _, err := m.Export(t.Context(), strong, other, h); !errors.Is(err, hsm.ErrKey) {
		t.Errorf("another check value: error %v", err)
	}
	stays := s
	stays.Export = keyblock.ExportN
	kept, err := m.Generate(t.Context(), stays)
	if err != nil {
		t.Fatal(err)
	}
	kept.Spec.Export = keyblock.ExportE // the unit must see it, too: the block says N
	if _, err := m.Export(t.Context(), strong, kept, h); !errors.Is(err, hsm.ErrKey) {
		t.Errorf("error %v", err)
	}
	tdes := h
	tdes.Version = keyblock.VersionB
	if _, err := m.Export(t.Context(), strong, w, tdes); !errors.Is(err, keyblock.ErrKBPK) {
		t.Errorf("a TDES block under an AES key: error %v", err)
	}
}

// Codes of 5 to 7 bytes are made by the unit as 8, and compared here.
func TestCodesOfOddLengths(t *testing.T) {
	u := unit(t, nil)
	m := driver(t, nil, u)
	s := hsm.KeySpec{Usage: keyblock.UsageM3, Algorithm: keyblock.TDES, Size: 16, Mode: keyblock.ModeC,
		Export: keyblock.ExportE}
	w, err := m.Generate(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	k, err := m.Load(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	message := []byte("1200 a message")
	how := mac.Spec{Algorithm: mac.Retail, Padding: mac.Padding3, Size: 8}
	whole, err := m.MAC(t.Context(), k, how, nil, message)
	if err != nil {
		t.Fatal(err)
	}
	for how.Size = 4; how.Size <= 8; how.Size++ {
		code, err := m.MAC(t.Context(), k, how, nil, message)
		if err != nil || !bytes.Equal(code, whole[:how.Size]) {
			t.Errorf("%d bytes: %X, %v", how.Size, code, err)
		}
		if err := m.VerifyMAC(t.Context(), k, how, code, message); err != nil {
			t.Errorf("%d bytes: %v", how.Size, err)
		}
		code[how.Size-1] ^= 1
		if err := m.VerifyMAC(t.Context(), k, how, code, message); !errors.Is(err, hsm.ErrMAC) {
			t.Errorf("%d bytes: error %v", how.Size, err)
		}
	}
	how.Size = 8
	if _, err := m.MAC(t.Context(), k, how, nil, make([]byte, 40000)); err == nil {
		t.Error("a message of 40,000 bytes")
	}
	if _, err := m.MAC(t.Context(), k, how, nil, make([]byte, 29000)); err != nil {
		t.Error(err)
	}
}

// Two units with the same LMK: what one makes the other takes. Another LMK is no standby.
func TestUnitsShareKeys(t *testing.T) {
	a, b := unit(t, nil), unit(t, nil)
	stranger := unit(t, func(o *Options) { o.LMK = make([]byte, 32) })
	m := driver(t, func(c *payshield.Config) { c.LMKCheck = a.LMKCheck() }, a, b)
	w, err := m.Generate(t.Context(), pinKey())
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool { return m.Status()[1].Up })
	a.Close()
	waitFor(t, func() bool { return !m.Status()[0].Up })
	if _, err := m.Load(t.Context(), w); err != nil {
		t.Error(err)
	}
	wrong := driver(t, func(c *payshield.Config) { c.LMKCheck = b.LMKCheck() }, b, stranger)
	waitFor(t, func() bool { return wrong.Status()[1].LastError != "" })
	if wrong.Status()[1].Up {
		t.Error("a unit with another LMK is up")
	}
}
