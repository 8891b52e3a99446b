package spec

import (
	"strings"
	"unicode/utf8"
)

// MaskText masks the digits of whatever looks like a card number in a text that a person wrote: 13
// to 19 digits with a right check digit, also when they stand in groups with a space, a hyphen, a
// dot or a slash between them, or in the wide digits of a Japanese keyboard, and rows of digits so
// long that a card could stand anywhere in them. As many digits stay as PAN.String shows, of a row
// that is too long none. What follows a card as the rest of a track is masked whole.
func MaskText(text string) string {
	runs := digitRuns(text)
	if len(runs) == 0 {
		return text
	}
	var masked []bool // by byte of text, nil while nothing is
	hide := func(at []int) {
		if masked == nil {
			masked = make([]bool, len(text))
		}
		for _, i := range at {
			masked[i] = true
		}
	}
	for first := range runs {
		var digits []byte
		var at []int
		for last := first; last < len(runs) && (last == first || runs[last].joined); last++ {
			digits, at = append(digits, runs[last].digits...), append(at, runs[last].at...)
			if len(digits) > mostCard {
				break
			}
			if len(digits) >= leastCard && checks(digits, '0') {
				hide(at[6 : len(at)-4])
				hide(trackRest(text, runs, last))
			}
		}
		if len(runs[first].digits) > mostCard {
			hide(runs[first].at)
		}
	}
	return starred(text, masked)
}

// digitRun is digits in a row, with the places where they begin in the text. joined says that no
// more than one separator stands between them and the run before.
type digitRun struct {
	digits []byte
	at     []int
	end    int
	joined bool
}

func digitRuns(text string) []digitRun {
	var runs []digitRun
	separators, open := 0, false
	for i, r := range text {
		digit, ok := digitOf(r)
		switch {
		case !ok:
			separators++
			if open = false; !separates(r) {
				separators += 2
			}
			continue
		case !open:
			runs = append(runs, digitRun{joined: len(runs) > 0 && separators == 1})
		}
		open, separators = true, 0
		run := &runs[len(runs)-1]
		run.digits, run.at = append(run.digits, digit), append(run.at, i)
		run.end = i + utf8.RuneLen(r)
	}
	return runs
}

func digitOf(r rune) (byte, bool) {
	switch {
	case r >= '0' && r <= '9':
		return byte(r), true
	case r >= '０' && r <= '９':
		return byte(r-'０') + '0', true
	}
	return 0, false
}

func separates(r rune) bool {
	switch r {
	case ' ', '-', '.', '/', '\t', '\u00a0', '\u3000', '\u2010', '\u2011', '\u2012', '\u2013',
		'\u2212', '\uff0d':
		return true
	}
	return false
}

// trackRest is the places of the digits that stand behind the separator of a track.
func trackRest(text string, runs []digitRun, card int) []int {
	end := runs[card].end
	if end == len(text) || !strings.ContainsRune("=^D", rune(text[end])) {
		return nil
	}
	var at []int
	for _, run := range runs[card+1:] {
		if strings.ContainsAny(text[end:run.at[0]], "\n ") && text[end] != '^' {
			break
		}
		at = append(at, run.at...)
	}
	return at
}

// starred writes a star for each character that begins at a masked place.
func starred(text string, masked []bool) string {
	if masked == nil {
		return text
	}
	var b strings.Builder
	for i, r := range text {
		if masked[i] {
			r = '*'
		}
		b.WriteRune(r)
	}
	return b.String()
}
