package keyblock

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// What is wrapped is unwrapped again, whatever it is and whatever the header says.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		v := rapid.SampledFrom([]Version{VersionB, VersionD, VersionE}).Draw(r, "version")
		f, _ := v.form()
		h, key := drawHeader(r, v), drawKey(r, f)
		kbpk := kbpkOf(f.cipher)
		for n := rapid.IntRange(0, 2).Draw(r, "shorter KBPK"); n > 0; n-- {
			if len(kbpk) > 16 && strength(f.cipher, kbpk[:len(kbpk)-8]) >= key.Strength() {
				kbpk = kbpk[:len(kbpk)-8]
			}
		}
		h.Algorithm = key.Algorithm()
		o := Options{ShowLength: rapid.Bool().Draw(r, "show length")}
		block, err := Wrap(kbpk, h, key, o)
		if err != nil {
			r.Fatal(err)
		}
		want := anything()
		want.Context, want.LeastStrength = h.Context, 1
		want.KeyVersions = []string{or(h.KeyVersion, "00")}
		got, back, err := Unwrap(kbpk, block, want)
		if err != nil {
			r.Fatal(err)
		}
		if !back.Equal(key) {
			r.Fatal("another key")
		}
		if n := len(got.Optional); n > 0 && got.Optional[n-1].ID == PB {
			got.Optional = got.Optional[:n-1]
		}
		h.KeyVersion, h.Context = or(h.KeyVersion, "00"), Context(or(string(h.Context), "0"))
		if !slices.Equal(got.Optional, h.Optional) {
			r.Fatalf("optional blocks %v, were %v", got.Optional, h.Optional)
		}
		got.Optional, h.Optional = nil, nil
		if got.String() != h.String() || got.KeyVersion != h.KeyVersion || got.Context != h.Context {
			r.Fatalf("%v, was %v", got, h)
		}
		again, err := Wrap(kbpk, h, key, o)
		if err != nil || again == block && muchPadding(f, key, o) {
			r.Fatalf("the padding isn't random: %v", err)
		}
	})
}

// muchPadding tells that there is room for enough random bytes that two blocks surely differ.
func muchPadding(f form, key Key, o Options) bool {
	return paddedSize(f, key, o.ShowLength)-2-key.Size() >= 6
}

func drawHeader(r *rapid.T, v Version) Header {
	usage := rapid.SampledFrom(Usages()).Draw(r, "usage")
	_, modes := usage.describe()
	modes += string(ModeN)
	at := rapid.IntRange(0, len(modes)-1).Draw(r, "mode")
	h := Header{Version: v, Usage: usage, Mode: Mode(modes[at : at+1]),
		KeyVersion: rapid.SampledFrom([]string{"", "00", "01", "zZ", "c3"}).Draw(r, "key version"),
		Export:     rapid.SampledFrom([]Export{ExportE, ExportN, ExportS}).Draw(r, "export"),
		Context:    rapid.SampledFrom([]Context{"", "0", "1", "2"}).Draw(r, "context"),
	}
	ids := rapid.SliceOfNDistinct(rapid.SampledFrom([]OptionalID{CT, LB, FL, "10", "Z9"}), 0, 4,
		rapid.ID).Draw(r, "optional")
	for _, id := range ids {
		data := rapid.StringOfN(rapid.RuneFrom([]rune("aZ09 ~!=+")), 0, 600, -1).Draw(r, "data")
		h.Optional = append(h.Optional, Optional{id, data})
	}
	return h
}

func drawKey(r *rapid.T, f form) Key {
	type kindOfKey struct {
		algorithm Algorithm
		size      int
	}
	kinds := []kindOfKey{{TDES, 16}, {TDES, 24}, {DES, 8}, {HMAC, 14}}
	if f.cipher == AES {
		kinds = append(kinds, kindOfKey{AES, 16}, kindOfKey{AES, 24}, kindOfKey{AES, 32})
	}
	kind := rapid.SampledFrom(kinds).Draw(r, "kind of key")
	raw := rapid.SliceOfN(rapid.Byte(), kind.size, kind.size).Draw(r, "key")
	key, err := NewKey(kind.algorithm, raw)
	if err != nil {
		r.Fatal(err)
	}
	return key
}

