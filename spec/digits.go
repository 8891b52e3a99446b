package spec

// digitsValue reads one to nineteen digits.
func digitsValue(text []byte) (uint64, bool) {
	if len(text) == 0 || len(text) > 19 {
		return 0, false
	}
	var n uint64
	for _, c := range text {
		if c-'0' > 9 {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	return n, true
}

// appendDigits appends the last count digits of n, with zeros in front.
func appendDigits(dst []byte, n uint64, count int) []byte {
	at := len(dst)
	for range count {
		dst = append(dst, '0')
	}
	for i := at + count - 1; i >= at; i-- {
		dst[i] = '0' + byte(n%10)
		n /= 10
	}
	return dst
}
