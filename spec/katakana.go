package spec

// Half-width katakana are the bytes A1-DF of JIS X 0201. They travel and are kept as these bytes;
// only what is shown to people becomes Unicode.

const (
	katakanaFirst, katakanaLast = 0xA1, 0xDF
	unicodeFirst                = 0xFF61 // of the same sixty-three characters
	unicodeLast                 = unicodeFirst + katakanaLast - katakanaFirst
)

// Katakana gives text of half-width katakana and printable ASCII as Unicode, for display. Any other
// byte becomes U+FFFD.
func Katakana(text []byte) string {
	runes := make([]rune, len(text))
	for i, c := range text {
		switch {
		case c >= ' ' && c <= '~':
			runes[i] = rune(c)
		case c >= katakanaFirst && c <= katakanaLast:
			runes[i] = unicodeFirst + rune(c-katakanaFirst)
		default:
			runes[i] = '\uFFFD'
		}
	}
	return string(runes)
}

// AppendKatakana appends the bytes of text; false, and nothing appended, if it holds a character
// that has none.
func AppendKatakana(dst []byte, text string) ([]byte, bool) {
	made := dst
	for _, c := range text {
		switch {
		case c >= ' ' && c <= '~':
			made = append(made, byte(c))
		case c >= unicodeFirst && c <= unicodeLast:
			made = append(made, byte(c-unicodeFirst+katakanaFirst))
		default:
			return dst, false
		}
	}
	return made, true
}

func isKatakana(text []byte) bool {
	for _, c := range text {
		if (c < ' ' || c > '~') && (c < katakanaFirst || c > katakanaLast) {
			return false
		}
	}
	return true
}
