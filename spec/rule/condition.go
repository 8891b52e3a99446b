package rule

import (
	"math/bits"

	"cardswitch/spec"
)

// conditions is a set of the conditions of matrix.txt, one bit a letter.
type conditions uint32

// letters are the conditions and the elements that each asks for.
var letters = [...]struct {
	letter   byte
	elements string
}{
	{'a', "2"}, {'c', "4"}, {'d', "5"}, {'j', "30"}, {'k', "30"}, {'n', "38"}, {'p', "56"},
	{'s', "74-77,86-89,97"}, {'t', "74-77,86-89"}, {'u', "28"}, {'v', "29"}, {'w', "49,50"},
	{'x', "96"}, {'y', "72"}, {'z', "72"},
}

// set adds a condition, and says whether it's one that asks for these elements.
func (c *conditions) set(letter byte, asked []int) bool {
	for _, known := range letters {
		if known.letter != letter {
			continue
		}
		*c |= 1 << (letter - 'a')
		list, err := elements(known.elements)
		return err == nil && spec.Elements(asked...).AndNot(spec.Elements(list...)).IsZero()
	}
	return false
}

var (
	cards    = spec.Elements(2, 34, 35, 36, 45, 102, 103)
	keys     = spec.Elements(47, 48, 53, 96)
	totals   = spec.Elements(74, 75, 76, 77, 86, 87, 88, 89)
	netTotal = totals.With(97)
)

// facts are what the conditions ask of a message again and again.
type facts struct {
	m        *spec.Message
	have     spec.Bitmap   // and what is relaxed
	request  *spec.Message // that it answers, if that is known
	function int           // 0 if absent
	action   int           // -1 if absent
}

// check evaluates the conditions of f, and names the first element that the message lacks.
func (f *form) check(x *facts) spec.Fault {
	for left := f.conditions; left != 0; left &= left - 1 {
		if n := x.asked('a' + byte(bits.TrailingZeros32(uint32(left)))); n != 0 {
			return spec.Fault{Element: uint8(n), Kind: spec.FaultMissing}
		}
	}
	return spec.Fault{}
}

// asked gives the element that a condition asks for and the message lacks, or 0.
func (x *facts) asked(letter byte) int {
	switch letter {
	case 'a':
		if x.have.And(cards).IsZero() {
			return 2
		}
	case 'c':
		return x.lacks(4, !x.have.Has(4) && !x.inquires())
	case 'd':
		return x.lacks(5, x.have.Has(50) && !x.sameCurrency())
	case 'j':
		return x.lacks(30, x.otherAmount())
	case 'k':
		return x.lacks(30, x.action == 2 || x.action == 6)
	case 'n':
		return x.lacks(38, spec.Approved(x.action) && !x.have.Has(38) && !x.inquires())
	case 'p':
		return x.lacks(56, x.refersBack())
	case 's':
		if x.action != 503 {
			return netTotal.AndNot(x.have).Next(0)
		}
	case 't':
		if x.action == 502 || x.action == 504 {
			return totals.AndNot(x.have).Next(0)
		}
	case 'w':
		return x.currency()
	case 'x':
		if x.function == 811 && x.have.And(keys).IsZero() {
			return 96
		}
	default:
		return x.askedByFunction(letter)
	}
	return 0
}

// askedByFunction is asked, for the conditions that hold for some function codes.
func (x *facts) askedByFunction(letter byte) int {
	f := x.function
	switch letter {
	case 'u':
		return x.lacks(28, f == 821 || f == 822)
	case 'v':
		return x.lacks(29, f == 822 || f == 501 || f == 503)
	case 'y':
		return x.lacks(72, f == 301 || f == 302 || f == 304)
	case 'z':
		return x.lacks(72, f == 650 && !x.have.Has(48))
	}
	return 0
}

func (x *facts) lacks(n int, asked bool) int {
	if asked && !x.have.Has(n) {
		return n
	}
	return 0
}

// currency asks for the currency of an amount that is there.
func (x *facts) currency() int {
	if n := x.lacks(49, x.m.Has(4)); n != 0 {
		return n
	}
	return x.lacks(50, x.m.Has(5))
}

func (x *facts) inquires() bool {
	return inquires(x.m) || x.request != nil && inquires(x.request)
}

// inquires tells of a message that only asks: by its processing code, or as an authorization with
// the function code for it, such as a validity check.
func inquires(m *spec.Message) bool {
	if processing, ok := m.Number(3); ok && processing/100000 == 3 {
		return true
	}
	function, _ := m.Number(24)
	return function == 108 && m.MTI().Class() == 1
}

func (x *facts) sameCurrency() bool {
	var transaction, reconciliation [8]byte
	return !x.m.Has(49) || !x.m.Has(50) ||
		string(x.m.Append(transaction[:0], 49)) == string(x.m.Append(reconciliation[:0], 50))
}

// otherAmount: replacements, a completion for another amount, representments, partial reversals.
func (x *facts) otherAmount() bool {
	switch x.function {
	case 102, 103, 202, 205, 206, 207, 401, 453, 454, 455:
		return true
	}
	return false
}

// refersBack: replacements, supplements, completions and representments. A request may name what
// it refers to by other elements.
func (x *facts) refersBack() bool {
	switch x.function {
	case 102, 103, 106, 107, 201, 202, 205, 206, 207:
		return x.m.MTI().Function() != 0
	}
	return false
}
