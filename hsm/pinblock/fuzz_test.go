package pinblock

import (
	"bytes"
	"testing"

	"cardswitch/spec"
)

// FuzzDecode opens anything. What is taken must be what the format says, read here a second time in
// a plain way; all else is one error.
func FuzzDecode(f *testing.F) {
	f.Add(0, false, "4012345678909", []byte("\x04\x12\x74\xED\xCB\xA9\x87\x6F"))
	f.Add(0, true, "4012345678909", []byte("\x04\xA2\x74\xED\xCB\xA9\x87\x6F"))
	f.Add(1, true, "", []byte("\x15\x12\x34\x5E\xDC\xBA\x98\x76"))
	f.Add(3, false, "4012345678909", []byte("\x34\x12\x74\xB9\xF9\xB9\xD3\x5D"))
	f.Add(4, true, "", []byte("\x44\x12\x34\xAA\xAA\xAA\xAA\xAA\x2F\x69\xAD\xDE\x2E\x9E\x7A\xCE"))
	f.Add(2, false, "4012345678909", []byte("\x24\x12\x34\xFF\xFF\xFF\xFF\xFF"))
	f.Fuzz(func(t *testing.T, number int, digits bool, card string, block []byte) {
		format, _ := ParseFormat(number)
		pan, _ := spec.ParsePAN(card)
		checks := Structure
		if digits {
			checks = Digits
		}
		before := bytes.Clone(block)
		pin, err := Decode(format, checks, pan, block)
		if !bytes.Equal(before, block) {
			t.Fatal("the caller's block is changed")
		}
		want := plainly(number, digits, card, block)
		if err != nil && (err != ErrBlock || pin != PIN{}) {
			t.Fatalf("another error, or a PIN beside it: %v", err)
		}
		if got := string(pin.AppendReveal(nil)); got != want {
			t.Fatalf("the PIN has %d digits, not %d, or others", len(got), len(want))
		}
	})
}

// plainly is the PIN of a clear block as characters, nothing if there is none.
func plainly(number int, digits bool, card string, block []byte) string {
	var row []byte // a nibble each
	for _, c := range block {
		row = append(row, c>>4, c&15)
	}
	size := map[int]int{0: 16, 1: 16, 3: 16, 4: 32}[number]
	if len(row) != size || size == 0 {
		return ""
	}
	if number == 0 || number == 3 {
		if _, err := spec.ParsePAN(card); err != nil || len(card) < 8 {
			return ""
		}
		for i := range 12 {
			if at := len(card) - 2 - i; at >= 0 {
				row[15-i] ^= card[at] - '0'
			}
		}
	}
	n := int(row[1])
	if int(row[0]) != number || n < 4 || n > 12 {
		return ""
	}
	for _, v := range row[2+n : 16] {
		if number == 0 && v != 15 || number == 3 && v < 10 || number == 4 && v != 10 {
			return ""
		}
	}
	var pin []byte
	for _, v := range row[2 : 2+n] {
		if digits && v > 9 {
			return ""
		}
		pin = append(pin, hexDigits[v])
	}
	return string(pin)
}

// FuzzTranslate carries anything, clear or enciphered by chance, over every pair of formats: either
// the same PIN comes out, or the one error.
func FuzzTranslate(f *testing.F) {
	f.Add(uint8(0), uint8(0), "4012345678909", []byte("\x04\x12\x74\xED\xCB\xA9\x87\x6F"), true)
	f.Add(uint8(1), uint8(3), "4012345678909123456", []byte("\x15\x12\x34\x5E\xDC\xBA\x98\x76"), true)
	f.Add(uint8(2), uint8(2), "40123456", []byte("\x34\x12\x74\xB9\xF9\xB9\xD3\x5D"), true)
	f.Add(uint8(3), uint8(0), "4012345678909",
		[]byte("\x44\x12\x34\xAA\xAA\xAA\xAA\xAA\x2F\x69\xAD\xDE\x2E\x9E\x7A\xCE"), true)
	f.Add(uint8(3), uint8(3), "4", []byte("0123456789ABCDEF"), false)
	f.Fuzz(func(t *testing.T, a, b uint8, card string, block []byte, encipher bool) {
		from, to := formats()[a%4], formats()[b%4]
		in, out := side(t, from, keyA), side(t, to, keyB)
		tr, err := NewTranslator(in, out, Structure)
		if (err == nil) != from.MayBecome(to) {
			t.Fatal(err)
		}
		if err != nil {
			return
		}
		pan, _ := spec.ParsePAN(card)
		if encipher && len(block) == from.Size() {
			block = enciphered(in.Key, block, pan)
		}
		got, err := tr.Translate(nil, pan, block)
		pin, wrong := in.Key.Decrypt(from, Structure, pan, block)
		if err != nil {
			if err != ErrBlock || got != nil || wrong == nil && pan.Len() >= shortestPAN {
				t.Fatalf("%v to %v: %v, but Decrypt says %v", from, to, err, wrong)
			}
			return
		}
		back, err := out.Key.Decrypt(to, Structure, pan, got)
		if wrong != nil || err != nil || !back.Equal(pin) {
			t.Fatalf("%v to %v: %v, %v", from, to, wrong, err)
		}
	})
}

// enciphered makes a block that opens as the given clear one.
func enciphered(k *Key, clear []byte, pan spec.PAN) []byte {
	block := bytes.Clone(clear)
	k.block.Encrypt(block, block)
	if field, err := PANField(nil, pan); err == nil && len(block) == 16 {
		for i := range block {
			block[i] ^= field[i]
		}
		k.block.Encrypt(block, block)
	}
	return block
}
