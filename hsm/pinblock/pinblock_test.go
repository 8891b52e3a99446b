package pinblock

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"cardswitch/spec"
)

const (
	digitsOfPIN = "907362518405"
	digitsOfPAN = "4539148803436467112"
)

var (
	keyA = []byte("\x01\x23\x45\x67\x89\xAB\xCD\xEF\xFE\xDC\xBA\x98\x76\x54\x32\x10")
	keyB = []byte("\xFE\xDC\xBA\x98\x76\x54\x32\x10\x01\x23\x45\x67\x89\xAB\xCD\xEF" +
		"\x11\x22\x33\x44\x55\x66\x77\x88")
)

func formats() []Format { return []Format{Format0, Format1, Format3, Format4} }

// side has a key for the format.
func side(t testing.TB, f Format, key []byte) Side {
	t.Helper()
	if f == Format4 {
		return Side{aesKey(t, key), f}
	}
	return Side{tdesKey(t, key), f}
}

// Every PIN of every length comes back, from clear and enciphered blocks, for every length of card
// number.
func TestRoundTrip(t *testing.T) {
	for _, f := range formats() {
		s := side(t, f, keyA)
		for pinDigits := 4; pinDigits <= 12; pinDigits++ {
			for panDigits := 8; panDigits <= 19; panDigits++ {
				name := fmt.Sprintf("%v, %d and %d digits", f, pinDigits, panDigits)
				pin, pan := parsePIN(t, digitsOfPIN[:pinDigits]), parsePAN(t, digitsOfPAN[:panDigits])
				block, err := Encode([]byte("x"), f, pin, pan)
				if err != nil || len(block) != 1+f.Size() || block[0] != 'x' {
					t.Fatalf("%s: Encode: %v", name, err)
				}
				if got, err := Decode(f, Digits, pan, block[1:]); err != nil || !got.Equal(pin) {
					t.Errorf("%s: Decode: %v", name, err)
				}
				block, err = s.Key.Encrypt([]byte("x"), f, pin, pan)
				if err != nil || len(block) != 1+f.Size() || block[0] != 'x' {
					t.Fatalf("%s: Encrypt: %v", name, err)
				}
				got, err := s.Key.Decrypt(f, Digits, pan, block[1:])
				if err != nil || !got.Equal(pin) || string(got.AppendReveal(nil)) != digitsOfPIN[:pinDigits] {
					t.Errorf("%s: Decrypt: %v", name, err)
				}
			}
		}
	}
}

// What may go where, written out: the table of ISO 9564-1.
func TestPolicy(t *testing.T) {
	allowed := map[Format]string{Format0: "034", Format1: "034", Format3: "034", Format4: "034"}
	for from := Format(0); from < 7; from++ {
		for to := Format(0); to < 7; to++ {
			known := to.control() != noControl
			want := known && strings.Contains(allowed[from], fmt.Sprint(to.control()))
			if got := from.MayBecome(to); got != want {
				t.Errorf("%v to %v: %v", from, to, got)
			}
			tr, err := NewTranslator(side(t, from, keyA), side(t, to, keyB), Structure)
			if (err == nil) != want || (tr != nil) != want {
				t.Errorf("a translator of %v to %v: %v", from, to, err)
			}
		}
	}
}

func TestTranslate(t *testing.T) {
	for _, from := range formats() {
		for _, to := range formats() {
			if !from.MayBecome(to) {
				continue
			}
			in, out := side(t, from, keyA), side(t, to, keyB)
			tr, err := NewTranslator(in, out, Structure)
			if err != nil {
				t.Fatal(err)
			}
			for n := 4; n <= 12; n++ {
				pin, pan := parsePIN(t, digitsOfPIN[:n]), parsePAN(t, digitsOfPAN[:20-n])
				block, err := in.Key.Encrypt(nil, from, pin, pan)
				if err != nil {
					t.Fatal(err)
				}
				before := bytes.Clone(block)
				got, err := tr.Translate([]byte("x"), pan, block)
				if err != nil || got[0] != 'x' || !bytes.Equal(block, before) {
					t.Fatalf("%v to %v: %v", from, to, err)
				}
				back, err := out.Key.Decrypt(to, Digits, pan, got[1:])
				if err != nil || !back.Equal(pin) {
					t.Errorf("%v to %v: another PIN comes out, %v", from, to, err)
				}
			}
		}
	}
}

