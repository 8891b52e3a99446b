// Package master keeps the storage master key (SMK) of the soft security module in a file.
//
// The file is sealed under a passphrase: AES-256-GCM under a key by Argon2id (RFC 9106). A test
// installation may make the key by itself at its first start, and may leave it unsealed; production
// takes only a sealed key that a ceremony made of components (reference crypto.md section 7).
//
// Why a file and not the key store: it is copied to its own safe place. A backup of the key store,
// without the custodians or this file and its passphrase, is of no use to anybody.
package master

import (
	"cmp"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/argon2"

	"cardswitch/hsm/keyblock"
)

// Size is the bytes of the key, AES-256.
const Size = 32

// Options say where the key is and what opens it.
type Options struct {
	Path       string
	Passphrase []byte // none: the file isn't sealed
	Production bool

	memory uint32 // KiB of Argon2id; 0 is usualMemory. Tests have many files to seal
}

// What can be wrong.
var (
	// ErrAbsent is a key that isn't there yet.
	ErrAbsent = errors.New("there is no master key")
	// ErrOpen is a passphrase that doesn't open the file, or a file that was altered.
	ErrOpen = errors.New("the passphrase is wrong, or the file was altered")
	// ErrForbidden is what production refuses.
	ErrForbidden = errors.New("not in production")
)

const (
	format    = "cardswitch master key 1"
	generated = "generated"
	ceremony  = "ceremony"
	// leastPassphrase in characters, for production: PCI DSS 8.3.6.
	leastPassphrase = 12
	usualMemory     = 64 << 10
	// mostMemory bounds in KiB what a file may make us allocate.
	mostMemory = 1 << 20
	mostPasses = 32
	mostFile   = 4 << 10
)

// file is what is written.
type file struct {
	Format string  `json:"format"`
	Origin string  `json:"origin"`
	Method string  `json:"check_method"`
	Check  string  `json:"check"`
	Clear  string  `json:"clear,omitempty"`
	Sealed *sealed `json:"sealed,omitempty"`
}

// sealed is the key under a passphrase, with the parameters of Argon2id.
type sealed struct {
	Passes uint32 `json:"passes"`
	Memory uint32 `json:"memory_kib"`
	Lanes  uint8  `json:"lanes"`
	Salt   string `json:"salt"`
	Nonce  string `json:"nonce"`
	Text   string `json:"text"`
}

// Read opens the key. The caller wipes it. Without a file it is ErrAbsent.
func Read(o Options) (keyblock.Key, error) {
	key, err := read(o)
	if err != nil {
		return keyblock.Key{}, fmt.Errorf("master key %s: %w", o.Path, err)
	}
	return key, nil
}

func read(o Options) (key keyblock.Key, err error) {
	text, err := readFile(o.Path)
	defer clear(text)
	if err != nil {
		return key, err
	}
	var f file
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil || f.Format != format || (f.Clear == "") == (f.Sealed == nil) {
		return key, errors.New("it isn't a master key file (hint: restore it from its safe place)")
	}
	if o.Production {
		if err := f.allowed(); err != nil {
			return key, err
		}
	}
	raw, err := f.open(o.Passphrase)
	defer clear(raw)
	if err != nil {
		return key, err
	}
	if key, err = newKey(raw); err != nil {
		return key, err
	}
	check, err := key.CheckValue(keyblock.CMAC, 5)
	if err == nil && !check.Matches(keyblock.CheckValue{Method: keyblock.CheckMethod(f.Method),
		Hex: f.Check}) {
		err = errors.New("its check value is of another key (hint: restore it from its safe place)")
	}
	if err != nil {
		key.Wipe()
	}
	return key, err
}

// allowed says why production doesn't take a file.
func (f *file) allowed() error {
	switch {
	case f.Sealed == nil:
		return fmt.Errorf("%w: it isn't sealed (hint: make it anew, by ceremony, with a passphrase)",
			ErrForbidden)
	case f.Origin != ceremony:
		return fmt.Errorf("%w: no ceremony made it (hint: move it away and start the ceremony)",
			ErrForbidden)
	}
	return nil
}

func newKey(raw []byte) (keyblock.Key, error) {
	if len(raw) != Size {
		return keyblock.Key{}, fmt.Errorf("a master key has %d bytes, not %d", Size, len(raw))
	}
	return keyblock.NewKey(keyblock.AES, raw)
}

