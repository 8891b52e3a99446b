package vault

import (
	"bytes"
	"crypto/cipher"
	"errors"
	"testing"

	"cardswitch/spec"
)

// FuzzEntry gives a reader any bytes as what stands behind a token: what it takes is what would be
// written again, and nothing opens but what was sealed.
func FuzzEntry(f *testing.F) {
	aead, err := newAEAD(make([]byte, keySize))
	if err != nil {
		f.Fatal(err)
	}
	keys := &keySet{active: 1, nonces: &nonces{next: 1}, aeads: map[uint32]cipher.AEAD{1: aead}}
	const token = Token("tk-aaaa")
	sound := entry{scope: "ginza", created: 1}
	keys.seal(&sound, token, cardOf(1))
	sample := sound.append(nil)
	f.Add(sample)
	f.Add(sample[:len(sample)-1])
	f.Add((&entry{once: true, expires: 7, dek: 9}).append(nil))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := parseEntry(data)
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Fatal(err)
			}
			return
		}
		if !bytes.Equal(e.append(nil), data) {
			t.Fatalf("%x was read, and becomes %x", data, e.append(nil))
		}
		pan, err := keys.open(&e, token)
		if err == nil && (!bytes.Equal(data, sample) || pan != cardOf(1)) {
			t.Fatal("what wasn't sealed was opened")
		}
	})
}

// FuzzPAN packs and unpacks: each number comes back, and nothing else is one.
func FuzzPAN(f *testing.F) {
	packed := packPAN(cardOf(1))
	f.Add(packed[:])
	f.Add(bytes.Repeat([]byte{0xFF}, panSize))
	f.Add(bytes.Repeat([]byte{0x11}, panSize))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) != panSize {
			return
		}
		pan, err := unpackPAN(data)
		if err != nil {
			return
		}
		if again := packPAN(pan); !bytes.Equal(again[:], data) {
			t.Fatalf("%x was read, and becomes %x", data, again)
		}
	})
}

func TestPackEachLength(t *testing.T) {
	const digits = "9876543210987654321"
	for n := 1; n <= len(digits); n++ {
		pan, err := spec.ParsePAN(digits[:n])
		if err != nil {
			t.Fatal(err)
		}
		packed := packPAN(pan)
		if again, err := unpackPAN(packed[:]); err != nil || again != pan {
			t.Errorf("%d digits: %v, %v", n, again, err)
		}
	}
}

// FuzzKeyFile gives a reader any text as the key file.
func FuzzKeyFile(f *testing.F) {
	y := newYard(f)
	text := keyFileText(f, y.disk)
	y.close(f)
	f.Add([]byte(text[:bytes.LastIndexByte([]byte(text), '}')+1]))
	f.Add([]byte(`{"version":1,"serial":1,"data":[{"id":1,"key":"00"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := parseKeyFile(data)
		if err == nil && (file.Serial == 0 || len(file.Data) == 0) {
			t.Fatal("a key file without keys was taken")
		}
		if err == nil {
			_, _ = unwrap(newTwin(1), file.Search, searchID)
		}
	})
}
