package moduletest

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"cardswitch/hsm"
	"cardswitch/hsm/keyblock"
	"cardswitch/hsm/vectors"
)

// as wants exactly what a header says.
func as(h keyblock.Header) keyblock.Want {
	return keyblock.Want{Versions: []keyblock.Version{h.Version}, Usages: []keyblock.Usage{h.Usage},
		Algorithms: []keyblock.Algorithm{h.Algorithm}, Modes: []keyblock.Mode{h.Mode},
		Exports: []keyblock.Export{h.Export}, Context: keyblock.ContextExchange}
}

// exactly wants keys of one length alone. A module whose blocks don't show how long a key is goes
// by what is wanted.
func exactly(w keyblock.Want, a keyblock.Algorithm, size int) keyblock.Want {
	bits := 8 * size
	if a == keyblock.TDES {
		bits = map[int]int{16: 80, 24: 112}[size]
	}
	w.LeastStrength, w.MostStrength = bits, bits
	return w
}

// transport is the spec of the key that blocks of a version are under.
func transport(v keyblock.Version) hsm.KeySpec {
	s := key(keyblock.UsageK1, keyblock.TDES, 0, keyblock.ModeB)
	if v == keyblock.VersionD || v == keyblock.VersionE {
		s.Algorithm = keyblock.AES
	}
	return s
}

// Published blocks with keys that the switch has a use for.
func testImport(t *testing.T, open Open) {
	b := start(t, open)
	b.need(hsm.Import)
	taken := 0
	for _, c := range vectors.Load(t, "tr31") {
		h, err := keyblock.Parse(c.Text("block"))
		if err != nil {
			t.Fatal(err)
		}
		size := len(c.Text("key")) / 2
		if hsm.SpecOf(h, size).Validate() != nil {
			continue
		}
		taken++
		t.Run(c.ID(), func(t *testing.T) {
			b := b.on(t)
			under := b.known(transport(h.Version), c.Hex("kbpk"))
			w, err := b.Import(t.Context(), under, c.Text("block"), exactly(as(h), h.Algorithm, size))
			b.must(err)
			b.sound(hsm.SpecOf(h, size), w, b.loaded(w))
			method, _ := w.Spec.CheckMethod()
			want := keyblock.CheckValue{Method: method, Hex: c.Text("kcv")}
			if want.Hex != "" && !w.Check.Matches(want) {
				t.Errorf("the check value is %v, not %v", w.Check, want)
			}
		})
	}
	if taken < 8 {
		t.Errorf("only %d blocks were taken", taken)
	}
}

func testImportRefused(t *testing.T, open Open) {
	b := start(t, open)
	b.need(hsm.Import)
	for _, c := range vectors.Load(t, "tr31_invalid") {
		t.Run(c.ID(), func(t *testing.T) {
			block := c.Text("block")
			want := keyblock.Want{Usages: keyblock.Usages(), Exports: []keyblock.Export{"E", "N", "S"},
				Versions:   []keyblock.Version{"A", "B", "C", "D", "E"},
				Algorithms: []keyblock.Algorithm{"A", "T"}, Context: keyblock.ContextExchange,
				Modes: each[keyblock.Mode]("BCDEGNVX")}
			s := transport(keyblock.Version(block[:1]))
			if len(c.Hex("kbpk")) == 32 {
				s.Algorithm = keyblock.AES
			}
			under := b.on(t).known(s, c.Hex("kbpk"))
			if w, err := b.Import(t.Context(), under, block, want); err == nil {
				t.Errorf("a %v was taken", w.Spec)
			}
		})
	}
	raw := unhex(t, "88E1AB2A2E3DD38C1FA039A536500CC8A87AB9D62DC92C01058FA79F44657DE6")
	under := b.known(transport(keyblock.VersionD), raw)
	good := keyblock.Header{Version: "D", Usage: "P0", Algorithm: "A", Mode: "B", Export: "N"}
	for name, f := range map[string]func(h *keyblock.Header, w *keyblock.Want){
		"unwanted usage":     func(_ *keyblock.Header, w *keyblock.Want) { w.Usages[0] = "D0" },
		"unwanted algorithm": func(_ *keyblock.Header, w *keyblock.Want) { w.Algorithms[0] = "T" },
		"unwanted mode":      func(_ *keyblock.Header, w *keyblock.Want) { w.Modes[0] = "E" },
		"unwanted export":    func(_ *keyblock.Header, w *keyblock.Want) { w.Exports[0] = "E" },
		"unwanted version":   func(_ *keyblock.Header, w *keyblock.Want) { w.Versions[0] = "E" },
		"nothing wanted":     func(_ *keyblock.Header, w *keyblock.Want) { *w = keyblock.Want{} },
		"storage":            func(h *keyblock.Header, _ *keyblock.Want) { h.Context = "1" },
		"no use": func(h *keyblock.Header, w *keyblock.Want) {
			h.Usage, w.Usages[0] = "D0", "D0"
		},
		"component": func(h *keyblock.Header, w *keyblock.Want) {
			h.KeyVersion, w.KeyVersions = "c1", []string{"c1"}
		},
	} {
		h, want := good, as(good)
		f(&h, &want)
		if w, err := b.Import(t.Context(), under, wrapped(t, raw, h, 16), want); err == nil {
			t.Errorf("%s: a %v was taken", name, w.Spec)
		}
	}
	other := raw[:16]
	_, err := b.Import(t.Context(), under, wrapped(t, other, good, 16), as(good))
	b.want("another KBPK", err, keyblock.ErrForged)
}

