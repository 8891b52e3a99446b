package spec

// Original names an earlier message of the same parties (element 56; ISO 8583:1993, and
// reference iso8583-1993 section 2.4): its type, trace number, local time and acquirer.
type Original struct {
	MTI         MTI
	STAN        uint32 // DE 11
	LocalTime   uint64 // DE 12, YYMMDDhhmmss
	Acquirer    uint64 // DE 32
	AcquirerLen uint8  // its digits
}

// originalFixed is how many digits stand before the acquirer id.
const originalFixed = 4 + 6 + 12

// ParseOriginal reads the canonical value of element 56. The acquirer id stands with two digits of
// length before it, or, as some partners send it, fixed with eleven digits and no length.
func ParseOriginal(value []byte) (o Original, ok bool) {
	if len(value) < originalFixed+2 || len(value) > originalFixed+2+11 {
		return o, false
	}
	head, okHead := digitsValue(value[:4])
	stan, okSTAN := digitsValue(value[4:10])
	local, okLocal := digitsValue(value[10:originalFixed])
	rest := value[originalFixed:]
	length, okLength := digitsValue(rest[:2])
	if !okHead || !okSTAN || !okLocal || !okLength {
		return o, false
	}
	id := rest[2:]
	if int(length) != len(id) {
		if len(rest) != 11 {
			return o, false
		}
		id = rest
	}
	acquirer, okAcquirer := digitsValue(id)
	o.MTI = MTI(head/1000<<12 | head/100%10<<8 | head/10%10<<4 | head%10)
	o.STAN, o.LocalTime = uint32(stan), local
	o.Acquirer, o.AcquirerLen = acquirer, uint8(len(id))
	return o, okAcquirer
}

// Append appends the canonical value of element 56, the acquirer id with its length.
func (o Original) Append(dst []byte) []byte {
	d := o.MTI.digits()
	dst = append(dst, d[:]...)
	dst = appendDigits(dst, uint64(o.STAN), 6)
	dst = appendDigits(dst, o.LocalTime, 12)
	dst = appendDigits(dst, uint64(o.AcquirerLen), 2)
	return appendDigits(dst, o.Acquirer, int(o.AcquirerLen))
}
