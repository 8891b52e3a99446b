package payshield

// capitals are the digits of the wire.
const capitals = "0123456789ABCDEF"

func appendHex(dst, b []byte) []byte {
	for _, c := range b {
		dst = append(dst, capitals[c>>4], capitals[c&15])
	}
	return dst
}

// appendHex16 appends a number as four hexadecimal digits.
func appendHex16(dst []byte, n int) []byte { return appendHex(dst, []byte{byte(n >> 8), byte(n)}) }

func all(s string, is func(c byte) bool) bool {
	for i := range len(s) {
		if !is(s[i]) {
			return false
		}
	}
	return true
}

func decimal(s string) bool {
	return all(s, func(c byte) bool { return c >= '0' && c <= '9' })
}

func hexadecimal(s string) bool {
	return all(s, func(c byte) bool { return c >= '0' && c <= '9' || c >= 'A' && c <= 'F' })
}

func alphanumeric(s string) bool {
	return all(s, func(c byte) bool {
		return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
	})
}

func printable(s string) bool { return all(s, func(c byte) bool { return c > ' ' && c < 0x7F }) }

// number reads decimal digits; -1 if they aren't.
func number(s string) int {
	if !decimal(s) || len(s) > 9 {
		return -1
	}
	n := 0
	for i := range len(s) {
		n = 10*n + int(s[i]-'0')
	}
	return n
}