// each makes one value of each character.
func each[T ~string](s string) (all []T) {
	for _, c := range strings.Split(s, "") {
		all = append(all, T(c))
	}
	return all
}

// wrapped is a partner's block with a random key.
func wrapped(t testing.TB, kbpk []byte, h keyblock.Header, size int) string {
	t.Helper()
	k, err := keyblock.RandomKey(h.Algorithm, size, nil)
	if err != nil {
		t.Fatal(err)
	}
	block, err := keyblock.Wrap(kbpk, h, k, keyblock.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return block
}

// A key goes from one module to another, and both have the same.
func testExport(t *testing.T, open Open) {
	one, other := start(t, open), start(t, open)
	one.need(hsm.Export, hsm.Import)
	raw := unhex(t, "88E1AB2A2E3DD38C1FA039A536500CC8A87AB9D62DC92C01058FA79F44657DE6")
	for _, version := range []keyblock.Version{keyblock.VersionB, keyblock.VersionD} {
		kbpk := raw
		if version == keyblock.VersionB {
			kbpk = raw[:24]
		}
		for _, s := range kinds() {
			if version == keyblock.VersionB && s.Algorithm == keyblock.AES {
				continue // a TDES key is too weak to be over an AES one
			}
			t.Run(fmt.Sprint(version, " ", s), func(t *testing.T) {
				one, other := one.on(t), other.on(t)
				h := s.Header(version, keyblock.ContextExchange)
				h.Export = keyblock.ExportN
				w, _ := one.generated(s)
				block, err := one.Export(t.Context(), one.known(transport(version), kbpk), w, h)
				one.must(err)
				got, err := other.Import(t.Context(), other.known(transport(version), kbpk), block,
					exactly(as(h), s.Algorithm, s.Size))
				other.must(err)
				want := s
				want.Export = keyblock.ExportN
				other.sound(want, got, other.loaded(got))
				if got.Check != w.Check {
					t.Errorf("another key came out: %v, %v", w.Check, got.Check)
				}
			})
		}
	}
}

func testExportRefused(t *testing.T, open Open) {
	b := start(t, open)
	b.need(hsm.Export)
	ctx := t.Context()
	_, under := b.generated(key(keyblock.UsageK1, keyblock.AES, 32, keyblock.ModeB))
	_, weak := b.generated(key(keyblock.UsageK1, keyblock.AES, 16, keyblock.ModeB))
	s := key(keyblock.UsageP0, keyblock.AES, 32, keyblock.ModeB)
	w, _ := b.generated(s)
	good := s.Header(keyblock.VersionD, keyblock.ContextExchange)
	stays := s
	stays.Export = keyblock.ExportN
	kept, _ := b.generated(stays)
	_, err := b.Export(ctx, under, kept, good)
	b.want("export N", err, hsm.ErrKey)
	kept.Spec.Export = keyblock.ExportE
	_, err = b.Export(ctx, under, kept, good)
	b.want("export N called E", err, hsm.ErrKey)
	for name, f := range map[string]func(h *keyblock.Header){
		"usage":     func(h *keyblock.Header) { h.Usage, h.Mode = keyblock.UsageM6, keyblock.ModeC },
		"algorithm": func(h *keyblock.Header) { h.Algorithm = keyblock.TDES },
		"export":    func(h *keyblock.Header) { h.Export = keyblock.ExportS },
		"context":   func(h *keyblock.Header) { h.Context = keyblock.ContextStorage },
		"component": func(h *keyblock.Header) { h.KeyVersion = "c1" },
	} {
		h := good
		f(&h)
		_, err := b.Export(ctx, under, w, h)
		b.want(name, err, hsm.ErrKey)
	}
	mode := good
	mode.Mode = keyblock.ModeC
	if _, err := b.Export(ctx, under, w, mode); err == nil {
		t.Error("a PIN key with the mode of a MAC key left")
	}
	if _, err := b.Export(ctx, weak, w, good); err == nil || errors.Is(err, hsm.ErrUnavailable) {
		t.Errorf("a key of 256 bits under one of 128: %v", err)
	}
	w.Check.Hex = "0000000000"
	_, err = b.Export(ctx, under, w, good)
	b.want("another check value", err, hsm.ErrKey)
}
