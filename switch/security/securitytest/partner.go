// Package securitytest plays a center that has codes and PINs: a second implementation for tests.
//
// It makes and checks with crypto/des and crypto/aes alone, and puts the same keys into a key ring.
package securitytest

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"testing"

	"cardswitch/hsm"
	"cardswitch/hsm/keyblock"
	"cardswitch/hsm/keyring"
	"cardswitch/hsm/soft"
	"cardswitch/spec"
)

// Soft is a fresh module in this process, of a test installation.
func Soft(t testing.TB) hsm.Module {
	t.Helper()
	var raw [32]byte
	_, _ = rand.Read(raw[:])
	key, err := keyblock.NewKey(keyblock.AES, raw[:])
	if err != nil {
		t.Fatal(err)
	}
	m, err := soft.New(key, hsm.Test)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Ring is an empty key ring over a module.
func Ring(t testing.TB, m hsm.Module) *keyring.Ring {
	t.Helper()
	r, err := keyring.Open(t.Context(), keyring.Options{Module: m})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Partner is a center's end.
type Partner struct {
	T           testing.TB
	Ring        *keyring.Ring
	Center      string
	Dialect     *spec.Dialect
	CMAC        bool // else the retail MAC
	TDES        bool // of CMAC
	Padding     int  // of the retail MAC
	Size        int  // bytes of the code
	Elements    []int
	PIN         int // format of its PIN blocks
	Generations bool
	KSN         []byte // of the terminal whose key PINs are under; none: they are under the zpk

	keys map[keyring.Slot][][]byte
}

// NewKey gives both ends the next generation of a key: "zak" or "zpk", from the center or to it.
func (p *Partner) NewKey(purpose keyring.Purpose, d keyring.Direction) uint16 {
	p.T.Helper()
	plan := keyring.Plan{Slot: keyring.Slot{Purpose: purpose, Center: p.Center, Direction: d},
		Algorithm: keyblock.TDES, Size: 16}
	if purpose == keyring.ZAK && p.CMAC && !p.TDES || purpose == keyring.ZPK && p.PIN == 4 {
		plan.Algorithm = keyblock.AES
	}
	return p.newKey(plan)
}

func (p *Partner) newKey(plan keyring.Plan) uint16 {
	p.T.Helper()
	key, other, joined := make([]byte, 16), make([]byte, 16), make([]byte, 16)
	_, _ = rand.Read(key)
	_, _ = rand.Read(other)
	if plan.Algorithm == keyblock.TDES {
		odd(key)
		odd(other)
	}
	for i := range key {
		joined[i] = key[i] ^ other[i]
	}
	if plan.Algorithm == keyblock.TDES {
		odd(joined)
	}
	f, _, err := p.Ring.Forming(plan)
	if err == nil {
		_, err = f.Form(p.T.Context(), [][]byte{key, other})
	}
	if err == nil {
		_, err = f.Activate(p.T.Context(), "officer-a", "approver", "test")
	}
	if err != nil {
		p.T.Fatalf("%s: %v", plan.Slot, err)
	}
	if p.keys == nil {
		p.keys = make(map[keyring.Slot][][]byte)
	}
	p.keys[plan.Slot] = append(p.keys[plan.Slot], joined)
	return uint16(len(p.keys[plan.Slot]))
}

// odd gives DES keys their parity.
func odd(key []byte) {
	for i, b := range key {
		ones := byte(0)
		for range 7 {
			b >>= 1
			ones ^= b & 1
		}
		key[i] = key[i]&^1 | 1 ^ ones
	}
}

// NewKeys gives both ends all four.
func (p *Partner) NewKeys() {
	p.T.Helper()
	for _, purpose := range []keyring.Purpose{keyring.ZAK, keyring.ZPK} {
		p.NewKey(purpose, keyring.In)
		p.NewKey(purpose, keyring.Out)
	}
}

// key is that of a generation, or the newest if it is 0.
func (p *Partner) key(purpose keyring.Purpose, d keyring.Direction, generation uint16) []byte {
	p.T.Helper()
	list := p.keys[keyring.Slot{Purpose: purpose, Center: p.Center, Direction: d}]
	if generation == 0 {
		generation = uint16(len(list))
	}
	if int(generation) > len(list) || generation == 0 {
		p.T.Fatalf("%s has no %s %s of generation %d", p.Center, purpose, d, generation)
	}
	return list[generation-1]
}

// newest is its number.
func (p *Partner) newest(purpose keyring.Purpose, d keyring.Direction) uint16 {
	return uint16(len(p.keys[keyring.Slot{Purpose: purpose, Center: p.Center, Direction: d}]))
}

// Seal puts element 53 and the code of the newest keys into a message of the center's.
func (p *Partner) Seal(frame []byte) []byte {
	p.T.Helper()
	var zpk uint16
	m := p.Index(frame)
	switch {
	case m.Has(52) && p.KSN != nil:
		zpk = 1 // of the base key
	case m.Has(52):
		zpk = p.newest(keyring.ZPK, keyring.In)
	}
	return p.SealWith(frame, zpk, p.newest(keyring.ZAK, keyring.In))
}

// SealWith does it with keys of these generations, and names them.
func (p *Partner) SealWith(frame []byte, zpk, zak uint16) []byte {
	p.T.Helper()
	m := p.Index(frame)
	format := byte(0xFF)
	if zpk != 0 {
		format = byte(p.PIN)
	}
	var e spec.Edit
	e.Reset()
	e.Remove(64)
	e.Remove(128)
	if p.Generations {
		control := binary.BigEndian.AppendUint16([]byte{1}, zpk)
		control = append(binary.BigEndian.AppendUint16(control, zak), format)
		if m.MTI().Class() == 8 && m.Has(53) { // a change of keys
			control[0] = 2
			control = m.Append(control, 53)
		}
		if zpk != 0 {
			control = append(control, p.KSN...)
		}
		e.Set(53, control)
	}
	n := 64
	if m.Elements().Next(64) != 0 && m.Elements().Next(64) < 128 {
		n = 128
	}
	e.Set(n, make([]byte, 8))
	out, fault := p.Dialect.Append(nil, m, &e)
	if !fault.OK() {
		p.T.Fatal(fault.Err())
	}
	sealed := p.Index(out)
	zakUsed := zak
	if int(zak) > int(p.newest(keyring.ZAK, keyring.In)) {
		zakUsed = 0 // a generation that nobody has: any key will do
	}
	code := p.code(p.key(keyring.ZAK, keyring.In, zakUsed), sealed, n)
	out, fault = p.Dialect.AppendElement(out[:len(out)-len(sealed.Wire(n))], n, code)
	if !fault.OK() {
		p.T.Fatal(fault.Err())
	}
	return out
}

// code is that of a message whose element n has room for it.
func (p *Partner) code(key []byte, m *spec.Message, n int) []byte {
	message := m.Raw()[:len(m.Raw())-len(m.Wire(n))]
	if len(p.Elements) > 0 {
		message = nil
		for _, e := range p.Elements {
			if e < 2 {
				message = append(message, m.Head(e)...)
			}
			message = append(message, m.Wire(e)...)
		}
	}
	var sum []byte
	if p.CMAC {
		sum = cmac(blockOf(p.TDES, key), message)
	} else {
		sum = retail(key, p.Padding, message)
	}
	return append(sum[:p.Size:p.Size], make([]byte, 8-p.Size)...)
}

// Check says what is wrong with the code of a message that came to the center.
func (p *Partner) Check(m *spec.Message) error {
	p.T.Helper()
	zak := p.newest(keyring.ZAK, keyring.Out)
	if p.Generations {
		value := m.Append(nil, 53)
		if len(value) < 6 || value[0] != 1 && (value[0] != 2 || m.MTI().Class() != 8) {
			return fmt.Errorf("%s: element 53 is %X", m.MTI(), value)
		}
		zak = binary.BigEndian.Uint16(value[3:])
	}
	n := 64
	if m.Elements().Next(64) != 0 {
		n = 128
	}
	if last := m.Elements().Next(n - 1); last != n || m.Elements().Next(n) != 0 {
		return fmt.Errorf("%s: the code isn't in element %d, or not last", m.MTI(), n)
	}
	want := p.code(p.key(keyring.ZAK, keyring.Out, zak), m, n)
	if !bytes.Equal(want, m.Append(nil, n)) {
		return fmt.Errorf("%s: the code is %X, want %X", m.MTI(), m.Append(nil, n), want)
	}
	return nil
}

// Encipher is a PIN as the center sends it.
func (p *Partner) Encipher(pin, pan string) []byte {
	p.T.Helper()
	return encipherPIN(p.PIN, p.key(keyring.ZPK, keyring.In, 0), pin, pan)
}

// Decipher opens the PIN of a message that came to the center.
func (p *Partner) Decipher(m *spec.Message, pan string) string {
	p.T.Helper()
	zpk := uint16(0)
	if p.Generations {
		value := m.Append(nil, 53)
		zpk = binary.BigEndian.Uint16(value[1:])
		if zpk == 0 || value[5] != byte(p.PIN) {
			p.T.Errorf("element 53 is %X", value)
		}
	}
	pin, ok := decipherPIN(p.PIN, p.key(keyring.ZPK, keyring.Out, zpk), m.Append(nil, 52), pan)
	if !ok {
		p.T.Errorf("the PIN block isn't one of format %d", p.PIN)
	}
	return pin
}

// Index reads a message.
func (p *Partner) Index(frame []byte) *spec.Message {
	p.T.Helper()
	m := new(spec.Message)
	if fault := p.Dialect.Index(m, frame); !fault.OK() {
		p.T.Fatalf("%s: %v", p.Center, fault)
	}
	return m
}
