package spec

import "bytes"

// Location is element 43: the card acceptor's name and where it is. The texts are parts of what
// ParseLocation got, without the spaces that fill them.
type Location struct {
	Name, Street, City        []byte
	Postcode, Region, Country []byte
}

// The tail of an element 43 behind the city.
const (
	postcodeLength = 10
	regionLength   = 3
	countryLength  = 3
	tailLength     = postcodeLength + regionLength + countryLength
)

// The parts of the form of 1987, which some centers still send: name, city and country.
const (
	oldNameLength = 25
	oldCityLength = 13
	oldLength     = oldNameLength + oldCityLength + 2
)

// ParseLocation reads the canonical value of element 43: name, street and city, each ended by a
// backslash, and then postcode, region and country of fixed length; or the form of 1987.
func ParseLocation(value []byte) (l Location, ok bool) {
	name, rest, ok := bytes.Cut(value, backslash)
	if !ok && len(value) == oldLength {
		return Location{Name: trim(value[:oldNameLength]),
			City:    trim(value[oldNameLength : oldNameLength+oldCityLength]),
			Country: trim(value[oldLength-2:])}, true
	}
	street, rest, second := bytes.Cut(rest, backslash)
	city, tail, third := bytes.Cut(rest, backslash)
	if !ok || !second || !third || len(tail) != tailLength {
		return l, false
	}
	return Location{Name: trim(name), Street: trim(street), City: trim(city),
		Postcode: trim(tail[:postcodeLength]),
		Region:   trim(tail[postcodeLength : postcodeLength+regionLength]),
		Country:  trim(tail[tailLength-countryLength:])}, true
}

// Append appends the canonical value of element 43; false, and nothing appended, if a text is too
// long for its place or holds a backslash.
func (l Location) Append(dst []byte) ([]byte, bool) {
	made := dst
	for _, text := range [...][]byte{l.Name, l.Street, l.City} {
		if bytes.Contains(text, backslash) {
			return dst, false
		}
		made = append(append(made, text...), '\\')
	}
	for _, part := range [...]struct {
		text   []byte
		length int
	}{{l.Postcode, postcodeLength}, {l.Region, regionLength}, {l.Country, countryLength}} {
		if len(part.text) > part.length {
			return dst, false
		}
		made = append(made, part.text...)
		for range part.length - len(part.text) {
			made = append(made, ' ')
		}
	}
	if len(made)-len(dst) > elements[43].Length {
		return dst, false
	}
	return made, true
}

func trim(text []byte) []byte { return bytes.TrimRight(text, " ") }

var backslash = []byte{'\\'}
