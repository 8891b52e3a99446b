package mac

import (
	"encoding/binary"
	"errors"
	"slices"
)

// mostDerived is the most bytes that KDF gives: keys are short, a wrong length would be long.
const mostDerived = 1024

// KDF fills out with key material derived from the key of a CMAC with its whole size, by the
// counter mode of NIST SP 800-108r1 section 4.1. Label says what the material is for and may have
// no zero byte, context says for whom and when.
func (m *Mac) KDF(out, label, context []byte) error {
	size := m.spec.Algorithm.BlockSize()
	switch {
	case m.spec.Padding != NoPadding || m.spec.Size != size:
		return errors.New("keys are derived with a CMAC that isn't shortened")
	case len(out) == 0 || len(out) > mostDerived:
		return errors.New("1 to 1024 bytes can be derived")
	case slices.Contains(label, 0):
		return errors.New("a zero byte in a label would make it ambiguous")
	}
	var input []byte
	for i := 0; i*size < len(out); i++ {
		input = AppendKDFInput(input[:0], uint32(i+1), len(out), label, context)
		s := m.compute([][]byte{input})
		if s == nil {
			return errors.New("the key that was to be derived from is wiped")
		}
		copy(out[i*size:], s.x[:size])
		clear(s.x[:])
	}
	return nil
}

// AppendKDFInput appends what the CMAC of the i-th block of KDF is over, i from 1, when n bytes are
// derived: counter and length in bits have 32 bits each. A module that keeps the key computes that
// CMAC itself.
func AppendKDFInput(dst []byte, i uint32, n int, label, context []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, i)
	dst = append(append(append(dst, label...), 0), context...)
	return binary.BigEndian.AppendUint32(dst, uint32(n)*8)
}
