package spec

// posPosition is one of the twelve positions of the point of service data code, element 22.
type posPosition struct {
	asks   string
	values map[byte]string
}

// PointOfService says what a position of the point of service data code, 1 to 12, asks and what the
// value there means; "" for a value that is reserved or private.
func PointOfService(position int, value byte) (asks, meaning string) {
	if position < 1 || position > len(posPositions) {
		return "", ""
	}
	p := posPositions[position-1]
	return p.asks, p.values[value]
}

var posPositions = [12]posPosition{
	{"card data input capability", map[byte]string{
		'0': "unknown", '1': "manual, no terminal", '2': "magnetic stripe", '3': "bar code",
		'4': "OCR", '5': "ICC", '6': "key entry", 'A': "contactless stripe",
		'B': "stripe and key entry", 'C': "ICC, stripe and key entry", 'D': "ICC and stripe",
		'E': "ICC and key entry", 'M': "contactless ICC",
	}},
	{"cardholder authentication capability", map[byte]string{
		'0': "none", '1': "PIN", '2': "electronic signature analysis", '3': "biometric",
		'4': "biographic", '5': "electronic authentication inoperative", '6': "other",
	}},
	{"card capture capability", map[byte]string{'0': "no", '1': "yes"}},
	{"operating environment", map[byte]string{
		'0': "no terminal", '1': "merchant's premises, attended",
		'2': "merchant's premises, unattended", '3': "off premises, attended",
		'4': "off premises, unattended", '5': "cardholder's premises, unattended",
	}},
	{"cardholder present", map[byte]string{
		'0': "present", '1': "absent, unspecified", '2': "mail order", '3': "telephone order",
		'4': "standing order",
	}},
	{"card present", map[byte]string{'0': "no", '1': "yes"}},
	{"card data input mode", map[byte]string{
		'0': "unspecified", '1': "manual, no terminal", '2': "magnetic stripe", '3': "bar code",
		'4': "OCR", '5': "ICC", '6': "key entry", 'A': "contactless stripe",
		'B': "full unaltered track", 'C': "contact EMV", 'D': "contactless EMV",
	}},
	{"cardholder authentication", map[byte]string{
		'0': "not authenticated", '1': "PIN", '2': "electronic signature", '3': "biometric",
		'4': "biographic", '5': "manual signature", '6': "other",
	}},
	{"authenticated by", map[byte]string{
		'0': "nobody", '1': "ICC", '2': "card acceptance device", '3': "authorizing agent",
		'4': "merchant", '5': "other",
	}},
	{"card data output capability", map[byte]string{
		'0': "unknown", '1': "none", '2': "magnetic stripe", '3': "ICC",
	}},
	{"terminal output capability", map[byte]string{
		'0': "unknown", '1': "none", '2': "printing", '3': "display",
		'4': "printing and display",
	}},
	{"PIN capture capability", map[byte]string{
		'0': "none", '1': "unknown", '4': "4 digits", '5': "5 digits", '6': "6 digits",
		'7': "7 digits", '8': "8 digits", '9': "9 digits", 'A': "10 digits", 'B': "11 digits",
		'C': "12 digits",
	}},
}
