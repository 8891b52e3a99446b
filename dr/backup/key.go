package backup

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"cardswitch/store"
)

// KeySize is the size of a backup key in bytes.
const KeySize = 32

// Key is a backup key at work. The key itself is used for nothing: what seals, what names objects
// and what names the key are derived from it.
type Key struct {
	seal []byte
	name []byte
	id   string
}

// NewKey derives the working keys from KeySize bytes.
func NewKey(raw []byte) (*Key, error) {
	if len(raw) != KeySize {
		return nil, fmt.Errorf("the backup key has %d bytes, not %d", len(raw), KeySize)
	}
	seal, err := hkdf.Key(sha256.New, raw, nil, "cardswitch backup seal", 32)
	if err != nil {
		return nil, err
	}
	name, err := hkdf.Key(sha256.New, raw, nil, "cardswitch backup name", 32)
	if err != nil {
		return nil, err
	}
	id, err := hkdf.Key(sha256.New, raw, nil, "cardswitch backup key id", 8)
	return &Key{seal: seal, name: name, id: hex.EncodeToString(id)}, err
}

// ID names the key without telling anything about it.
func (k *Key) ID() string { return k.id }

// nameOf names a block by what it holds. Without the key nobody can tell whether a target holds a
// certain block.
func (k *Key) nameOf(block []byte) string {
	h := hmac.New(sha256.New, k.name)
	h.Write(block)
	return hex.EncodeToString(h.Sum(nil))
}

// aead is the cipher of one object. Its key is used once, so that its nonce may be zero.
func (k *Key) aead(salt []byte) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, k.seal, salt, "cardswitch backup object", 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// ReadKeyFile reads a backup key: 64 hexadecimal digits in a file that only its owner may read.
func ReadKeyFile(name string) (*Key, error) {
	const op = "read the backup key"
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &store.Error{Op: op, Err: err, Hint: "bring it from its safe place; for a new " +
			"target make one by `cardswitch backup init`"}
	}
	if err != nil {
		return nil, &store.Error{Op: op, Err: err, Hint: "run as the owner of the file"}
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, &store.Error{Op: op, Err: err, Hint: "check the disk that holds it"}
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, &store.Error{Op: op, Err: fmt.Errorf("%s is open to others (mode %04o)", name,
			info.Mode().Perm()), Hint: "chmod 600 it; if others may have read it, begin a new target " +
			"with a new key"}
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); ok && int(owner.Uid) != os.Geteuid() {
		return nil, &store.Error{Op: op, Err: fmt.Errorf("%s belongs to user %d, not %d", name,
			owner.Uid, os.Geteuid()), Hint: "chown it to the user that runs this"}
	}
	var text [2*KeySize + 2]byte
	n, _ := f.Read(text[:])
	defer clear(text[:])
	raw, err := hex.DecodeString(strings.TrimSpace(string(text[:n])))
	defer clear(raw)
	if err != nil || len(raw) != KeySize {
		return nil, &store.Error{Op: op, Err: fmt.Errorf("%s holds no key", name),
			Hint: "it must hold 64 hexadecimal digits; bring it from its safe place"}
	}
	return NewKey(raw)
}

// MakeKeyFile writes a new backup key. It never overwrites: a lost key is a lost target.
func MakeKeyFile(name string) (*Key, error) {
	raw := make([]byte, KeySize)
	rand.Read(raw) // never fails
	defer clear(raw)
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		_, err = f.WriteString(hex.EncodeToString(raw) + "\n")
		err = errors.Join(err, f.Sync(), f.Close())
	}
	if err != nil {
		return nil, &store.Error{Op: "make a backup key", Err: err,
			Hint: "name a file that isn't there yet, in a folder that can be written"}
	}
	return NewKey(raw)
}
