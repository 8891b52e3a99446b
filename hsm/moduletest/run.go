// Package moduletest is what every security module must do, as one suite over all drivers.
//
// A driver's test calls Run with a function that opens a module. The suite looks at Caps: what is
// absent must say so, and a part of an operation may be absent too (a module without CMAC); such
// subtests are skipped, and go test -v names them. What can be is held against published values
// (package vectors). Only tests import this package.
package moduletest

import (
	"encoding/hex"
	"errors"
	"testing"

	"cardswitch/hsm"
	"cardswitch/hsm/keyblock"
	"cardswitch/spec"
)

// Open gives a module with a master key of its own: a block of one is of no use in the next. It is
// closed by the suite.
type Open func(t *testing.T, profile hsm.Profile) hsm.Module

// Planter is a module under test that can bring known keys inside by a way that Module doesn't
// have, such as the simulator behind it. A module whose Form is absent needs it.
type Planter interface {
	Plant(t *testing.T, s hsm.KeySpec, raw []byte) hsm.Wrapped
}

// Run runs the suite.
func Run(t *testing.T, open Open) {
	for _, part := range []struct {
		name string
		run  func(t *testing.T, open Open)
	}{
		{"caps", testCaps}, {"random", testRandom},
		{"generate", testGenerate}, {"form", testForm}, {"load", testLoad},
		{"check values", testCheckValues}, {"components", testComponents},
		{"foreign", testForeign}, {"import", testImport}, {"import refused", testImportRefused},
		{"export", testExport}, {"export refused", testExportRefused},
		{"retail MAC", testRetail}, {"CMAC", testCMAC}, {"verify", testVerify}, {"PRF", testPRF},
		{"zone PIN", testZonePIN}, {"invalid PIN", testInvalidPIN}, {"to format 1", testNeverToFormat1},
		{"TDES terminal", testTDESTerminal}, {"AES terminal", testAESTerminal},
		{"AES terminal data", testAESData}, {"wrong terminal", testWrongTerminal},
		{"data keys", testDataKeys},
		{"one purpose", testPurpose}, {"modes", testModes},
		{"unloaded", testUnloaded}, {"not its own", testNotItsOwn}, {"cancelled", testCancelled},
		{"production", testProduction}, {"closed", testClosed}, {"side by side", testSideBySide},
	} {
		t.Run(part.name, func(t *testing.T) { part.run(t, open) })
	}
}

// bench is a module on the test bench.
type bench struct {
	t *testing.T
	hsm.Module
}

func start(t *testing.T, open Open) bench { return begin(t, open, hsm.Test) }

func begin(t *testing.T, open Open, profile hsm.Profile) bench {
	t.Helper()
	m := open(t, profile)
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return bench{t, m}
}

// on is the same module for a subtest.
func (b bench) on(t *testing.T) bench { return bench{t, b.Module} }

// need skips the test when an operation is absent.
func (b bench) need(operations ...hsm.Operation) {
	b.t.Helper()
	for _, o := range operations {
		if b.Caps()[o] == hsm.Absent {
			b.t.Skipf("absent: %v", o)
		}
	}
}

// must ends the test on an error, and skips it when a part of an operation is absent.
func (b bench) must(err error) {
	b.t.Helper()
	if errors.Is(err, hsm.ErrAbsent) {
		b.t.Skipf("absent: %v", err)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

// want holds an error against the one that it must wrap. What is absent can't be misused.
func (b bench) want(what string, err, target error) {
	b.t.Helper()
	if !errors.Is(err, target) && !errors.Is(err, hsm.ErrAbsent) {
		b.t.Errorf("%s: the error is %v, not %v", what, err, target)
	}
}

// generated makes a key and loads it.
func (b bench) generated(s hsm.KeySpec) (hsm.Wrapped, hsm.Key) {
	b.t.Helper()
	b.need(hsm.Generate)
	w, err := b.Generate(b.t.Context(), s)
	b.must(err)
	return w, b.loaded(w)
}

func (b bench) loaded(w hsm.Wrapped) hsm.Key {
	b.t.Helper()
	k, err := b.Load(b.t.Context(), w)
	b.must(err)
	return k
}

// planted brings a known key inside.
func (b bench) planted(s hsm.KeySpec, raw []byte) hsm.Wrapped {
	b.t.Helper()
	s.Size = len(raw)
	if p, ok := b.Module.(Planter); ok {
		return p.Plant(b.t, s, raw)
	}
	b.need(hsm.Form)
	one := make([]byte, len(raw))
	b.must(b.Random(b.t.Context(), one))
	other := make([]byte, len(raw))
	for i := range raw {
		other[i] = raw[i] ^ one[i]
	}
	w, err := b.Form(b.t.Context(), s, [][]byte{one, other})
	b.must(err)
	return w
}

// known is planted and loaded.
func (b bench) known(s hsm.KeySpec, raw []byte) hsm.Key {
	b.t.Helper()
	return b.loaded(b.planted(s, raw))
}

// key is a spec of a key that may leave.
func key(u keyblock.Usage, a keyblock.Algorithm, size int, m keyblock.Mode) hsm.KeySpec {
	return hsm.KeySpec{Usage: u, Algorithm: a, Size: size, Mode: m, Export: keyblock.ExportE}
}

// kinds is a spec of each usage and algorithm that there is, with the mode that allows all.
func kinds() []hsm.KeySpec {
	return []hsm.KeySpec{
		key(keyblock.UsageB0, keyblock.AES, 16, keyblock.ModeX),
		key(keyblock.UsageB0, keyblock.TDES, 16, keyblock.ModeX),
		key(keyblock.UsageB3, keyblock.AES, 32, keyblock.ModeX),
		key(keyblock.UsageK0, keyblock.AES, 32, keyblock.ModeB),
		key(keyblock.UsageK1, keyblock.AES, 32, keyblock.ModeB),
		key(keyblock.UsageK1, keyblock.TDES, 24, keyblock.ModeB),
		key(keyblock.UsageM0, keyblock.TDES, 16, keyblock.ModeC),
		key(keyblock.UsageM1, keyblock.TDES, 16, keyblock.ModeC),
		key(keyblock.UsageM3, keyblock.TDES, 16, keyblock.ModeC),
		key(keyblock.UsageM6, keyblock.TDES, 16, keyblock.ModeC),
		key(keyblock.UsageM6, keyblock.AES, 16, keyblock.ModeC),
		key(keyblock.UsageP0, keyblock.TDES, 16, keyblock.ModeB),
		key(keyblock.UsageP0, keyblock.AES, 16, keyblock.ModeB),
	}
}

func pan(t testing.TB, digits string) spec.PAN {
	t.Helper()
	p, err := spec.ParsePAN(digits)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func unhex(t testing.TB, digits string) []byte {
	t.Helper()
	b, err := hex.DecodeString(digits)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
