package dukpt

import "fmt"

// Key is a working key of one transaction. It serves the one usage that it was derived for. Wipe it
// as soon as the transaction is done.
type Key struct {
	guarded
	t KeyType
	u Usage
	s *secret
}

func newKey(t KeyType, u Usage, s *secret) *Key {
	return &Key{guarded{t.String() + " key for " + u.String()}, t, u, s}
}

// Type is the algorithm and length of the key.
func (k *Key) Type() KeyType { return k.t }

// Usage is what the key is for.
func (k *Key) Usage() Usage { return k.u }

// AppendReveal appends the key, for what isn't done here: a key block takes the one for keys. Wipe
// the result after use.
func (k *Key) AppendReveal(dst []byte) []byte { return append(dst, k.s.key()...) }

// Wipe clears the key. What was prepared with it stays.
func (k *Key) Wipe() { k.s.wipe() }

// refuse says why the key can't be used for something.
func (k *Key) refuse(allowed bool, what string) error {
	if !allowed {
		return fmt.Errorf("a key of %v for %v isn't for %s", k.t, k.u, what)
	}
	if len(k.s.key()) == 0 {
		return errWiped
	}
	return nil
}
