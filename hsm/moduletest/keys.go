package moduletest

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"cardswitch/hsm"
	"cardswitch/hsm/keyblock"
	"cardswitch/hsm/vectors"
)

func testCaps(t *testing.T, open Open) {
	b := start(t, open)
	if b.Name() == "" || fmt.Sprint(b.Caps()) != fmt.Sprint(b.Caps()) {
		t.Errorf("the module %q has the capabilities %v", b.Name(), b.Caps())
	}
	for _, o := range hsm.Operations() {
		where := b.Caps()[o]
		t.Logf("%v: %v", o, where)
		if where == hsm.Absent {
			b.absent(o)
		}
	}
}

// absent calls an operation that isn't there.
func (b bench) absent(o hsm.Operation) {
	b.t.Helper()
	for what, err := range b.calls(o, nil) {
		if !errors.Is(err, hsm.ErrAbsent) {
			b.t.Errorf("%s is absent, and says %v", what, err)
		}
	}
}

func testRandom(t *testing.T, open Open) {
	b := start(t, open)
	one, other := make([]byte, 64), make([]byte, 64)
	b.must(b.Random(t.Context(), one))
	b.must(b.Random(t.Context(), other))
	b.must(b.Random(t.Context(), nil))
	if bytes.Equal(one, other) || bytes.Equal(one[32:], make([]byte, 32)) {
		t.Error("that isn't random")
	}
}

func testGenerate(t *testing.T, open Open) {
	b := start(t, open)
	b.need(hsm.Generate)
	seen := make(map[string]bool)
	for _, s := range kinds() {
		t.Run(fmt.Sprint(s), func(t *testing.T) {
			b := b.on(t)
			for range 2 {
				w, k := b.generated(s)
				b.sound(s, w, k)
				if seen[w.Block] || seen[w.Check.String()] {
					t.Errorf("the key with check value %v was there before", w.Check)
				}
				seen[w.Block], seen[w.Check.String()] = true, true
			}
		})
	}
	for name, s := range map[string]hsm.KeySpec{
		"usage":     key("C0", keyblock.TDES, 16, keyblock.ModeC),
		"algorithm": key("B3", keyblock.TDES, 16, keyblock.ModeX),
		"mode":      key("P0", keyblock.AES, 16, keyblock.ModeC),
		"length":    key("P0", keyblock.AES, 17, keyblock.ModeB),
		"nothing":   {},
	} {
		_, err := b.Generate(t.Context(), s)
		b.want(name, err, hsm.ErrKey)
	}
}

// sound looks at a key that was made.
func (b bench) sound(s hsm.KeySpec, w hsm.Wrapped, k hsm.Key) {
	b.t.Helper()
	method, size := s.CheckMethod()
	switch {
	case w.Spec != s || k.Spec() != s:
		b.t.Errorf("the key is a %v, loaded a %v", w.Spec, k.Spec())
	case w.Check.Validate() != nil || w.Check.Method != method || len(w.Check.Hex) < 6 ||
		len(w.Check.Hex) > 2*size:
		b.t.Errorf("the check value is %v", w.Check)
	case k.Check() != w.Check:
		b.t.Errorf("the check value is %v, loaded %v", w.Check, k.Check())
	case w.Block == "" || strings.Trim(w.Block, " !\"#$%&'()*+,-./0123456789:;<=>?@"+
		"ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~") != "":
		b.t.Errorf("the block isn't printable: %q", w.Block)
	case !strings.Contains(fmt.Sprint(k), s.Usage.Text()) ||
		fmt.Sprintf("%+v%#v%x", k, k, k) != strings.Repeat(fmt.Sprint(k), 3):
		b.t.Errorf("the key prints as %v", k)
	}
}

func testForm(t *testing.T, open Open) {
	b := start(t, open)
	b.need(hsm.Form)
	s := key(keyblock.UsageK1, keyblock.AES, 32, keyblock.ModeB)
	one, other, third := make([]byte, 32), make([]byte, 32), make([]byte, 32)
	for _, c := range [][]byte{one, other, third} {
		b.must(b.Random(t.Context(), c))
	}
	kept := bytes.Clone(one)
	all, err := b.Form(t.Context(), s, [][]byte{one, other, third})
	b.must(err)
	b.sound(s, all, b.loaded(all))
	again, err := b.Form(t.Context(), s, [][]byte{third, one, other})
	b.must(err)
	two, err := b.Form(t.Context(), s, [][]byte{one, other})
	b.must(err)
	switch {
	case !bytes.Equal(kept, one):
		t.Error("a component was altered: they are the caller's")
	case again.Check != all.Check:
		t.Errorf("the order of the components matters: %v, %v", all.Check, again.Check)
	case two.Check == all.Check:
		t.Error("the third component is of no effect")
	}
	for name, components := range map[string][][]byte{
		"none": nil, "one": {one}, "twice": {one, one}, "zero": {one, make([]byte, 32)},
		"short": {one, other[:31]}, "long": {one, append(other, 1)},
		"cancel": {one, other, xor(one, other)},
	} {
		if _, err := b.Form(t.Context(), s, components); err == nil {
			t.Errorf("%s: a key was formed", name)
		}
	}
}

