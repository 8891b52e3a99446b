package split

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"cardswitch/hsm"
	"cardswitch/hsm/keyblock"
	"cardswitch/hsm/moduletest"
	"cardswitch/hsm/soft"
)

func softModule(t testing.TB, profile hsm.Profile) *soft.Module {
	t.Helper()
	master, err := keyblock.RandomKey(keyblock.AES, 32, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer master.Wipe()
	m, err := soft.New(master, profile)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestModule(t *testing.T) {
	moduletest.Run(t, func(t *testing.T, profile hsm.Profile) hsm.Module {
		return New(softModule(t, profile), softModule(t, profile))
	})
}

// console is a module whose components are entered elsewhere, as a payShield is.
type console struct{ *soft.Module }

func (c console) Caps() hsm.Caps {
	caps := c.Module.Caps()
	caps[hsm.Form], caps[hsm.DeriveSecret], caps[hsm.WrapDataKey] = 0, 0, 0
	return caps
}

func (c console) Form(context.Context, hsm.KeySpec, [][]byte) (hsm.Wrapped, error) {
	return hsm.Wrapped{}, fmt.Errorf("console: %w", hsm.ErrAbsent)
}

func (c console) Adopt(ctx context.Context, s hsm.KeySpec, block string) (hsm.Wrapped, error) {
	// Its blocks don't say their check value in the test: that of the only key it has formed.
	check, block, _ := strings.Cut(block, " ")
	w := hsm.Wrapped{Spec: s, Block: block, Check: keyblock.CheckValue{Method: keyblock.CMAC,
		Hex: check}}
	k, err := c.Load(ctx, w)
	if err != nil {
		return hsm.Wrapped{}, err
	}
	k.Unload()
	// As units do, it shows less of the check value than others.
	w.Check.Hex = w.Check.Hex[:6]
	return w, nil
}

func spec(u keyblock.Usage, a keyblock.Algorithm, size int, m keyblock.Mode) hsm.KeySpec {
	return hsm.KeySpec{Usage: u, Algorithm: a, Size: size, Mode: m, Export: keyblock.ExportE}
}

// components are two of 32 bytes.
func components() (one, two []byte) {
	return bytes.Repeat([]byte{0x13}, 32), bytes.Repeat([]byte{0x57, 0x9A}, 16)
}

func must[T any](t *testing.T, v T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// sent is the block of a key that a partner makes, under the KBPK of two components.
func sent(t *testing.T, one, two []byte, s hsm.KeySpec) string {
	t.Helper()
	kbpk := make([]byte, len(one))
	for i := range one {
		kbpk[i] = one[i] ^ two[i]
	}
	key, err := keyblock.RandomKey(s.Algorithm, s.Size, nil)
	key = must(t, key, err)
	block, err := keyblock.Wrap(kbpk, s.Header(keyblock.VersionD, keyblock.ContextExchange), key,
		keyblock.Options{})
	return must(t, block, err)
}

// want takes such a key alone.
func want(s hsm.KeySpec) keyblock.Want {
	return keyblock.Want{Versions: []keyblock.Version{keyblock.VersionD},
		Usages: []keyblock.Usage{s.Usage}, Algorithms: []keyblock.Algorithm{s.Algorithm},
		Modes: []keyblock.Mode{s.Mode}, Exports: []keyblock.Export{s.Export},
		Context: keyblock.ContextExchange}
}

// A partner sends a PIN key and a link key under one KBPK: each comes to where it belongs, once the
// KBPK is there.
func TestAKBPKIsInBothModules(t *testing.T) {
	ctx := t.Context()
	one, two := components()
	first, second := console{softModule(t, hsm.Test)}, softModule(t, hsm.Test)
	m := New(first, second)
	defer m.Close()
	kbpk := spec(keyblock.UsageK1, keyblock.AES, 32, keyblock.ModeB)
	kbpk.Export = keyblock.ExportN
	w, err := m.Form(ctx, kbpk, [][]byte{one, two})
	w = must(t, w, err)
	under, err := m.Load(ctx, w)
	under = must(t, under, err)
	pin := spec(keyblock.UsageP0, keyblock.AES, 16, keyblock.ModeB)
	link := spec(keyblock.UsageB3, keyblock.AES, 32, keyblock.ModeX)
	pinBlock, linkBlock := sent(t, one, two, pin), sent(t, one, two, link)

	got, err := m.Import(ctx, under, linkBlock, want(link))
	got = must(t, got, err)
	if _, err := second.Load(ctx, got); err != nil {
		t.Errorf("the link key isn't in the second module: %v", err)
	}
	if _, err := m.Import(ctx, under, pinBlock, want(pin)); !errors.Is(err, hsm.ErrKey) ||
		!strings.Contains(err.Error(), "hint") {
		t.Errorf("a PIN key before the KBPK is in the first module: %v", err)
	}

	// The console forms it of the same components, and of others.
	of := func(parts [][]byte) string {
		w, err := first.Module.Form(ctx, kbpk, parts)
		w = must(t, w, err)
		return w.Check.Hex + " " + w.Block
	}
	if _, err := m.Adopt(ctx, w, of([][]byte{two, bytes.Repeat([]byte{9}, 32)})); !errors.Is(err,
		hsm.ErrKey) {
		t.Errorf("another KBPK is adopted: %v", err)
	}
	whole, err := m.Adopt(ctx, w, of([][]byte{one, two}))
	whole = must(t, whole, err)
	if !whole.Check.Matches(w.Check) || whole.Check.Hex != w.Check.Hex || whole.Spec != w.Spec {
		t.Errorf("%v became %v", w, whole)
	}
	both, err := m.Load(ctx, whole)
	both = must(t, both, err)
	got, err = m.Import(ctx, both, pinBlock, want(pin))
	got = must(t, got, err)
	if _, err := first.Load(ctx, got); err != nil {
		t.Errorf("the PIN key isn't in the first module: %v", err)
	}
	if _, err := second.Load(ctx, got); err == nil {
		t.Error("the PIN key is in the second module too")
	}
	if _, err := m.Export(ctx, both, got, pin.Header(keyblock.VersionD,
		keyblock.ContextExchange)); err != nil {
		t.Error(err)
	}
	both.Unload()
	if _, err := m.Import(ctx, both, pinBlock, want(pin)); !errors.Is(err, hsm.ErrKey) {
		t.Errorf("an unloaded KBPK imports: %v", err)
	}
}

// A block with a header that sends it to the wrong module is forged: the module refuses it.
func TestAHeaderThatLiesIsRefused(t *testing.T) {
	ctx := t.Context()
	m := New(softModule(t, hsm.Test), softModule(t, hsm.Test))
	defer m.Close()
	kbpk := spec(keyblock.UsageK1, keyblock.AES, 32, keyblock.ModeB)
	w, err := m.Generate(ctx, kbpk)
	w = must(t, w, err)
	under, err := m.Load(ctx, w)
	under = must(t, under, err)
	pin := spec(keyblock.UsageP0, keyblock.AES, 32, keyblock.ModeB)
	k, err := m.Generate(ctx, pin)
	k = must(t, k, err)
	block, err := m.Export(ctx, under, k, pin.Header(keyblock.VersionD, keyblock.ContextExchange))
	block = must(t, block, err)
	lie := block[:5] + "B3" + block[7:]
	for _, u := range []keyblock.Usage{keyblock.UsageB3, keyblock.UsageP0} {
		_, err := m.Import(ctx, under, lie, keyblock.Want{Versions: []keyblock.Version{"D"},
			Usages: []keyblock.Usage{u}, Algorithms: []keyblock.Algorithm{keyblock.AES},
			Modes:   []keyblock.Mode{keyblock.ModeB, keyblock.ModeX},
			Exports: []keyblock.Export{keyblock.ExportE}, Context: keyblock.ContextExchange})
		if err == nil {
			t.Errorf("a PIN key is imported as %s", u)
		}
	}
}

// What is of the first module is never done by the second, also where the first can't do it.
func TestCaps(t *testing.T) {
	first := console{softModule(t, hsm.Test)}
	m := New(first, softModule(t, hsm.Production))
	defer m.Close()
	caps := m.Caps()
	one, two := components()
	for o, want := range map[hsm.Operation]hsm.Where{hsm.Form: hsm.Process,
		hsm.DeriveSecret: hsm.Process, hsm.WrapDataKey: hsm.Process,
		hsm.TranslateZonePIN: hsm.Process} {
		if caps[o] != want {
			t.Errorf("%v is %v, not %v", o, caps[o], want)
		}
	}
	_, err := m.Form(t.Context(), spec(keyblock.UsageP0, keyblock.AES, 32, keyblock.ModeB),
		[][]byte{one, two})
	if !errors.Is(err, hsm.ErrAbsent) {
		t.Errorf("a PIN key is formed beside the HSM: %v", err)
	}
	_, err = m.Generate(t.Context(), spec(keyblock.UsageK1, keyblock.AES, 32, keyblock.ModeB))
	if !errors.Is(err, hsm.ErrAbsent) {
		t.Errorf("a KBPK is made that the console can never have: %v", err)
	}
}
