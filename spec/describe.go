package spec

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// Line is what people are told of one element of a message, or of a part of one. Card numbers are
// masked, and tracks, PIN blocks and security codes aren't shown at all.
type Line struct {
	Element int    `json:"element"`           // 0: the message type indicator
	Part    string `json:"part,omitempty"`    // of the element: a tag, a position, a name
	Name    string `json:"name,omitempty"`    // of the element or the part
	Value   string `json:"value"`             // masked; hexadecimal for bytes
	Meaning string `json:"meaning,omitempty"` // of a code, or an amount as people write it
}

// Describe tells people what m says: a line for its type, one for each element, and after it those
// of its parts.
func Describe(m *Message) []Line {
	d := describer{m: m, mask: newMasker(m.PAN())}
	mti := m.MTI()
	d.lines = append(d.lines, Line{Name: "message type indicator", Value: mti.String(),
		Meaning: mti.Name()})
	has := m.Elements()
	for n := has.Next(0); n != 0; n = has.Next(n) {
		d.element(n, m.Append(nil, n))
	}
	return d.lines
}

// String is the line as a list shows it.
func (l Line) String() string {
	number, name := strconv.Itoa(l.Element), l.Name
	if l.Element == 0 {
		number = "MTI"
	}
	if l.Part != "" {
		number, name = "", "  "+strings.TrimSpace(l.Part+" "+name)
	}
	text := fmt.Sprintf("%3s  %-38s %s", number, name, l.Value)
	if l.Meaning != "" {
		text += "  (" + l.Meaning + ")"
	}
	return text
}

type describer struct {
	m     *Message
	mask  *masker
	lines []Line
}

func (d *describer) element(n int, value []byte) {
	about := ElementOf(n)
	d.lines = append(d.lines, Line{Element: n, Name: about.Name, Value: d.value(about, value),
		Meaning: d.meaning(n, value)})
	d.parts(n, value)
}

// value shows an element as far as it may be seen.
func (d *describer) value(about Element, value []byte) string {
	switch about.Number {
	case 2:
		return d.m.panOf(2).String()
	case 34:
		return maskEnds(string(value))
	case 35, 36, 45:
		track, err := ParseTrack(value)
		if err != nil {
			return fmt.Sprintf("(%d characters)", len(value))
		}
		return track.String()
	case 48, 55, 96:
		return ""
	case 52:
		return "(PIN block)"
	}
	if about.Class == ClassB {
		return d.mask.known(bytesText(value))
	}
	if about.Class == ClassANS && about.Prefix > 0 && !hasLayout(about.Number, value) {
		return d.mask.free(Katakana(value))
	}
	return d.mask.known(string(value))
}

// hasLayout tells that an element holds amounts, whose digits mustn't be taken for a card number.
func hasLayout(n int, value []byte) (ok bool) {
	switch n {
	case 46, 66:
		_, _, ok = ParseFees(value)
	case 54:
		_, _, ok = ParseAdditionalAmounts(value)
	}
	return ok
}

// meaning says what a code means.
func (d *describer) meaning(n int, value []byte) string {
	switch n {
	case 48, 55, 96:
		return fmt.Sprintf("%d bytes", len(value))
	case 7:
		return timeText("MM-DD hh:mm:ss", value)
	case 12:
		return timeText("20YY-MM-DD hh:mm:ss", value)
	case 15, 28, 73:
		return timeText("20YY-MM-DD", value)
	case 13, 14:
		return timeText("20YY-MM", value)
	case 49, 50, 51:
		return currencyNames[string(value)]
	}
	code, ok := digitsValue(value)
	if !ok {
		return ""
	}
	switch n {
	case 3:
		return ProcessingName(int(code))
	case 24:
		return FunctionName(int(code))
	case 25:
		return ReasonName(int(code))
	case 39:
		return ActionName(int(code))
	case 4:
		return d.amount(code, 49)
	case 5:
		return d.amount(code, 50)
	case 6:
		return d.amount(code, 51)
	}
	return ""
}

// amount writes an amount in the currency of another element.
func (d *describer) amount(n uint64, currency int) string {
	return AmountText(n, string(d.m.Append(nil, currency)))
}

// AmountText is an amount in its currency (DE 49) as people write it, "" if the currency's minor
// unit isn't known here.
func AmountText(n uint64, currency string) string {
	name := currencyNames[currency]
	switch {
	case name == "":
		return ""
	case currency == "392" || currency == "410" || currency == "JPY" || currency == "KRW":
		return fmt.Sprintf("%d %s", n, name)
	}
	return fmt.Sprintf("%d.%02d %s", n/100, n%100, name)
}

// currencyNames are the currencies that Japanese centers settle in; their minor units are known.
var currencyNames = map[string]string{
	"392": "JPY", "840": "USD", "978": "EUR", "826": "GBP", "156": "CNY", "344": "HKD",
	"410": "KRW", "702": "SGD", "764": "THB", "901": "TWD",
	"JPY": "JPY", "USD": "USD", "EUR": "EUR", "GBP": "GBP", "CNY": "CNY", "HKD": "HKD",
	"KRW": "KRW", "SGD": "SGD", "THB": "THB", "TWD": "TWD",
}

// timeText fills digits, in their order, into the letters of a pattern.
func timeText(pattern string, digits []byte) string {
	at := 0
	return strings.Map(func(c rune) rune {
		if strings.ContainsRune("YMDhms", c) && at < len(digits) {
			at++
			return rune(digits[at-1])
		}
		return c
	}, pattern)
}

func bytesText(value []byte) string { return strings.ToUpper(hex.EncodeToString(value)) }

// maskEnds masks a text of which a part is a card number: all but six and four characters of it.
func maskEnds(text string) string {
	if len(text) < 13 {
		return strings.Repeat("*", len(text))
	}
	return text[:6] + strings.Repeat("*", len(text)-10) + text[len(text)-4:]
}
