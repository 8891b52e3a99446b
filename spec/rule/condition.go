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

// check evaluates the conditions of f, and names the first element that m lacks.
func (f *form) check(m *spec.Message, have spec.Bitmap) spec.Fault {
	have = have.Or(f.relaxed)
	for left := f.conditions; left != 0; left &= left - 1 {
		if n := asked('a'+byte(bits.TrailingZeros32(uint32(left))), m, have); n != 0 {
			return spec.Fault{Element: uint8(n), Kind: spec.FaultMissing}
		}
	}
	return spec.Fault{}
}

// asked gives the element that a condition asks for and m lacks, or 0.
func asked(letter byte, m *spec.Message, have spec.Bitmap) int {
	switch letter {
	case 'a':
		return unless(2, !have.And(cards).IsZero())
	case 'c':
		return unless(4, have.Has(4) || inquires(m))
	case 'd':
		return unless(5, have.Has(5) || !converts(m))
	case 'j':
		return unless(30, have.Has(30) || !otherAmount(m))
	case 'k':
		return unless(30, have.Has(30) || !partial(m))
	case 'n':
		return unless(38, have.Has(38) || !approved(m) || inquires(m))
	case 'p':
		return unless(56, have.Has(56) || !refersBack(m))
	case 's':
		if m.ActionCode() != 503 {
			return netTotal.AndNot(have).Next(0)
		}
	case 't':
		if action := m.ActionCode(); action == 502 || action == 504 {
			return totals.AndNot(have).Next(0)
		}
	case 'u':
		return unless(28, have.Has(28) || !isFunction(m, 821, 822))
	case 'v':
		return unless(29, have.Has(29) || !isFunction(m, 822, 822) && !checkpoint(m))
	case 'w':
		return withAmount(m, have)
	case 'x':
		return unless(96, !have.And(keys).IsZero() || !isFunction(m, 811, 811))
	case 'y':
		return unless(72, have.Has(72) ||
			!isFunction(m, 301, 302) && !isFunction(m, 304, 304))
	case 'z':
		return unless(72, have.Has(72) || have.Has(48) || !isFunction(m, 650, 650))
	}
	return 0
}

func unless(n int, fine bool) int {
	if fine {
		return 0
	}
	return n
}

// withAmount asks for the currency of an amount that is there.
func withAmount(m *spec.Message, have spec.Bitmap) int {
	switch {
	case m.Has(4) && !have.Has(49):
		return 49
	case m.Has(5) && !have.Has(50):
		return 50
	}
	return 0
}

func inquires(m *spec.Message) bool {
	processing, ok := m.Number(3)
	return ok && processing/100000 == 3
}

func converts(m *spec.Message) bool {
	return m.Has(49) && m.Has(50) && !sameCurrency(m)
}

func sameCurrency(m *spec.Message) bool {
	var x, y [8]byte
	return string(m.Append(x[:0], 49)) == string(m.Append(y[:0], 50))
}

// otherAmount: replacements, a completion for another amount, representments, partial reversals.
func otherAmount(m *spec.Message) bool {
	switch function, _ := m.Number(24); function {
	case 102, 103, 202, 205, 206, 207, 401, 453, 454, 455:
		return true
	}
	return false
}

// refersBack: replacements, supplements, completions and representments.
func refersBack(m *spec.Message) bool {
	switch function, _ := m.Number(24); function {
	case 102, 103, 106, 107, 201, 202, 205, 206, 207:
		return m.MTI().Function() != 0 // a request may name what it completes by other elements
	}
	return false
}

func approved(m *spec.Message) bool {
	action := m.ActionCode()
	return action >= 0 && action < 100
}

func partial(m *spec.Message) bool {
	action := m.ActionCode()
	return action == 2 || action == 6
}

func isFunction(m *spec.Message, low, high uint64) bool {
	function, ok := m.Number(24)
	return ok && function >= low && function <= high
}

func checkpoint(m *spec.Message) bool {
	function, _ := m.Number(24)
	return function == 501 || function == 503
}
