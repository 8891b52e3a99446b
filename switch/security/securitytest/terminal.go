package securitytest

import (
	"encoding/binary"
	"fmt"
	"testing"

	"cardswitch/hsm/dukpt"
	"cardswitch/hsm/keyblock"
	"cardswitch/hsm/keyring"
	"cardswitch/hsm/pinblock"
	"cardswitch/spec"
)

// Terminal is one of a merchant's that encrypts card data, as package p2pe says. Its keys are
// derived by package dukpt, which has the standards' own examples to show for it.
type Terminal struct {
	T       testing.TB
	AES     bool
	Name    []byte // of its initial key: a KSN whose counter is zero
	Counter uint32 // of the last message
	bdk     []byte
}

// NewTerminals gives a center a base key, and as many terminals of it.
func NewTerminals(t testing.TB, ring *keyring.Ring, center string, aes bool, n int) []*Terminal {
	t.Helper()
	p := &Partner{T: t, Ring: ring, Center: center, PIN: 4, CMAC: aes}
	slot := keyring.Slot{Purpose: keyring.BDK, Center: center}
	plan := keyring.Plan{Slot: slot, Algorithm: keyblock.TDES, Size: 16}
	if aes {
		plan.Algorithm = keyblock.AES
	}
	p.newKey(plan)
	var list []*Terminal
	for i := range n {
		one := &Terminal{T: t, AES: aes, bdk: p.key(keyring.BDK, keyring.Both, 0),
			Name: unhex(fmt.Sprintf("FFFF98765432%04X0000", 2*i))}
		if aes {
			one.Name = unhex(fmt.Sprintf("12345678%08X00000000", i))
		}
		list = append(list, one)
	}
	return list
}

// KSN is that of the present counter.
func (r *Terminal) KSN() []byte {
	ksn := append([]byte(nil), r.Name...)
	last := ksn[len(ksn)-4:]
	binary.BigEndian.PutUint32(last, binary.BigEndian.Uint32(last)|r.Counter)
	return ksn
}

// Encrypt gives items as the element has them, under the next counter.
func (r *Terminal) Encrypt(items string) string {
	r.Counter++
	return r.Again(items)
}

// Again does the same under the last counter.
func (r *Terminal) Again(items string) string {
	r.T.Helper()
	key, err := r.key(dukpt.DataRequest, dukpt.AES128)
	if err != nil {
		r.T.Fatal(err)
	}
	block := 8
	if r.AES {
		block = 16
	}
	plain := append([]byte(items), 0x80)
	for len(plain)%block != 0 {
		plain = append(plain, 0)
	}
	data, err := key.EncryptData(nil, nil, plain)
	if err != nil {
		r.T.Fatal(err)
	}
	ksn := r.KSN()
	return fmt.Sprintf("01%02X%X%X", len(ksn), ksn, data)
}

// PIN is the block of a PIN under the present counter: of format 0, or 4 where AES keys make it.
func (r *Terminal) PIN(kind dukpt.KeyType, pin, pan string) []byte {
	r.T.Helper()
	key, err := r.key(dukpt.PIN, kind)
	if err != nil {
		r.T.Fatal(err)
	}
	format := pinblock.Format0
	if kind == dukpt.AES128 {
		format = pinblock.Format4
	}
	sealing, err := key.PINKey()
	if err != nil {
		r.T.Fatal(err)
	}
	digits, err := pinblock.ParsePIN([]byte(pin))
	if err != nil {
		r.T.Fatal(err)
	}
	of, err := spec.ParsePAN(pan)
	if err != nil {
		r.T.Fatal(err)
	}
	block, err := sealing.Encrypt(nil, format, digits, of)
	if err != nil {
		r.T.Fatal(err)
	}
	return block
}

func (r *Terminal) key(u dukpt.Usage, kind dukpt.KeyType) (*dukpt.Key, error) {
	if r.AES {
		bdk, err := dukpt.NewAESBDK(r.bdk, dukpt.AESOptions{})
		if err != nil {
			return nil, err
		}
		ksn, err := dukpt.ParseAESKSN(r.KSN())
		if err != nil {
			return nil, err
		}
		return bdk.Key(ksn, u, kind)
	}
	bdk, err := dukpt.NewTDESBDK(r.bdk)
	if err != nil {
		return nil, err
	}
	ksn, err := dukpt.ParseTDESKSN(r.KSN())
	if err != nil {
		return nil, err
	}
	return bdk.Key(ksn, u)
}

// Items are a card's, as a terminal encrypts them; track 2 or number and expiry.
func Items(pan, expiry, track2 string) string {
	if track2 != "" {
		return fmt.Sprintf("35%02d%s", len(track2), track2)
	}
	return fmt.Sprintf("02%02d%s1404%s", len(pan), pan, expiry)
}