// Each refusal is the same error, whatever the reason.
func TestOneError(t *testing.T) {
	in, out := side(t, Format0, keyA), side(t, Format4, keyB)
	tr, err := NewTranslator(in, out, Digits)
	if err != nil {
		t.Fatal(err)
	}
	pan, none, short := parsePAN(t, "4012345678909"), spec.PAN{}, parsePAN(t, "4012345")
	for name, c := range map[string]struct {
		pan   spec.PAN
		clear string
	}{
		"control":   {pan, "341274EDCBA9876F"},
		"too short": {pan, "031274EDCBA9876F"},
		"3 digits":  {pan, "03127FEDCBA9876F"}, // its fill is right
		"too long":  {pan, "0D1274EDCBA9876F"},
		"fill":      {pan, "041274EDCBA98760"},
		"digit":     {pan, "04A274EDCBA9876F"},
		"no PAN":    {none, "041274EDCBA9876F"},
		"short PAN": {short, "041274EDCBA9876F"},
		"PAN":       {parsePAN(t, "4012345678919"), "041274EDCBA9876F"},
		"7 bytes":   {pan, "041274EDCBA987"},
		"9 bytes":   {pan, "041274EDCBA9876F00"},
		"nothing":   {pan, ""},
	} {
		block := make([]byte, len(c.clear)/2)
		if _, err := fmt.Sscanf(c.clear, "%x", &block); err != nil && c.clear != "" {
			t.Fatal(err)
		}
		if pin, err := Decode(Format0, Digits, c.pan, block); err != ErrBlock || pin != (PIN{}) {
			t.Errorf("%s: Decode: %v", name, err)
		}
		if len(block) == 8 {
			in.Key.block.Encrypt(block, block)
		}
		if got, err := tr.Translate([]byte("x"), c.pan, block); err != ErrBlock || got != nil {
			t.Errorf("%s: Translate: %v", name, err)
		}
		pin, err := in.Key.Decrypt(Format0, Digits, c.pan, block)
		if err != ErrBlock || pin != (PIN{}) {
			t.Errorf("%s: Decrypt: %v", name, err)
		}
	}
	pin := parsePIN(t, "1234")
	for _, f := range []Format{Format0, Format3, Format4} {
		if _, err := Encode(nil, f, pin, short); f != Format4 && err != ErrBlock {
			t.Errorf("Encode of %v without a card number: %v", f, err)
		}
		if _, err := side(t, f, keyA).Key.Encrypt(nil, f, pin, none); err != ErrBlock {
			t.Errorf("Encrypt of %v without a card number: %v", f, err)
		}
	}
	for _, f := range append(formats(), 0, 9) {
		if _, err := Encode(nil, f, PIN{}, pan); err != ErrBlock {
			t.Errorf("Encode of no PIN in %v: %v", f, err)
		}
		if _, err := Decode(f, Structure, pan, nil); err != ErrBlock {
			t.Errorf("Decode of no block in %v: %v", f, err)
		}
		wrong := tdesKey(t, keyA)
		if f != Format4 {
			wrong = aesKey(t, keyA)
		}
		if _, err := wrong.Encrypt(nil, f, pin, pan); err != ErrBlock {
			t.Errorf("Encrypt of %v with the wrong algorithm: %v", f, err)
		}
		if _, err := wrong.Decrypt(f, Structure, pan, make([]byte, f.Size())); err != ErrBlock {
			t.Errorf("Decrypt of %v with the wrong algorithm: %v", f, err)
		}
	}
}

func TestKeysThatAreRefused(t *testing.T) {
	same := bytes.Repeat(keyA[:8], 3)
	parity := bytes.Clone(same)
	for i := range parity[:8] {
		parity[i] ^= 1
	}
	for name, key := range map[string][]byte{
		"none": nil, "8": keyA[:8], "15": keyA[:15], "same": same[:16], "parity": parity[:16],
		"first two": append(bytes.Clone(same[:16]), keyB[16:]...),
		"last two":  append(bytes.Clone(keyB[16:]), same[:16]...),
	} {
		if _, err := NewTDESKey(key); err == nil {
			t.Errorf("TDES takes %s", name)
		}
	}
	for _, n := range []int{0, 8, 15, 17, 33} {
		if _, err := NewAESKey(make([]byte, n)); err == nil {
			t.Errorf("AES takes a key of %d bytes", n)
		}
	}
	for _, f := range formats() {
		good, bad := side(t, f, keyA), Side{nil, f}
		if _, err := NewTranslator(bad, side(t, Format0, keyB), 0); err == nil {
			t.Error("a translator without a key")
		}
		if _, err := NewTranslator(good, Side{&Key{}, Format3}, 0); err == nil {
			t.Error("a translator to an empty key")
		}
		if _, err := NewTranslator(good, side(t, Format0, keyB), 2); err == nil {
			t.Error("a translator with unknown checks")
		}
	}
	for _, n := range []int{-1, 2, 5, 255, 256} {
		if f, err := ParseFormat(n); err == nil || f != 0 {
			t.Errorf("there is a format %d", n)
		}
	}
}