// Create makes a key by itself and writes it, for a test installation. The caller wipes it.
func Create(o Options) (keyblock.Key, error) {
	if o.Production {
		return keyblock.Key{}, fmt.Errorf("master key %s: %w: it is made of components (hint: "+
			"cardswitch key ceremony start --purpose master)", o.Path, ErrForbidden)
	}
	key, err := keyblock.RandomKey(keyblock.AES, Size, nil)
	if err != nil {
		return key, err
	}
	if err := write(o, key, generated); err != nil {
		key.Wipe()
		return keyblock.Key{}, err
	}
	return key, nil
}

// write puts the key into a new file; it replaces none, as what is under a lost master key is lost.
func write(o Options, key keyblock.Key, origin string) error {
	if o.Production && len(o.Passphrase) < leastPassphrase {
		return fmt.Errorf("master key %s: %w without a passphrase of %d characters "+
			"(hint: keys.passphrase_file)", o.Path, ErrForbidden, leastPassphrase)
	}
	check, err := key.CheckValue(keyblock.CMAC, 5)
	if err != nil {
		return err
	}
	f := file{Format: format, Origin: origin, Method: string(check.Method), Check: check.Hex}
	err = key.Use(func(raw []byte) error {
		if len(o.Passphrase) == 0 {
			f.Clear = hex.EncodeToString(raw)
			return nil
		}
		return f.seal(raw, &o)
	})
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(f, "", "  ")
	defer clear(text)
	if err == nil {
		err = writeFile(o.Path, append(text, '\n'))
	}
	if err != nil {
		return fmt.Errorf("master key %s: %w", o.Path, err)
	}
	return nil
}

func (f *file) seal(raw []byte, o *Options) error {
	var random [16 + 12]byte
	if _, err := rand.Read(random[:]); err != nil {
		return err
	}
	// The second recommendation of RFC 9106 section 4, for machines of less memory.
	f.Sealed = &sealed{Passes: 3, Memory: cmp.Or(o.memory, usualMemory), Lanes: 4,
		Salt: hex.EncodeToString(random[:16]), Nonce: hex.EncodeToString(random[16:])}
	aead, nonce, err := f.cipher(o.Passphrase)
	if err != nil {
		return err
	}
	f.Sealed.Text = hex.EncodeToString(aead.Seal(nil, nonce, raw, f.bound()))
	return nil
}

// cipher derives the key from the passphrase.
func (f *file) cipher(passphrase []byte) (aead cipher.AEAD, nonce []byte, err error) {
	s := f.Sealed
	salt, saltErr := hex.DecodeString(s.Salt)
	nonce, nonceErr := hex.DecodeString(s.Nonce)
	if saltErr != nil || nonceErr != nil || len(salt) != 16 || len(nonce) != 12 || s.Passes < 1 ||
		s.Passes > mostPasses || s.Memory < 8 || s.Memory > mostMemory || s.Lanes < 1 {
		return nil, nil, ErrOpen
	}
	key := argon2.IDKey(passphrase, salt, s.Passes, s.Memory, s.Lanes, 32)
	defer clear(key)
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, nil, err
	}
	aead, err = cipher.NewGCM(block)
	return aead, nonce, err
}

// bound is what the seal holds besides the key: that a generated key isn't shown as another.
func (f *file) bound() []byte {
	return fmt.Appendf(nil, "%s/%s/%s/%s", f.Format, f.Origin, f.Method, f.Check)
}

func (f *file) open(passphrase []byte) ([]byte, error) {
	if f.Sealed == nil {
		raw, err := hex.DecodeString(f.Clear)
		if err != nil {
			return nil, errors.New("its key isn't hexadecimal (hint: restore it from its safe place)")
		}
		return raw, nil
	}
	if len(passphrase) == 0 {
		return nil, errors.New("it is sealed and no passphrase is given (hint: keys.passphrase_file)")
	}
	aead, nonce, err := f.cipher(passphrase)
	if err != nil {
		return nil, err
	}
	text, err := hex.DecodeString(f.Sealed.Text)
	if err == nil {
		text, err = aead.Open(nil, nonce, text, f.bound())
	}
	if err != nil {
		return nil, ErrOpen
	}
	return text, nil
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrAbsent
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if mode := info.Mode(); !mode.IsRegular() || mode.Perm()&0o077 != 0 {
		return nil, fmt.Errorf("it is open to others (mode %04o; hint: chmod 600 it, and take its "+
			"keys as known if others may have read it)", mode.Perm())
	}
	text, err := io.ReadAll(io.LimitReader(f, mostFile+1))
	if err == nil && len(text) > mostFile {
		err = errors.New("it is too large")
	}
	return text, err
}

// writeFile makes a file whole or not at all.
func writeFile(path string, text []byte) (err error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil { // unlike a rename, it replaces nothing
		return err
	}
	folder, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
