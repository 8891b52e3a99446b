package spec

// A card number has 13 to 19 digits here. Twelve would be legal, but one in ten of all retrieval
// reference numbers and the like would pass for a card.
const (
	leastCard = 13
	mostCard  = 19
)

// mayName tells of a text that has room for a card number. Numbers and amounts are none: a card
// number has its own elements among them.
func (l *layout) mayName() bool {
	switch l.class {
	case ClassN, ClassXN, ClassB:
		return false
	}
	return l.form == formText && l.length >= leastCard
}

// numbers looks for the numbers of cards, any card's, in a text, and blanks them if it is to.
func (l *layout) numbers(n int, wire []byte, blank bool) (found bool) {
	data := wire[l.prefix:]
	if n != 48 {
		return numbersIn(data, l.text.zero, blank)
	}
	if l.text.ascii {
		return itemNumbersIn(data, data, l.text.zero, blank)
	}
	var scratch [1024]byte
	return itemNumbersIn(l.appendCanonical(scratch[:0], wire), data, l.text.zero, blank)
}

// itemNumbersIn looks into the items of element 48, whose heads are digits as well. value is
// canonical, data the same on the wire, character for character.
func itemNumbersIn(value, data []byte, zero byte, blank bool) (found bool) {
	items, end := ParseItems(value), 0
	for items.Next() {
		from := items.Offset()
		end = from + len(items.Value())
		if itemHoldsNumber(items.Tag(), items.Value()) {
			found = numbersIn(data[from:end], zero, blank) || found
		}
	}
	return numbersIn(data[end:], zero, blank) || found
}

// itemHoldsNumber excepts the items that are digits by their nature, and often many.
func itemHoldsNumber(tag ItemTag, value []byte) bool {
	if len(value) < leastCard || tag == TagTerminal && len(value) == 13 ||
		!numbersIn(value, '0', false) {
		return false
	}
	if tag == TagPaymentDivision {
		_, fault := ParsePayment(value)
		return fault != PaymentOK
	}
	return true
}

func numbersIn(data []byte, zero byte, blank bool) (found bool) {
	from, to := nextNumber(data, 0, zero)
	for ; from >= 0; from, to = nextNumber(data, to, zero) {
		if !blank {
			return true
		}
		overwrite(data[from:to], zero)
		found = true
	}
	return found
}

// nextNumber finds, from a place on, the digits in a row that could be a card number with its check
// digit, or a row so long that one could stand anywhere in it; from is -1 if there is none. Each
// row that is long enough covers one of every leastCard bytes: only those are looked at.
func nextNumber(data []byte, start int, zero byte) (from, to int) {
	for at := start + leastCard - 1; at < len(data); at += leastCard {
		if data[at]^zero > 9 {
			continue
		}
		for from = at; from > start && data[from-1]^zero <= 9; from-- {
		}
		for to = at + 1; to < len(data) && data[to]^zero <= 9; to++ {
		}
		if row := data[from:to]; len(row) >= leastCard &&
			(len(row) > mostCard || checks(row, zero)) && !blankRow(row, zero) {
			return from, to
		}
		start = to
		at = to - 1
	}
	return -1, 0
}

// checks tells whether the last digit is the right check digit of those before it.
func checks(row []byte, zero byte) bool {
	sum, double := 0, false
	for i := len(row) - 1; i >= 0; i-- {
		d := int(row[i] ^ zero)
		if double {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum, double = sum+d, !double
	}
	return sum%10 == 0
}

func blankRow(row []byte, zero byte) bool {
	for _, c := range row {
		if c != zero {
			return false
		}
	}
	return true
}
