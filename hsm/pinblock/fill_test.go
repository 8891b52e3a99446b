package pinblock

import "testing"

// Formats 1, 3 and 4 never give the same block twice, and use their fill evenly.
func TestFillIsFresh(t *testing.T) {
	pin, pan := parsePIN(t, "1234"), parsePAN(t, "4012345678909")
	for _, f := range []Format{Format1, Format3, Format4} {
		seen, count := make(map[string]bool), make(map[byte]int)
		for range 2000 {
			var random filling
			random.draw(f)
			block := make([]byte, f.Size())
			encode(block, f, &pin, pan, &random)
			if seen[string(block)] && f == Format4 {
				t.Errorf("%v: the same block twice", f)
			}
			seen[string(block)] = true
			for _, c := range random.nibbles[4:] {
				count[c]++
			}
		}
		kinds := map[Format]int{Format1: 16, Format3: 6, Format4: 1}[f]
		for value, n := range count {
			even := 2000 * 10 / kinds
			if n < even*8/10 || n > even*12/10 || f == Format3 && value < 0xA {
				t.Errorf("%v: %X fills %d places, not about %d", f, value, n, even)
			}
		}
		if len(count) != kinds || len(seen) < 1990 {
			t.Errorf("%v: %d kinds of fill, %d different blocks", f, len(count), len(seen))
		}
	}
}

// Each letter comes from as many bytes as any other.
func TestLettersAreEven(t *testing.T) {
	count := make(map[byte]int)
	for c := range 256 {
		if v, ok := letter(byte(c)); ok {
			count[v]++
		}
	}
	for v := byte(0xA); v <= 0xF; v++ {
		if count[v] != 42 || len(count) != 6 {
			t.Errorf("%X comes from %d bytes, and %d nibbles come at all", v, count[v], len(count))
		}
	}
}
