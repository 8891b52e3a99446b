package keyblock

import (
	"bytes"
	"encoding/asn1"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"strings"
	"testing"
	"testing/iotest"
)

// holder has a key where a printer may ask it and where it may not.
type holder struct {
	Key     Key
	Pointer *Key
	List    []Key
	Map     map[string]Key
	key     Key
	pointer *Key
	list    []Key
}

func TestKeysDoNotPrint(t *testing.T) {
	key := newKey(t, AES, raw32)
	h := holder{key, &key, []Key{key}, map[string]Key{"a": key}, key, &key, []Key{key}}
	var out strings.Builder
	for _, value := range []any{key, &key, h, &h, []any{h}, struct{ error }{fmt.Errorf("%v", key)}} {
		for verb := '!'; verb <= '~'; verb++ {
			for _, flags := range []string{"", "+", "#", " ", "0", "-", "+#", "40", ".3"} {
				fmt.Fprintf(&out, "%"+flags+string(verb)+"\n", value)
			}
		}
		fmt.Fprint(&out, value)
		text, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(text)
		if text, err := xml.Marshal(value); err == nil {
			out.Write(text)
		}
		slog.New(slog.NewTextHandler(&out, nil)).Info("text", "value", value)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("json", "value", value)
	}
	for _, secret := range [][]byte{raw32[:4], raw32[8:12], raw32[28:]} {
		for _, form := range []string{string(secret), hex.EncodeToString(secret), hexOf(secret),
			fmt.Sprintf("% x", secret), fmt.Sprintf("% X", secret), strings.Trim(fmt.Sprint(secret), "[]"),
			strings.ReplaceAll(strings.Trim(fmt.Sprint(secret), "[]"), " ", ","),
			strings.Trim(fmt.Sprintf("%#v", secret), "[]byte{}"),
		} {
			if strings.Contains(out.String(), form) {
				t.Errorf("%q is seen", form)
			}
		}
	}
	if got := fmt.Sprint(key, Key{}); got != "(AES key of 32 bytes) (no key)" {
		t.Error(got)
	}
}

func TestWipe(t *testing.T) {
	key := newKey(t, AES, raw16)
	twin := key
	var lent []byte
	if err := key.Use(func(raw []byte) error { lent = raw; return nil }); err != nil {
		t.Fatal(err)
	}
	twin.Wipe()
	twin.Wipe()
	if !bytes.Equal(lent, make([]byte, 16)) {
		t.Error("the bytes are still there")
	}
	for _, k := range []Key{key, twin, {}} {
		k.Wipe()
		_, cipherErr := k.Cipher()
		_, checkErr := k.CheckValue(CMAC, 5)
		useErr := k.Use(func([]byte) error { t.Error("there is something to use"); return nil })
		for _, err := range []error{cipherErr, checkErr, useErr} {
			if !errors.Is(err, ErrNoKey) {
				t.Errorf("%v", err)
			}
		}
		if !k.IsZero() || k.Size() != 0 || k.Strength() != 0 || k.Algorithm() != "" || k.Equal(k) {
			t.Error("there is still a key")
		}
	}
}

func TestKeysAreCopies(t *testing.T) {
	raw := bytes.Clone(raw16)
	key := newKey(t, AES, raw)
	clear(raw)
	if !key.Equal(newKey(t, AES, raw16)) || key.Equal(newKey(t, TDES, raw16)) ||
		key.Equal(newKey(t, AES, raw32)) || key.Equal(newKey(t, AES, raw)) {
		t.Error("the key isn't what was handed in")
	}
	want := errors.New("of the caller")
	if err := key.Use(func([]byte) error { return want }); !errors.Is(err, want) {
		t.Error(err)
	}
}

func TestKeyLengths(t *testing.T) {
	for algorithm, sizes := range map[Algorithm][]int{
		DES: {8}, TDES: {16, 24}, AES: {16, 24, 32}, "": nil, "X": nil,
	} {
		for size := range 70 {
			_, err := NewKey(algorithm, make([]byte, size))
			ok := false
			for _, s := range sizes {
				ok = ok || s == size
			}
			if (err == nil) != ok {
				t.Errorf("%s with %d bytes: %v", algorithm.Text(), size, err)
			}
		}
	}
	if _, err := NewKey(RSA, make([]byte, mostKey+1)); err == nil {
		t.Error("a key that fits in no block is taken")
	}
}

