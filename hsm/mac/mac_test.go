package mac_test

import (
	"bytes"
	"crypto/cipher"
	"crypto/des"
	"math/rand/v2"
	"testing"

	"cardswitch/hsm/mac"
	"cardswitch/hsm/vectors"
)

func prepared(t testing.TB, spec mac.Spec, key []byte) *mac.Mac {
	t.Helper()
	m, err := mac.New(spec, key)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestRetailVectors(t *testing.T) {
	for _, c := range vectors.Load(t, "retail_mac") {
		spec := mac.Spec{Algorithm: mac.Retail, Padding: mac.Padding(c.Int("pad")), Size: 8}
		holds(t, c, prepared(t, spec, c.Hex("key")))
	}
}

func TestCMACVectors(t *testing.T) {
	for _, c := range vectors.Load(t, "cmac") {
		spec := mac.Spec{Algorithm: mac.AESCMAC, Size: 16}
		if c.Text("alg") == "TDES" {
			spec = mac.Spec{Algorithm: mac.TDESCMAC, Size: 8}
		}
		holds(t, c, prepared(t, spec, c.Hex("key")))
	}
}

// holds checks a vector, whole and shortened to every length, in one part and in many.
func holds(t *testing.T, c vectors.Case, m *mac.Mac) {
	t.Helper()
	msg, want := c.Hex("msg"), c.Hex("mac")
	if got := m.Sum([]byte("before"), msg); !bytes.Equal(got, append([]byte("before"), want...)) {
		t.Errorf("%s: %X, want %X", c.ID(), got[6:], want)
	}
	for cut := range len(msg) + 1 {
		if !m.Verify(want, msg[:cut], nil, msg[cut:]) {
			t.Errorf("%s: another code when the message comes in two parts, cut at %d", c.ID(), cut)
		}
	}
	for size := 4; size <= len(want); size++ {
		spec := m.Spec()
		spec.Size = size
		short := prepared(t, spec, c.Hex("key"))
		if short.Size() != size || !bytes.Equal(short.Sum(nil, msg), want[:size]) {
			t.Errorf("%s: with %d bytes it is %X", c.ID(), size, short.Sum(nil, msg))
		}
		if !short.Verify(want[:size], msg) || short.Verify(want[:size-1], msg) ||
			size < len(want) && short.Verify(want, msg) {
			t.Errorf("%s: a code of other than %d bytes is taken", c.ID(), size)
		}
	}
	for bit := range len(want) * 8 {
		bad := bytes.Clone(want)
		bad[bit/8] ^= 1 << (bit % 8)
		if m.Verify(bad, msg) {
			t.Errorf("%s: taken with bit %d flipped", c.ID(), bit)
		}
	}
	if m.Verify(want, msg, []byte{0x55}) {
		t.Errorf("%s: taken with a byte appended", c.ID())
	}
}

// Algorithm 1 is CBC encryption of the padded message, of which the last block counts.
func TestCBC(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	for _, keySize := range []int{8, 16, 24} {
		key := make([]byte, keySize)
		for n := range 40 {
			msg := make([]byte, n)
			fill(random, key)
			fill(random, msg)
			for padding := mac.Padding1; padding <= mac.Padding3; padding++ {
				m := prepared(t, mac.Spec{Algorithm: mac.CBC, Padding: padding, Size: 8}, key)
				padded := pad(msg, padding)
				cipher.NewCBCEncrypter(tdes(t, key), make([]byte, 8)).CryptBlocks(padded, padded)
				if got, want := m.Sum(nil, msg), padded[len(padded)-8:]; !bytes.Equal(got, want) {
					t.Errorf("key of %d, message of %d, padding %d: %X, want %X", keySize, n, padding,
						got, want)
				}
			}
		}
	}
}

// The retail MAC is algorithm 1 with DES, then a decryption and an encryption with the other parts.
func TestRetailIsCBCAndTwoSteps(t *testing.T) {
	random := rand.New(rand.NewPCG(2, 1))
	for _, keySize := range []int{16, 24} {
		key := make([]byte, keySize)
		for n := range 40 {
			msg := make([]byte, n)
			fill(random, key)
			fill(random, msg)
			for padding := mac.Padding1; padding <= mac.Padding3; padding++ {
				cbc := prepared(t, mac.Spec{Algorithm: mac.CBC, Padding: padding, Size: 8}, key[:8])
				want := cbc.Sum(nil, msg)
				tdes(t, key[8:16]).Decrypt(want, want)
				tdes(t, append(key, key[:8]...)[16:24]).Encrypt(want, want)
				m := prepared(t, mac.Spec{Algorithm: mac.Retail, Padding: padding, Size: 8}, key)
				if got := m.Sum(nil, msg); !bytes.Equal(got, want) {
					t.Errorf("key of %d, message of %d: %X, want %X", keySize, n, got, want)
				}
			}
		}
	}
}

func fill(random *rand.Rand, b []byte) {
	for i := range b {
		b[i] = byte(random.Uint32())
	}
}

// pad is ISO 9797-1 section 6.3 written down once more.
func pad(msg []byte, padding mac.Padding) []byte {
	out := bytes.Clone(msg)
	if padding == mac.Padding2 {
		out = append(out, 0x80)
	}
	for len(out) == 0 || len(out)%8 != 0 {
		out = append(out, 0)
	}
	if padding == mac.Padding3 {
		bits := len(msg) * 8
		out = append([]byte{0, 0, 0, 0, 0, 0, byte(bits >> 8), byte(bits)}, out...)
	}
	return out
}

func tdes(t *testing.T, key []byte) cipher.Block {
	t.Helper()
	if len(key) == 8 {
		c, err := des.NewCipher(key)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	c, err := des.NewTripleDESCipher(append(bytes.Clone(key), key[:8]...)[:24])
	if err != nil {
		t.Fatal(err)
	}
	return c
}
