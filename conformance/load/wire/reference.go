package wire

// MaxLanes and MaxSequence bound a Reference: three and nine of the twelve digits of DE 37.
const (
	MaxLanes    = 1000
	MaxSequence = 1000000000
)

// Reference is the retrieval reference number (DE 37) of a load test: the lane (one connection of
// the generator) and the message's number on it. It is unique for a whole run and leads back to its
// sender.
type Reference struct {
	Lane     uint64
	Sequence uint64
}

// ParseReference reads DE 37 and says whether it has the form of a load test.
func ParseReference(data []byte) (Reference, bool) {
	if len(data) != 12 {
		return Reference{}, false
	}
	for _, c := range data {
		if c < '0' || c > '9' {
			return Reference{}, false
		}
	}
	return Reference{Lane: Number(data[:3]), Sequence: Number(data[3:])}, true
}

// Put writes DE 37 over twelve bytes.
func (r Reference) Put(dst []byte) {
	PutNumber(dst[:3], r.Lane)
	PutNumber(dst[3:12], r.Sequence)
}