func TestRandomKey(t *testing.T) {
	one, err1 := RandomKey(AES, 32, nil)
	two, err2 := RandomKey(AES, 32, nil)
	if err := errors.Join(err1, err2); err != nil || one.Equal(two) || one.Size() != 32 {
		t.Error(err)
	}
	des, err := RandomKey(TDES, 24, strings.NewReader(string(raw24)))
	if err != nil || !hasOddParity(rawOf(t, des)) || !sameDES(rawOf(t, des), raw24) {
		t.Errorf("%v", err)
	}
	for name, err := range map[string]error{
		"AES with 20": failed(RandomKey(AES, 20, nil)), "RSA": failed(RandomKey(RSA, 256, nil)),
		"negative": failed(RandomKey(AES, -1, nil)), "huge": failed(RandomKey(HMAC, 1<<40, nil)),
		"dry":    failed(RandomKey(AES, 16, strings.NewReader("few"))),
		"broken": failed(RandomKey(AES, 16, iotest.ErrReader(errors.New("no noise")))),
	} {
		if err == nil {
			t.Errorf("%s: made", name)
		}
	}
}

func failed(key Key, err error) error {
	if !key.IsZero() {
		return nil
	}
	return err
}

func TestCipher(t *testing.T) {
	equal := append(raw16[:8:8], raw16[:8]...)
	for _, key := range []Key{newKey(t, DES, raw16[:8]), newKey(t, TDES, equal)} {
		c, err := key.Cipher()
		if err != nil {
			t.Fatal(err)
		}
		block := []byte("8 bytes.")
		c.Encrypt(block, block)
		// TDES with equal parts is DES.
		single, _ := newKey(t, DES, raw16[:8]).Cipher()
		if single.Decrypt(block, block); string(block) != "8 bytes." {
			t.Errorf("%v: %q", key, block)
		}
	}
	two, _ := newKey(t, TDES, raw16).Cipher()
	three, _ := newKey(t, TDES, append(raw16[:16:16], raw16[:8]...)).Cipher()
	block := []byte("8 bytes.")
	two.Encrypt(block, block)
	if three.Decrypt(block, block); string(block) != "8 bytes." {
		t.Error("of two parts, the first isn't the third")
	}
	if _, err := newKey(t, HMAC, raw16).Cipher(); err == nil {
		t.Error("HMAC has a block cipher")
	}
}

func TestStrength(t *testing.T) {
	abc := func(parts string) (raw []byte) {
		for _, p := range parts {
			raw = append(raw, bytes.Repeat([]byte{byte(p) << 1}, 8)...)
		}
		return raw
	}
	parity := abc("ab")
	parity[8] |= 1
	for _, c := range []struct {
		algorithm Algorithm
		raw       []byte
		want      int
	}{
		{DES, raw16[:8], 56}, {TDES, abc("ab"), 80}, {TDES, parity, 80}, {TDES, abc("aa"), 56},
		{TDES, abc("abc"), 112}, {TDES, abc("aba"), 80}, {TDES, abc("aab"), 56},
		{TDES, abc("abb"), 56}, {TDES, abc("aaa"), 56}, {AES, raw16, 128}, {AES, raw24, 192},
		{AES, raw32, 256}, {HMAC, raw16, 128}, {HMAC, bytes.Repeat(raw16, 4), 256}, {RSA, raw16, 0},
		{EC, raw16, 0}, {DSA, raw16, 0}, {RSA, nil, 0},
		{RSA, []byte{0x30, 0}, 0}, {RSA, []byte{0x30, 3, 2, 1, 0}, 0}, {EC, []byte{0x30, 3, 2, 1, 1}, 0},
		{EC, []byte{0x30, 8, 2, 1, 1, 4, 3, 1, 2, 3}, 12}, {EC, []byte{0x30, 0, 0}, 0},
	} {
		if got := strength(c.algorithm, c.raw); got != c.want {
			t.Errorf("%s with %d bytes: %d bits, want %d", c.algorithm.Text(), len(c.raw), got, c.want)
		}
	}
}

func TestRSAStrength(t *testing.T) {
	type public struct{ N, E *big.Int }
	type private struct{ Version, N, E *big.Int }
	for bits, want := range map[uint]int{512: 0, 1023: 0, 1024: 80, 2047: 80, 2048: 112, 3072: 128,
		4096: 128, 7680: 192, 15360: 256} {
		n, e := new(big.Int).Lsh(big.NewInt(1), bits-1), big.NewInt(65537)
		for _, key := range []any{public{n, e}, private{new(big.Int), n, e}} {
			der, err := asn1.Marshal(key)
			if err != nil {
				t.Fatal(err)
			}
			if got := strength(RSA, der); got != want {
				t.Errorf("RSA-%d: %d, want %d", bits, got, want)
			}
			if got := strength(RSA, append(der, 0)); got != 0 {
				t.Errorf("RSA-%d with a byte behind it: %d", bits, got)
			}
		}
	}
}
