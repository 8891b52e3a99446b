package pinblock

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"cardswitch/spec"
)

// A block opened with another card number is taken exactly if its format can't tell.
func TestWrongPAN(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	taken, refused := 0, 0
	for range 4000 {
		n, f := 4+r.IntN(9), []Format{Format0, Format3}[r.IntN(2)]
		a := []byte(digitsOfPAN[:12+r.IntN(8)])
		b := bytes.Clone(a)
		for range 1 + r.IntN(2) {
			b[r.IntN(len(b))] = byte('0' + r.IntN(10))
		}
		pin := parsePIN(t, digitsOfPIN[:n])
		block, err := Encode(nil, f, pin, parsePAN(t, string(a)))
		if err != nil {
			t.Fatal(err)
		}
		want := true
		for place := 2 + n; place < 16; place++ { // where the fill stands
			fill := nibble(block, place) ^ bound(b, place) // as it looks with the other number
			want = want && (f == Format0 && fill == 0xF || f == Format3 && fill >= 0xA)
		}
		_, err = Decode(f, Structure, parsePAN(t, string(b)), block)
		if (err == nil) != want {
			t.Fatalf("%v, %d digits, %s opened as %s: %v", f, n, a, b, err)
		}
		if want {
			taken++
		} else {
			refused++
		}
	}
	if taken < 100 || refused < 100 {
		t.Errorf("%d taken and %d refused: the draw tells nothing", taken, refused)
	}
}

// bound is the digit of a card number at a place of the PAN field of formats 0 and 3.
func bound(pan []byte, place int) byte {
	at := len(pan) - 1 - (16 - place) // the check digit is left out
	if place < 4 || at < 0 {
		return 0
	}
	return pan[at] - '0'
}

// Format 4 takes one wrong card number in 61,440, with digits looked at far fewer.
func TestWrongPANOfFormat4(t *testing.T) {
	k, pin, w := aesKey(t, keyA), parsePIN(t, "1234"), new(work)
	w.random.draw(Format4)
	w.random.tail = [8]byte{1, 2, 3, 4, 5, 6, 7, 8} // so that the count is the same each time
	if !k.seal(w, Format4, &pin, parsePAN(t, "4111111111110000")) {
		t.Fatal("no block")
	}
	var taken [2]int
	for i := 1; i < 10000; i++ {
		for checks := range taken {
			pan := parsePAN(t, fmt.Sprintf("411111111111%04d", i))
			if _, err := k.Decrypt(Format4, Checks(checks), pan, w.field[:]); err == nil {
				taken[checks]++
			}
		}
	}
	if taken[0] > 1 || taken[1] > 0 {
		t.Errorf("%d of 9,999 wrong numbers are taken, %d with digits", taken[0], taken[1])
	}
}

// A block of format 4 that was made as if the card number were zeros doesn't open without one.
func TestFormat4WithoutPAN(t *testing.T) {
	k, pin, w := aesKey(t, keyA), parsePIN(t, "1234"), new(work)
	w.random.draw(Format4)
	block := make([]byte, 16)
	if !encode(block, Format4, &pin, spec.PAN{}, &w.random) {
		t.Fatal("no block")
	}
	k.block.Encrypt(block, block)
	k.block.Encrypt(block, block)
	for _, pan := range []spec.PAN{{}, parsePAN(t, "0000000")} {
		if got, err := k.Decrypt(Format4, Structure, pan, block); err != ErrBlock || !got.IsZero() {
			t.Errorf("it opens: %v", err)
		}
	}
}
