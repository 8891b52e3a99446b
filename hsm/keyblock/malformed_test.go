package keyblock

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"cardswitch/hsm/vectors"
)

// refused checks that a block isn't taken, and that its text isn't in the error: it may be a clear
// key that was put where a block belongs.
func refused(t *testing.T, kbpk []byte, name, block string, kinds ...error) {
	t.Helper()
	h, key, err := Unwrap(kbpk, block, anything())
	known := false
	for _, kind := range kinds {
		known = known || errors.Is(err, kind)
	}
	if !known || !key.IsZero() || fmt.Sprint(h) != fmt.Sprint(Header{}) {
		t.Errorf("%s: %v", name, err)
	}
	if err != nil && len(block) >= 12 && strings.Contains(err.Error(), block[4:12]) {
		t.Errorf("%s: the error shows the block: %v", name, err)
	}
}

// Every begin of every example, and every example with something behind it.
func TestCutOff(t *testing.T) {
	for _, c := range vectors.Load(t, "tr31") {
		block, kbpk := c.Text("block"), c.Hex("kbpk")
		for n := range block {
			refused(t, kbpk, fmt.Sprintf("%s with %d characters", c.ID(), n), block[:n], ErrMalformed)
			// The same with a length field that agrees.
			if n < headerSize {
				continue
			}
			cut := fmt.Sprintf("%s%04d%s", block[:1], n, block[5:n])
			refused(t, kbpk, c.ID()+" cut", cut, ErrMalformed, ErrForged)
		}
		refused(t, kbpk, c.ID()+" and more", block+"0", ErrMalformed)
	}
}

// with puts a header text before an encrypted part that is sound, and corrects the length field.
func with(head string) string {
	rest := strings.Repeat("0", 96+32)
	return fmt.Sprintf("%s%04d%s%s", head[:1], len(head)+len(rest), head[5:], rest)
}

func TestMalformed(t *testing.T) {
	sound := with("D0000P0AB00N0000")
	if _, err := Parse(sound); err != nil {
		t.Fatal(err)
	}
	long := func(size string) string { return "CT00" + size + strings.Repeat("x", 0x110-10) }
	for name, block := range map[string]string{
		"nothing":                   "",
		"what crashed a peer":       "00000",
		"a clear key":               "0123456789ABCDEFFEDCBA9876543210",
		"no version":                " " + sound[1:],
		"version F":                 "F" + sound[1:],
		"version d":                 "d" + sound[1:],
		"length with a sign":        "D+144" + sound[5:],
		"length with a space":       "D 144" + sound[5:],
		"length in hexadecimal":     "D0090" + sound[5:],
		"length too small":          "D0143" + sound[5:],
		"length too big":            "D9999" + sound[5:],
		"usage of small letters":    with("D0000p0AB00N0000"),
		"usage not printable":       with("D0000\x000AB00N0000"),
		"algorithm":                 with("D0000P0*B00N0000"),
		"mode":                      with("D0000P0A 00N0000"),
		"key version":               with("D0000P0AB-0N0000"),
		"exportability":             with("D0000P0AB00n0000"),
		"count not a number":        with("D0000P0AB00N0A00"),
		"count with a sign":         with("D0000P0AB00N-100"),
		"context":                   with("D0000P0AB00N0030"),
		"reserved":                  with("D0000P0AB00N0001"),
		"announced, not there":      with("D0000P0AB00N9900"),
		"optional: no length":       with("D0000P0AB00N0100LB"),
		"optional: length 1":        with("D0000P0AB00N0100LB01xxxxxxxxxxxx"),
		"optional: length 3":        with("D0000P0AB00N0100LB03xxxxxxxxxxxx"),
		"optional: small letters":   with("D0000P0AB00N0100LB1fxxxxxxxxxxxx"),
		"optional: too long":        with("D0000P0AB00N0100LBFFxxxxxxxxxxxx"),
		"optional: name":            with("D0000P0AB00N0100lb10xxxxxxxxxxxx"),
		"optional: name with space": with("D0000P0AB00N0100L 10xxxxxxxxxxxx"),
		"optional: not printable":   with("D0000P0AB00N0100LB10xxxxx\x7Fxxxxxx"),
		"optional: not ASCII":       with("D0000P0AB00N0100LB10xxxxx\xC3\xA4xxxxx"),
		"optional: not a multiple":  with("D0000P0AB00N0100LB11xxxxxxxxxxxxx"),
		"optional: twice":           with("D0000P0AB00N0200LB08xxxxLB08xxxx"),
		"padding not last":          with("D0000P0AB00N0200PB08xxxxLB08xxxx"),
		"long: bytes counted":       with("D0000P0AB00N0100" + long("020110")),
		"long: no digits":           with("D0000P0AB00N0100" + long("000110")),
		"long: count not hex":       with("D0000P0AB00N0100" + long("0x0110")),
		"long: length not hex":      with("D0000P0AB00N0100" + long("04011g")),
		"long: too short":           with("D0000P0AB00N0100" + long("040009")),
		"long: too long":            with("D0000P0AB00N0100" + long("04FFFF")),
		"long: cut":                 "D0022P0AB00N0100CT0004",
		"check value: method":       with("D0000P0AB00N0100KC10020123456789"),
		"check value: legacy long":  with("D0000P0AB00N0100KC10000123456789"),
		"check value: not hex":      with("D0000P0AB00N0100KC1001012345678x"),
		"check value: none":         with("D0000P0AB00N0200KC0601LB0Axxxxxx"),
		"time":                      with("D0000P0AB00N0200TS1320201318221218ZPB0D000000000"),
		"time with a zone":          with("D0000P0AB00N0200TS13202012182212180PB0D000000000"),
		"time: none":                with("D0000P0AB00N0200TS04PB0C00000000"),
		"key set: not hex":          with("D0000P0AB00N0100KS10xxxxxxxxxxxx"),
		"derivations: not letters":  with("D0000P0AB00N0100DA10xxxxx-xxxxxx"),
		"no key":                    "D0048P0AB00N0000" + strings.Repeat("0", 32),
		"not whole blocks":          "D0146P0AB00N0000" + strings.Repeat("0", 130),
		"half a byte":               "E0145P0AB00N0000" + strings.Repeat("0", 129),
		"E: no key":                 "E0052P0AB00N0000" + strings.Repeat("0", 36),
		"small hexadecimal":         sound[:100] + "a" + sound[101:],
		"not hexadecimal":           sound[:100] + "G" + sound[101:],
		"too long for a block":      "D0144" + sound[5:] + strings.Repeat("0", 10000),
	} {
		refused(t, kbpkOf(AES), name, block, ErrMalformed)
	}
}

