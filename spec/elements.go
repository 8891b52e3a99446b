package spec

// Element is one row of the standard's table.
type Element struct {
	Number int
	Name   string
	Class  Class
	Length int // characters, or bytes of a ClassB element; the largest if variable
	Prefix int // digits of the length prefix: 0 fixed, 2 LL, 3 LLL
}

// Class is what an element's value is made of.
type Class uint8

// The classes, in the standard's letters.
const (
	ClassN   Class = iota + 1 // digits
	ClassA                    // letters
	ClassAN                   // letters and digits
	ClassANP                  // letters, digits and the pad character, space
	ClassANS                  // letters, digits, special characters and space
	ClassNS                   // digits and special characters
	ClassZ                    // track 2 and 3: digits and the separator = or D
	ClassXN                   // C or D, then digits
	ClassB                    // bytes
)

// String is the class in the standard's letters.
func (c Class) String() string {
	if int(c) < len(classNames) {
		return classNames[c]
	}
	return "?"
}

// ParseClass is the inverse of String.
func ParseClass(s string) (Class, bool) {
	for c := ClassN; c <= ClassB; c++ {
		if classNames[c] == s {
			return c, true
		}
	}
	return 0, false
}

var classNames = [...]string{
	0: "?", ClassN: "n", ClassA: "a", ClassAN: "an", ClassANP: "anp", ClassANS: "ans",
	ClassNS: "ns", ClassZ: "z", ClassXN: "x+n", ClassB: "b",
}

// ElementOf is the row of element n in the table of the 1993 edition; the zero Element if n is not
// 1 to 128.
func ElementOf(n int) Element {
	if n < 1 || n > 128 {
		return Element{}
	}
	return elements[n]
}
