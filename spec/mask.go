package spec

import (
	"encoding/hex"
	"strings"
)

// masker hides the digits of one card number, and whatever else looks like one, in what people see.
type masker struct {
	digits   string
	replacer *strings.Replacer // nil if the card number is too short to be told from chance
}

func newMasker(pan PAN) *masker {
	k := &masker{digits: pan.Reveal()}
	if len(k.digits) < shortestPAN {
		return k
	}
	ebcdic := make([]byte, len(k.digits))
	for i, c := range []byte(k.digits) {
		ebcdic[i] = c | 0xF0
	}
	masked := pan.String()
	k.replacer = strings.NewReplacer(k.digits, masked,
		strings.ToUpper(hex.EncodeToString([]byte(k.digits))), masked,
		strings.ToUpper(hex.EncodeToString(ebcdic)), masked)
	return k
}

// known masks where the digits of the message's own card number stand.
func (k *masker) known(text string) string {
	if k.replacer == nil {
		return text
	}
	return k.replacer.Replace(text)
}

// free masks, in a text that may hold anything, also runs of digits that could be other cards.
func (k *masker) free(text string) string {
	text = k.known(text)
	var masked strings.Builder
	for len(text) > 0 {
		start := strings.IndexAny(text, "0123456789")
		if start < 0 {
			break
		}
		run := strings.TrimLeft(text[start:], "0123456789")
		end := len(text) - len(run)
		masked.WriteString(text[:start])
		masked.WriteString(maskRun(text[start:end]))
		text = run
	}
	return masked.String() + text
}

// maskRun masks a run of digits if it could be a whole card number.
func maskRun(run string) string {
	pan, err := ParsePAN(run)
	if err != nil || len(run) < 13 || !pan.Luhn() {
		return run
	}
	return pan.String()
}
