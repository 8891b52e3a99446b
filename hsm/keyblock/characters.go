package keyblock

// number reads digits of a base, capitals for those above nine; ok is false if one isn't.
func number(digits string, base int) (n int, ok bool) {
	for _, c := range []byte(digits) {
		d := int(c - '0')
		if c >= 'A' && c <= 'F' {
			d = int(c-'A') + 10
		} else if c < '0' || c > '9' {
			return 0, false
		}
		if d >= base {
			return 0, false
		}
		n = n*base + d
	}
	return n, true
}

func hexadecimal(text string) bool {
	return every(text, func(c byte) bool { return c >= '0' && c <= '9' || c >= 'A' && c <= 'F' })
}

func upper(text string) bool {
	return every(text, func(c byte) bool { return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' })
}

func alphanumeric(text string) bool {
	return every(text, func(c byte) bool {
		return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
	})
}

func printable(text string) bool {
	return every(text, func(c byte) bool { return c >= ' ' && c <= '~' })
}

func every(text string, allowed func(byte) bool) bool {
	for _, c := range []byte(text) {
		if !allowed(c) {
			return false
		}
	}
	return true
}