// What the header's strictness lets pass.
func TestSoundHeaders(t *testing.T) {
	for name, head := range map[string]string{
		"plain":             "D0000P0AB00N0000",
		"proprietary":       "D0000101100N0000",
		"component":         "D0000P0ABc1N0000",
		"storage":           "D0000P0AB00N0010",
		"label":             "D0000P0AB00N0100LB10it's a label",
		"empty padding":     "D0000P0AB00N0200LB0CxxxxxxxxPB04",
		"own block":         "D0000P0AB00N010010100123456789ab",
		"long":              "D0000P0AB00N0100CT00040110" + strings.Repeat("x", 0x110-10),
		"long, but needn't": "D0000P0AB00N0100CT00040010xxxxxx",
		"hundredths":        "D0000P0AB00N0200TS152020081822121899ZPB0B0000000",
		"marks":             "D0000P0AB00N0200TC182020-08-18T22:12:18ZPB080000",
		"marks, hundredths": "D0000P0AB00N0200TC1B2020-08-18T22:12:18.99ZPB050",
	} {
		if _, err := Parse(with(head)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWrongKBPK(t *testing.T) {
	for version, sizes := range map[Version][]int{
		VersionA: {0, 8, 15, 32}, VersionB: {0, 8, 17, 32}, VersionC: {0, 32},
		VersionD: {0, 8, 15, 33}, VersionE: {0, 8, 64},
	} {
		f, _ := version.form()
		block := forge(t, kbpkOf(f.cipher), pinKey(version, TDES), plainOf(raw16, 16))
		for _, size := range sizes {
			refused(t, make([]byte, size), string(version), block, ErrKBPK)
		}
		other := kbpkOf(f.cipher)
		other[0] ^= 2
		refused(t, other, string(version), block, ErrForged)
	}
}

func TestWrapRefuses(t *testing.T) {
	kbpk, key := kbpkOf(AES), newKey(t, AES, raw16)
	for name, change := range map[string]func(*Header){
		"version A":         func(h *Header) { h.Version = VersionA },
		"version C":         func(h *Header) { h.Version = VersionC },
		"no version":        func(h *Header) { h.Version = "" },
		"version for TDES":  func(h *Header) { h.Version = VersionB },
		"usage":             func(h *Header) { h.Usage = "Q9" },
		"no usage":          func(h *Header) { h.Usage = "" },
		"mode":              func(h *Header) { h.Mode = ModeC },
		"no mode":           func(h *Header) { h.Mode = "" },
		"two modes":         func(h *Header) { h.Mode = "BD" },
		"algorithm":         func(h *Header) { h.Algorithm = TDES },
		"key version":       func(h *Header) { h.KeyVersion = "1" },
		"key version, sign": func(h *Header) { h.KeyVersion = "+1" },
		"exportability":     func(h *Header) { h.Export = "" },
		"context":           func(h *Header) { h.Context = "3" },
		"optional: name":    func(h *Header) { h.Optional = []Optional{{"x", ""}} },
		"optional: data":    func(h *Header) { h.Optional = []Optional{{LB, "\n"}} },
		"optional: twice":   func(h *Header) { h.Optional = []Optional{{LB, ""}, {LB, ""}} },
		"optional: size": func(h *Header) {
			h.Optional = []Optional{{LB, strings.Repeat("x", 70000)}}
		},
	} {
		h := pinKey(VersionD, AES)
		change(&h)
		if block, err := Wrap(kbpk, h, key, Options{}); err == nil || block != "" {
			t.Errorf("%s: wrapped", name)
		}
	}
	many := pinKey(VersionD, AES)
	for i := range 100 {
		many.Optional = append(many.Optional, Optional{OptionalID(fmt.Sprintf("%02d", i)), "x"})
	}
	if _, err := Wrap(kbpk, many, key, Options{}); err == nil {
		t.Error("100 optional blocks are written")
	}
	dry := Options{Random: strings.NewReader("")}
	if _, err := Wrap(kbpk, pinKey(VersionD, AES), key, dry); err == nil {
		t.Error("padded without random bytes")
	}
	if _, err := Wrap(kbpk, pinKey(VersionD, AES), Key{}, Options{}); !errors.Is(err, ErrNoKey) {
		t.Error("no key is wrapped")
	}
	if _, err := Wrap(raw32[:20], pinKey(VersionD, AES), key, Options{}); !errors.Is(err, ErrKBPK) {
		t.Error("wrapped under 20 bytes")
	}
}