func xor(a, b []byte) []byte {
	c := bytes.Clone(a)
	for i := range c {
		c[i] ^= b[i]
	}
	return c
}

// What is kept with a block, and each of its characters, is bound to the key.
func testLoad(t *testing.T, open Open) {
	b := start(t, open)
	w, _ := b.generated(key(keyblock.UsageM6, keyblock.AES, 16, keyblock.ModeC))
	for name, change := range map[string]func(w *hsm.Wrapped){
		"usage": func(w *hsm.Wrapped) {
			w.Spec.Usage, w.Spec.Mode = keyblock.UsageP0, keyblock.ModeB
		},
		"algorithm": func(w *hsm.Wrapped) { w.Spec.Algorithm = keyblock.TDES },
		"mode":      func(w *hsm.Wrapped) { w.Spec.Mode = keyblock.ModeV },
		"export":    func(w *hsm.Wrapped) { w.Spec.Export = keyblock.ExportN },
		"no spec":   func(w *hsm.Wrapped) { w.Spec = hsm.KeySpec{} },
		"check":     func(w *hsm.Wrapped) { w.Check.Hex = "0000000000" },
		"no check":  func(w *hsm.Wrapped) { w.Check = keyblock.CheckValue{} },
		"no block":  func(w *hsm.Wrapped) { w.Block = "" },
		"short":     func(w *hsm.Wrapped) { w.Block = w.Block[:len(w.Block)-1] },
		"cut":       func(w *hsm.Wrapped) { w.Block = w.Block[:5] },
		"long":      func(w *hsm.Wrapped) { w.Block += "0" },
	} {
		wrong := w
		change(&wrong)
		k, err := b.Load(t.Context(), wrong)
		if k != nil || !errors.Is(err, hsm.ErrKey) {
			t.Errorf("%s: %v, %v", name, k, err)
		}
	}
	for i := range w.Block {
		wrong := w
		other := "0"
		if w.Block[i] == '0' {
			other = "1"
		}
		wrong.Block = w.Block[:i] + other + w.Block[i+1:]
		if k, err := b.Load(t.Context(), wrong); k != nil || !errors.Is(err, hsm.ErrKey) {
			t.Errorf("with character %d altered: %v, %v", i, k, err)
		}
	}
}

func testCheckValues(t *testing.T, open Open) {
	b := start(t, open)
	for _, c := range vectors.Load(t, "kcv") {
		t.Run(c.ID(), func(t *testing.T) {
			s := key(keyblock.UsageM6, keyblock.AES, 0, keyblock.ModeC)
			method := keyblock.CMAC
			if c.Text("alg") == "TDES" {
				s.Algorithm, method = keyblock.TDES, keyblock.TDESECB
			}
			k := b.on(t).known(s, c.Hex("key"))
			want, err := keyblock.ParseCheckValue(method, c.Text("kcv"))
			if err != nil || !k.Check().Matches(want) {
				t.Errorf("the check value is %v, not %v: %v", k.Check(), want, err)
			}
		})
	}
}

func testComponents(t *testing.T, open Open) {
	b := start(t, open)
	b.need(hsm.Form)
	for _, c := range vectors.Load(t, "key_components") {
		t.Run(c.ID(), func(t *testing.T) {
			w, err := b.Form(t.Context(), key(keyblock.UsageK1, keyblock.TDES, 16, keyblock.ModeB),
				[][]byte{c.Hex("component1"), c.Hex("component2")})
			b.on(t).must(err)
			if w.Check.Hex != c.Text("kcv") {
				t.Errorf("the check value is %v, not %s", w.Check, c.Text("kcv"))
			}
		})
	}
}

// A block of one module is of no use in the next.
func testForeign(t *testing.T, open Open) {
	one, other := start(t, open), start(t, open)
	for _, s := range kinds() {
		t.Run(fmt.Sprint(s), func(t *testing.T) {
			w, _ := one.on(t).generated(s)
			if k, err := other.Load(t.Context(), w); k != nil || !errors.Is(err, hsm.ErrKey) {
				t.Errorf("loaded as %v: %v", k, err)
			}
		})
	}
}
