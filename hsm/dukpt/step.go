package dukpt

import (
	"encoding/binary"
	"fmt"
	"iter"
)

// Step is one derivation of AES DUKPT: the new key is the first bytes of the encipherment, with AES
// in ECB mode under the key before, of the step's data. It's a value and holds no secret.
type Step struct {
	data   [32]byte
	result KeyType
}

// KeyType is what kind of key comes out of the step.
func (s Step) KeyType() KeyType { return s.result }

// AppendData appends the derivation data: one block of 16 bytes, or two if the key is longer.
func (s Step) AppendData(dst []byte) []byte { return append(dst, s.data[:s.size()]...) }

// size is the bytes of the derivation data.
func (s Step) size() int { return (s.result.Size() + 15) / 16 * 16 }

// String is the derivation data in hexadecimal.
func (s Step) String() string { return fmt.Sprintf("%X for %v", s.data[:s.size()], s.result) }

// newStep lays the derivation data out, ANSI X9.24-3:2017 6.3.2: version, number of the block,
// usage, algorithm and length in bits of the new key, and 8 bytes that say for whom.
func newStep(usage uint16, t KeyType, context [8]byte) Step {
	s := Step{result: t}
	for block := range s.size() / 16 {
		data := s.data[16*block:]
		data[0] = 1
		data[1] = byte(block + 1)
		binary.BigEndian.PutUint16(data[2:], usage)
		binary.BigEndian.PutUint16(data[4:], t.code())
		binary.BigEndian.PutUint16(data[6:], uint16(t.Size()*8))
		copy(data[8:], context[:])
	}
	return s
}

// InitialStep is the step from a BDK to the initial key of a terminal, which is of the same type.
func InitialStep(bdk KeyType, id AESKeyID) (Step, error) {
	if !bdk.isAES() {
		return Step{}, fmt.Errorf("AES DUKPT has no BDK of %v", bdk)
	}
	return newStep(usageInitialKey, bdk, id.b), nil
}

// Steps gives the steps from an initial key to a working key, in order: one for each bit set in the
// counter, and one for the usage. It refuses keys stronger than the initial key, and keys for HMAC
// with another usage than a MAC.
func Steps(initial KeyType, k AESKSN, u Usage, t KeyType) (iter.Seq[Step], error) {
	if err := checkWorking(initial, u, t); err != nil {
		return nil, err
	}
	if k.IsZero() {
		return nil, errKSN
	}
	return workingSteps(initial, k.ID(), k.Counter(), u, t), nil
}

// updateCounter is the counter of the update key, which no transaction has: all bits are set.
const updateCounter = 0xFFFFFFFF

// UpdateSteps gives the steps from an initial key to the update key, under which a terminal gets
// its next initial key: the key for keys with the counter FFFFFFFF.
func UpdateSteps(initial KeyType, id AESKeyID, t KeyType) (iter.Seq[Step], error) {
	if err := checkWorking(initial, KeyEncryption, t); err != nil {
		return nil, err
	}
	return workingSteps(initial, id, updateCounter, KeyEncryption, t), nil
}

func checkWorking(initial KeyType, u Usage, t KeyType) error {
	switch {
	case !initial.isAES():
		return fmt.Errorf("AES DUKPT has no initial key of %v", initial)
	case u.code() == 0 || t.Size() == 0:
		return fmt.Errorf("AES DUKPT has no key of %v for %v", t, u)
	case t.isHMAC() && !u.forMAC():
		return fmt.Errorf("a key of %v isn't for %v", t, u)
	case t.strength() > initial.strength():
		return fmt.Errorf("a key of %v would be stronger than the %v that it comes from", t, initial)
	}
	return nil
}

// transactionSteps leads to the transaction key: for each bit of the counter from the left, a step
// with the counter up to that bit.
func transactionSteps(initial KeyType, id AESKeyID, counter uint32) iter.Seq[Step] {
	return func(yield func(Step) bool) {
		var upTo uint32
		for bit := uint32(1 << 31); bit != 0; bit >>= 1 {
			if counter&bit == 0 {
				continue
			}
			upTo |= bit
			if !yield(newStep(usageDerivation, initial, counted(id, upTo))) {
				return
			}
		}
	}
}

// workingSteps leads to a working key: the steps to the transaction key, and one for the usage.
func workingSteps(initial KeyType, id AESKeyID, counter uint32, u Usage, t KeyType) iter.Seq[Step] {
	return func(yield func(Step) bool) {
		for s := range transactionSteps(initial, id, counter) {
			if !yield(s) {
				return
			}
		}
		yield(newStep(u.code(), t, counted(id, counter)))
	}
}

// counted is the terminal's half of the ID and a counter.
func counted(id AESKeyID, counter uint32) (context [8]byte) {
	copy(context[:4], id.b[4:])
	binary.BigEndian.PutUint32(context[4:], counter)
	return context
}