// A block doesn't show how long its key is, unless it shall.
func TestLengthIsHidden(t *testing.T) {
	for _, v := range []Version{VersionB, VersionD, VersionE} {
		f, _ := v.form()
		for _, c := range []struct{ short, long Key }{
			{newKey(t, TDES, raw16), newKey(t, TDES, raw24)},
			{newKey(t, AES, raw16), newKey(t, AES, raw32)},
		} {
			if f.cipher == TDES && c.short.Algorithm() == AES {
				continue
			}
			h := pinKey(v, c.short.Algorithm())
			var sizes [2][2]int
			for i, key := range []Key{c.short, c.long} {
				for j, show := range []bool{false, true} {
					block, err := Wrap(kbpkOf(f.cipher), h, key, Options{ShowLength: show})
					if err != nil {
						t.Fatal(err)
					}
					sizes[i][j] = len(block)
				}
			}
			if sizes[0][0] != sizes[1][0] || sizes[1][0] < sizes[0][1] ||
				v == VersionE && sizes[0][1] == sizes[1][1] {
				t.Errorf("%s, %s: blocks of %v characters", v, c.short.Algorithm().Text(), sizes)
			}
		}
	}
}

// samples are authentic blocks, one of each version.
func samples(t testing.TB) map[Version]string {
	t.Helper()
	blocks := make(map[Version]string)
	for _, v := range []Version{VersionA, VersionB, VersionC, VersionD, VersionE} {
		f, _ := v.form()
		h := pinKey(v, TDES)
		h.Optional = []Optional{{LB, "a label"}}
		blocks[v] = forge(t, kbpkOf(f.cipher), h, plainOf(raw24, f.data))
		if _, _, err := Unwrap(kbpkOf(f.cipher), blocks[v], anything()); err != nil {
			t.Fatal(err)
		}
	}
	return blocks
}

// No bit of a block, no character, and no two of its parts can be changed.
func TestNothingCanBeChanged(t *testing.T) {
	for v, block := range samples(t) {
		f, _ := v.form()
		kbpk := kbpkOf(f.cipher)
		check := func(at int, c byte) {
			changed := []byte(block)
			changed[at] = c
			_, key, err := Unwrap(kbpk, string(changed), anything())
			if err == nil || !key.IsZero() {
				t.Errorf("%s: taken with %q for %q at %d", v, c, block[at], at)
			}
			if errors.Is(err, ErrUnwanted) {
				t.Errorf("%s: authentic with %q for %q at %d: %v", v, c, block[at], at, err)
			}
		}
		for at := range block {
			for bit := range 8 {
				check(at, block[at]^1<<bit)
			}
			if at > 48 && at%7 != 0 {
				continue // the rest is hexadecimal: enough of it
			}
			for c := byte(' '); c <= '~'; c++ {
				if c != block[at] {
					check(at, c)
				}
			}
		}
	}
}

// A change of usage, by one character or both, is refused as forged and not for what it says.
func TestUsageIsBound(t *testing.T) {
	for v, block := range samples(t) {
		f, _ := v.form()
		for _, u := range Usages() {
			changed := block[:5] + string(u) + block[7:]
			_, _, err := Unwrap(kbpkOf(f.cipher), changed, anything())
			if u == UsageP0 && err != nil || u != UsageP0 && !errors.Is(err, ErrForged) {
				t.Errorf("%s: usage %s: %v", v, u, err)
			}
		}
	}
}

// Parts of one block don't fit another of the same key.
func TestPartsDoNotMix(t *testing.T) {
	kbpk, key := kbpkOf(AES), newKey(t, AES, raw16)
	one, err1 := Wrap(kbpk, pinKey(VersionD, AES), key, Options{})
	two, err2 := Wrap(kbpk, pinKey(VersionD, AES), key, Options{})
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	for cut := 32; cut < len(one); cut += 16 {
		if _, _, err := Unwrap(kbpk, one[:cut]+two[cut:], anything()); !errors.Is(err, ErrForged) {
			t.Errorf("mixed at %d: %v", cut, err)
		}
	}
}

// The keys of a usage are described, and only those.
func TestUsages(t *testing.T) {
	seen := make(map[string]bool)
	for _, u := range Usages() {
		text, modes := u.describe()
		if modes == "" || seen[text] || strings.Contains(text, "unknown") {
			t.Errorf("%s: %q, modes %q", u, text, modes)
		}
		seen[text] = true
	}
	for first := 'A'; first <= 'Z'; first++ {
		for second := range 10 {
			u := Usage(string(first) + string(rune('0'+second)))
			if _, modes := u.describe(); (modes != "") != slices.Contains(Usages(), u) {
				t.Errorf("%s is described and not listed, or listed and not described", u)
			}
		}
	}
}
