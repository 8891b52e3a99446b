package keyblock

import (
	"errors"
	"strings"
	"testing"

	"cardswitch/hsm/vectors"
)

// FuzzUnwrap gives any text as a block: it must be refused with a reason, as only who has the key
// can make one.
func FuzzUnwrap(f *testing.F) {
	authentic := make(map[string]bool)
	for _, block := range samples(f) {
		authentic[block] = true
		f.Add(block)
	}
	for _, group := range []string{"tr31", "tr31_invalid"} {
		for _, c := range vectors.Load(f, group) {
			f.Add(c.Text("block"))
		}
	}
	f.Add("")
	f.Add("00000")
	f.Fuzz(func(t *testing.T, block string) {
		for _, cipher := range []Algorithm{TDES, AES} {
			h, key, err := Unwrap(kbpkOf(cipher), block, anything())
			if err == nil && !authentic[block] {
				t.Fatal("a forged block was opened")
			}
			if err != nil && (!key.IsZero() || h.Optional != nil || !errors.Is(err, ErrMalformed) &&
				!errors.Is(err, ErrForged) && !errors.Is(err, ErrUnwanted) && !errors.Is(err, ErrKBPK)) {
				t.Fatalf("refused without a kind, or with a key: %v", err)
			}
		}
	})
}

// FuzzHeader gives any text as the header of a block that is sound otherwise. What is made of it is
// bounded, and what can be written is read again as the same.
func FuzzHeader(f *testing.F) {
	for _, c := range vectors.Load(f, "tr31") {
		s, err := read(c.Text("block"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(s.head)
	}
	f.Add("D0000P0AB00N0100LB10xxxxxxxxxxxx")
	f.Fuzz(func(t *testing.T, head string) {
		if len(head) < 5 {
			return
		}
		block := with(head) // an optional block may reach into what follows the given text
		h, err := Parse(block)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatal(err)
			}
			return
		}
		held := 0
		for _, o := range h.Optional {
			held += len(o.Data)
		}
		if len(h.Optional) > mostOptions || held > len(block) {
			t.Fatalf("%d blocks with %d characters were made of %d", len(h.Optional), held, len(block))
		}
		h.CheckValue(KC)
		h.Time(TS)
		if h.validate() != nil {
			return
		}
		fm, _ := h.Version.form()
		text, err := h.write(fm, 128)
		if err != nil {
			return // longer than a block may be: the padding was made anew
		}
		again, err := Parse(text + strings.Repeat("0", 128))
		if err != nil || !sameHeader(h, again) {
			t.Fatalf("%v\n%v\n%v", err, h, again)
		}
	})
}

// sameHeader compares two headers but for their padding.
func sameHeader(a, b Header) bool {
	text := func(h Header) string {
		s := h.String() + string(h.Usage) + string(h.Algorithm) + h.KeyVersion + string(h.Context)
		for _, o := range h.Optional {
			if o.ID != PB {
				s += o.text()
			}
		}
		return s
	}
	return text(a) == text(b)
}

// FuzzInside gives any bytes as what an authentic block holds: its maker may be mad.
func FuzzInside(f *testing.F) {
	for _, algorithm := range []string{"A", "T", "R", "E", "H"} {
		f.Add(algorithm, plainOf(raw16, 16))
	}
	for _, c := range vectors.Load(f, "tr31") {
		if key := c.Hex("key"); len(key) > 100 {
			f.Add(c.Text("block")[7:8], plainOf(key, 16))
		}
	}
	f.Fuzz(func(t *testing.T, algorithm string, plain []byte) {
		plain = plain[:len(plain)/16*16]
		if len(algorithm) != 1 || !upper(algorithm) || len(plain) == 0 || len(plain) > 4000 {
			return
		}
		block := forge(t, kbpkOf(AES), pinKey(VersionD, Algorithm(algorithm)), plain)
		h, key, err := Unwrap(kbpkOf(AES), block, anything())
		if err != nil {
			if !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrUnwanted) {
				t.Fatal(err)
			}
			return
		}
		if key.Size() > len(plain)-2 || key.Strength() < leastStrength {
			t.Fatalf("%v out of %d bytes", key, len(plain))
		}
		again, err := Wrap(kbpkOf(AES), h, key, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, back, err := Unwrap(kbpkOf(AES), again, anything()); err != nil || !back.Equal(key) {
			t.Fatalf("another key: %v", err)
		}
	})
}
