package mac

import (
	"errors"
	"fmt"
)

// Algorithm is how the blocks of a message become a code.
type Algorithm uint8

// The algorithms. The keys are those of DES (8 bytes), TDES (16 or 24) and AES (16, 24 or 32).
const (
	CBC      Algorithm = iota + 1 // ISO/IEC 9797-1 algorithm 1 with DES or TDES
	Retail                        // ISO/IEC 9797-1 algorithm 3, ANSI X9.19, with TDES
	TDESCMAC                      // NIST SP 800-38B with TDES
	AESCMAC                       // NIST SP 800-38B and RFC 4493 with AES
)

// String names the algorithm as its standard does.
func (a Algorithm) String() string {
	switch a {
	case CBC:
		return "ISO 9797-1 algorithm 1"
	case Retail:
		return "ISO 9797-1 algorithm 3"
	case TDESCMAC:
		return "TDES-CMAC"
	case AESCMAC:
		return "AES-CMAC"
	}
	return fmt.Sprintf("algorithm %d", uint8(a))
}

// BlockSize is the bytes of one block and so the most that a code has; 0 if there is no such
// algorithm.
func (a Algorithm) BlockSize() int {
	switch a {
	case CBC, Retail, TDESCMAC:
		return 8
	case AESCMAC:
		return 16
	}
	return 0
}

// Padding is how ISO/IEC 9797-1 section 6.3 fills the last block.
type Padding uint8

// The padding methods. CMAC has its own and takes none.
const (
	NoPadding Padding = iota
	Padding1          // zeros, as few as needed: two messages may have the same code
	Padding2          // one bit 1, then zeros
	Padding3          // a block with the length in bits before, then zeros as needed
)

// Spec says what a code is: a link's profile holds one.
type Spec struct {
	Algorithm Algorithm
	Padding   Padding
	Size      int // bytes of the code, 4 to the size of a block: the leftmost are taken
}

// least is the shortest code in bytes. A shorter one can be guessed.
const least = 4

// Validate says what is wrong with s.
func (s Spec) Validate() error {
	block := s.Algorithm.BlockSize()
	if block == 0 {
		return fmt.Errorf("there is no MAC %v", s.Algorithm)
	}
	if s.Size < least || s.Size > block {
		return fmt.Errorf("a code of %v has %d to %d bytes, not %d", s.Algorithm, least, block, s.Size)
	}
	switch s.Algorithm {
	case CBC, Retail:
		if s.Padding < Padding1 || s.Padding > Padding3 {
			return fmt.Errorf("%v needs padding method 1, 2 or 3", s.Algorithm)
		}
	case TDESCMAC, AESCMAC:
		if s.Padding != NoPadding {
			return errors.New("CMAC takes no padding method: it has its own")
		}
	}
	return nil
}
