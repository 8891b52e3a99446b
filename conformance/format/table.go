package format

// class says which characters an element may hold.
type class uint8

const (
	digits       class = iota + 1 // n
	alphanumeric                  // an
	padded                        // anp: an and the space
	text                          // ans, ns: any printable character
	binary                        // b
	track                         // z
	signed                        // x+n: C or D, then digits
)

// form is one row of the 1993 table: what an element holds and how long it may be.
type form struct {
	class  class
	length int // fixed length, or the most a variable element may hold
	prefix int // digits of the length prefix, 0 for a fixed element
}

// forms lists the elements that have a form of their own; runs lists the rest.
//
// This is a second copy of the standard's table on purpose: package spec has its own, and a slip
// in either shows as soon as the two ends talk.
func forms() map[int]form {
	table := map[int]form{
		2: {digits, 19, 2}, 31: {text, 99, 2}, 32: {digits, 11, 2}, 33: {digits, 11, 2},
		34: {text, 28, 2}, 35: {track, 37, 2}, 36: {track, 104, 3}, 43: {text, 99, 2},
		44: {text, 99, 2}, 45: {text, 76, 2}, 46: {text, 204, 3}, 53: {binary, 48, 2},
		54: {text, 120, 3}, 55: {binary, 255, 3}, 56: {digits, 35, 2}, 58: {digits, 11, 2},
		66: {text, 204, 3}, 72: {text, 999, 3}, 93: {digits, 11, 2}, 94: {digits, 11, 2},
		95: {text, 99, 2}, 96: {binary, 999, 3}, 99: {alphanumeric, 11, 2},
		100: {digits, 11, 2}, 101: {text, 17, 2}, 102: {text, 28, 2}, 103: {text, 28, 2},
		104: {text, 100, 3}, 109: {text, 84, 2}, 110: {text, 84, 2},

		22: {alphanumeric, 12, 0}, 37: {padded, 12, 0}, 38: {padded, 6, 0}, 41: {text, 8, 0},
		42: {text, 15, 0}, 49: {alphanumeric, 3, 0}, 50: {alphanumeric, 3, 0},
		51: {alphanumeric, 3, 0}, 52: {binary, 8, 0}, 64: {binary, 8, 0}, 97: {signed, 17, 0},
		98: {text, 25, 0}, 128: {binary, 8, 0},
	}
	for length, elements := range fixedDigits() {
		for _, n := range elements {
			table[n] = form{digits, length, 0}
		}
	}
	for _, n := range []int{47, 48, 59, 60, 61, 62, 63} {
		table[n] = form{text, 999, 3}
	}
	for n := 111; n <= 127; n++ {
		table[n] = form{text, 999, 3}
	}
	return table
}

// fixedDigits lists the fixed n elements by their length.
func fixedDigits() map[int][]int {
	return map[int][]int{
		1:  {27},
		2:  {67},
		3:  {19, 20, 21, 23, 24, 29, 39, 40, 57, 68, 69, 70, 91, 92},
		4:  {13, 14, 16, 17, 18, 25, 26},
		6:  {3, 11, 15, 28, 73},
		8:  {8, 9, 10, 71},
		10: {7, 74, 75, 76, 77, 78, 79, 80, 81, 82, 83, 84, 85, 90, 107, 108},
		12: {4, 5, 6, 12},
		16: {86, 87, 88, 89, 105, 106},
		24: {30},
	}
}

// holds reports whether every character of v belongs to the class.
func (c class) holds(v string, katakana bool) bool {
	for i := 0; i < len(v); i++ {
		if kana := v[i] >= 0xa1 && v[i] <= 0xdf; kana && katakana && c == text {
			continue
		}
		if !c.allows(v[i], i) {
			return false
		}
	}
	return true
}

func (c class) allows(ch byte, at int) bool {
	digit := ch >= '0' && ch <= '9'
	switch c {
	case digits:
		return digit
	case alphanumeric, padded:
		letter := ch >= 'A' && ch <= 'Z' || ch >= 'a' && ch <= 'z'
		return digit || letter || ch == ' ' && c == padded
	case text:
		return ch >= 0x20 && ch <= 0x7e
	case track:
		return digit || ch == '=' || ch == 'D'
	case signed:
		return digit && at > 0 || at == 0 && (ch == 'C' || ch == 'D')
	}
	return true
}
