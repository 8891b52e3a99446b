package keyblock

import (
	"bytes"
	"errors"
	"testing"

	"cardswitch/hsm/mac"
	"cardswitch/hsm/vectors"
)

// fake is a module that keeps a KBPK: it derives by what DerivationInputs says, with another code
// than derive.
type fake struct {
	t         *testing.T
	algorithm Algorithm
	raw       []byte
}

func (p fake) Algorithm() Algorithm { return p.algorithm }
func (p fake) Size() int            { return len(p.raw) }

func (p fake) CheckValue() CheckValue {
	v, err := newKey(p.t, p.algorithm, p.raw).CheckValue(CMAC, 5)
	if err != nil {
		p.t.Fatal(err)
	}
	return v
}

func (p fake) cmac() mac.Spec {
	if p.algorithm == AES {
		return mac.Spec{Algorithm: mac.AESCMAC, Size: 16}
	}
	return mac.Spec{Algorithm: mac.TDESCMAC, Size: 8}
}

func (p fake) derived(v Version, code bool) []byte {
	inputs, err := DerivationInputs(v, len(p.raw), code)
	if err != nil {
		p.t.Fatal(err)
	}
	m, err := mac.New(p.cmac(), p.raw)
	if err != nil {
		p.t.Fatal(err)
	}
	var key []byte
	for ; len(inputs) > 0; inputs = inputs[8:] {
		key = m.Sum(key, inputs[:8])
	}
	return key[:len(p.raw)]
}

func (p fake) Crypt(v Version, decrypt bool, iv, data []byte) ([]byte, error) {
	f, _ := v.form()
	keys := pair{form: f, size: len(p.raw)}
	copy(keys.encrypt[:], p.derived(v, false))
	dst := make([]byte, len(data))
	return dst, keys.crypt(dst, data, iv, decrypt)
}

func (p fake) Code(v Version, parts ...[]byte) ([]byte, error) {
	m, err := mac.New(p.cmac(), p.derived(v, true))
	if err != nil {
		return nil, err
	}
	return m.Sum(nil, parts...), nil
}

// A KBPK inside opens what the same in the clear opens, and refuses what it refuses.
func TestInsideIsTheSame(t *testing.T) {
	for _, c := range vectors.Load(t, "tr31") {
		h, key, err := Unwrap(c.Hex("kbpk"), c.Text("block"), anything())
		if err != nil {
			t.Fatal(err)
		}
		f, _ := h.Version.form()
		p := fake{t, f.cipher, c.Hex("kbpk")}
		got, own, err := UnwrapInside(p, c.Text("block"), anything())
		if h.Version == VersionA || h.Version == VersionC {
			if !errors.Is(err, ErrKBPK) {
				t.Errorf("%s, version %s: %v", c.ID(), h.Version, err)
			}
			continue
		}
		if err != nil || got.String() != h.String() || !own.Equal(key) {
			t.Errorf("%s: %v", c.ID(), err)
		}
		_, _, err = UnwrapInside(p, c.Text("block"), Want{Versions: []Version{h.Version}})
		if !errors.Is(err, ErrUnwanted) {
			t.Errorf("%s isn't wanted: %v", c.ID(), err)
		}
		p.raw = bytes.Clone(p.raw)
		p.raw[3] ^= 0x10
		if _, _, err := UnwrapInside(p, c.Text("block"), anything()); !errors.Is(err, ErrForged) {
			t.Errorf("%s under another key: %v", c.ID(), err)
		}
	}
	for _, c := range vectors.Load(t, "tr31_invalid") {
		algorithm := AES
		if c.Text("block")[0] < 'D' {
			algorithm = TDES
		}
		p := fake{t, algorithm, c.Hex("kbpk")}
		if h, _, err := UnwrapInside(p, c.Text("block"), anything()); err == nil {
			t.Errorf("%s: %v was taken", c.ID(), h)
		}
	}
}

func TestWrapInside(t *testing.T) {
	for _, v := range []Version{VersionB, VersionD, VersionE} {
		f, _ := v.form()
		for _, size := range []int{16, 24, 32} {
			if checkLength(f.cipher, size) != nil {
				continue
			}
			kbpk, err := RandomKey(f.cipher, size, nil)
			if err != nil {
				t.Fatal(err)
			}
			key, err := RandomKey(TDES, 16, nil)
			if err != nil {
				t.Fatal(err)
			}
			p := fake{t, f.cipher, rawOf(t, kbpk)}
			h := pinKey(v, TDES)
			check, err := Check(KP, p.CheckValue())
			if err != nil {
				t.Fatal(err)
			}
			h.Optional = append(h.Optional, check)
			block, err := WrapInside(p, h, key, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if _, got, err := Unwrap(p.raw, block, anything()); err != nil || !got.Equal(key) {
				t.Errorf("version %s under %d bytes: %v", v, size, err)
			}
			if _, got, err := UnwrapInside(p, block, anything()); err != nil || !got.Equal(key) {
				t.Errorf("version %s under %d bytes, inside: %v", v, size, err)
			}
			h.Optional[0].Data = "010000000000"
			if _, err := WrapInside(p, h, key, Options{}); err == nil {
				t.Error("another check value of the KBPK was written")
			}
		}
	}
}

func TestInsideHoldsStrength(t *testing.T) {
	strong, err := RandomKey(AES, 32, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []Version{VersionB, VersionD} {
		f, _ := v.form()
		p := fake{t, f.cipher, bytes.Repeat([]byte("8 bytes!"), 3)[:16]}
		if _, err := WrapInside(p, pinKey(v, AES), strong, Options{}); err == nil {
			t.Errorf("version %s: a key of 256 bits under %d bytes", v, p.Size())
		}
	}
}
