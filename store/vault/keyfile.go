package vault

import (
	"bytes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"cardswitch/store/wholefile"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// keyFile is the key file as JSON: wrapped keys, and what became of those before. It lies apart
// from the tokens, and is wiped when it is replaced: a data key that leaves it is gone, and with it
// whatever was sealed under it. A back-up of the tokens is worth nothing without it.
type keyFile struct {
	Version int       `json:"version"`
	Serial  uint64    `json:"serial"` // grows with each change; the books know the newest
	Search  wrapped   `json:"search"` // hashes card numbers
	Data    []dataKey `json:"data"`   // the last one seals what is new
}

type wrapped struct {
	Key   string `json:"key,omitempty"` // wrapped, in hex
	Check string `json:"check"`         // what tells that it was unwrapped rightly
}

type dataKey struct {
	ID        uint32     `json:"id"`
	Created   time.Time  `json:"created"`
	Destroyed *time.Time `json:"destroyed,omitempty"`
	wrapped
}

const (
	keyFileVersion = 1
	keySize        = 32
)

// openKeys reads the key file, or makes a new one for a vault without tokens.
func (v *Vault) openKeys() (*keySet, []byte, error) {
	const op = "open the vault"
	mark, err := v.mark()
	if err != nil {
		return nil, nil, &Error{op, err, "check the disk of the data directory"}
	}
	file, err := v.loadKeys()
	if errors.Is(err, fs.ErrNotExist) {
		return v.createKeys(mark)
	}
	if err != nil {
		return nil, nil, &Error{op, err, "restore the vault's key file from its safe place"}
	}
	if file.Serial < mark {
		return nil, nil, &Error{op, fmt.Errorf("the key file is an old one: number %d, not %d",
			file.Serial, mark), "restore the newest; tokens made since can't be opened with this one"}
	}
	keys, search, err := v.unwrapAll(file)
	if err != nil {
		return nil, nil, &Error{op, err, "check that the module holds the key-encryption key under " +
			"which the file was written"}
	}
	return keys, search, nil
}

func (v *Vault) createKeys(mark uint64) (*keySet, []byte, error) {
	const op = "create the vault"
	used := mark > 0
	from, to := allOf(familyToken)
	err := v.o.Books.Scan(from, to, func(_, _ []byte) bool { used = true; return false })
	if err != nil {
		return nil, nil, &Error{op, err, "check the disk of the data directory"}
	}
	if used || !v.o.Create {
		return nil, nil, &Error{op, fmt.Errorf("%s: %w", v.o.KeyFile, fs.ErrNotExist), "restore the " +
			"vault's key file from its safe place; only a vault without tokens can get a new one"}
	}
	search := make([]byte, keySize)
	rand.Read(search) // never fails
	file := keyFile{Version: keyFileVersion, Serial: 1}
	if file.Search, err = wrap(v.o.Wrapper, search, searchID); err != nil {
		return nil, nil, &Error{op, err, "check the module that holds the key-encryption key"}
	}
	keys := &keySet{file: file, aeads: make(map[uint32]cipher.AEAD), nonces: new(nonces)}
	if keys, err = v.withNewKey(keys); err == nil {
		err = v.saveKeys(&keys.file)
	}
	if err != nil {
		return nil, nil, &Error{op, err, "check the module that holds the key-encryption key, and the " +
			"folder of the key file"}
	}
	return keys, search, nil
}

// withNewKey is a set with another data key, which is then the active one.
func (v *Vault) withNewKey(k *keySet) (*keySet, error) {
	dek := make([]byte, keySize)
	defer clear(dek)
	rand.Read(dek) // never fails
	next := k.copy()
	next.active = 1
	if n := len(k.file.Data); n > 0 {
		next.active = k.file.Data[n-1].ID + 1
	}
	w, err := wrap(v.o.Wrapper, dek, next.active)
	if err != nil {
		return nil, err
	}
	next.file.Data = append(next.file.Data, dataKey{ID: next.active,
		Created: time.Now().UTC().Truncate(time.Second), wrapped: w})
	next.aeads[next.active], err = newAEAD(dek)
	return next, err
}

// copy is a set that may be changed.
func (k *keySet) copy() *keySet {
	next := &keySet{file: k.file, active: k.active, nonces: k.nonces,
		aeads: make(map[uint32]cipher.AEAD, len(k.aeads)+1)}
	next.file.Data = slices.Clone(k.file.Data)
	for id, aead := range k.aeads {
		next.aeads[id] = aead
	}
	return next
}

// retired lists the data keys that seal nothing new but aren't destroyed.
func (k *keySet) retired() (ids []uint32) {
	for id := range k.aeads {
		if id != k.active {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// searchID stands for the search key where data keys have their number.
const searchID = 0

// checkOf tells keys apart without telling anything about them.
func checkOf(key []byte, id uint32) string {
	h := hmac.New(sha256.New, key)
	h.Write(binary.BigEndian.AppendUint32([]byte("cardswitch vault key "), id))
	return hex.EncodeToString(h.Sum(nil)[:8])
}

func wrap(m Wrapper, key []byte, id uint32) (wrapped, error) {
	w, err := m.Wrap(key)
	if err != nil {
		return wrapped{}, fmt.Errorf("wrap a key of the vault: %w", err)
	}
	return wrapped{hex.EncodeToString(w), checkOf(key, id)}, nil
}

func unwrap(m Wrapper, w wrapped, id uint32) ([]byte, error) {
	b, err := hex.DecodeString(w.Key)
	if err != nil {
		return nil, fmt.Errorf("key %d of the vault is damaged", id)
	}
	key, err := m.Unwrap(b)
	if err != nil {
		return nil, fmt.Errorf("unwrap key %d of the vault: %w", id, err)
	}
	if len(key) != keySize || !hmac.Equal([]byte(checkOf(key, id)), []byte(w.Check)) {
		return nil, fmt.Errorf("key %d of the vault comes out of the module as another", id)
	}
	return key, nil
}

func (v *Vault) unwrapAll(file *keyFile) (*keySet, []byte, error) {
	k := &keySet{file: *file, aeads: make(map[uint32]cipher.AEAD), nonces: new(nonces)}
	search, err := unwrap(v.o.Wrapper, file.Search, searchID)
	if err != nil {
		return nil, nil, err
	}
	for _, d := range file.Data {
		if d.Destroyed != nil {
			continue
		}
		dek, err := unwrap(v.o.Wrapper, d.wrapped, d.ID)
		if err != nil {
			return nil, nil, err
		}
		k.aeads[d.ID], err = newAEAD(dek)
		clear(dek)
		if err != nil {
			return nil, nil, err
		}
		k.active = d.ID
	}
	return k, search, nil
}

func (v *Vault) loadKeys() (*keyFile, error) {
	text, err := wholefile.Read(v.o.FS, v.o.KeyFile)
	if err != nil {
		return nil, err
	}
	return parseKeyFile(text)
}

// parseKeyFile takes a file with rising numbers, the last of which isn't destroyed.
func parseKeyFile(text []byte) (*keyFile, error) {
	var file keyFile
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&file); err != nil {
		return nil, fmt.Errorf("the vault's key file: %w", wholefile.ErrDamaged)
	}
	if file.Version != keyFileVersion {
		return nil, fmt.Errorf("the vault's key file is of version %d, this program knows %d",
			file.Version, keyFileVersion)
	}
	last := dataKey{}
	for _, d := range file.Data {
		if d.ID <= last.ID || (d.Destroyed == nil) != (d.Key != "") {
			return nil, fmt.Errorf("the vault's key file: %w", wholefile.ErrDamaged)
		}
		last = d
	}
	if last.ID == 0 || last.Destroyed != nil || file.Serial == 0 {
		return nil, fmt.Errorf("the vault's key file: %w", wholefile.ErrDamaged)
	}
	return &file, nil
}

func (v *Vault) saveKeys(file *keyFile) error {
	text, err := json.MarshalIndent(file, "", "  ")
	if err != nil {
		return err
	}
	return wholefile.Replace(v.o.FS, v.o.KeyFile, append(text, '\n'))
}

// mark is the serial of the newest key file that the books know, 0 if they know none.
func (v *Vault) mark() (uint64, error) { return markIn(v.o.Books) }

func markIn(books Reader) (uint64, error) {
	value, ok, err := books.Get([]byte{familyAbout})
	if !ok || err != nil {
		return 0, err
	}
	if len(value) != 9 || value[0] != 1 {
		return 0, fmt.Errorf("what the books know about the vault: %w", ErrDamaged)
	}
	return binary.BigEndian.Uint64(value[1:]), nil
}

// Reader is what of the books tells how new a key file must be.
type Reader interface {
	Get(key []byte) (value []byte, ok bool, err error)
}

// Matches tells whether a key file is as new as the books know it; or if there is none, whether
// they know of none. It opens no key.
func Matches(books Reader, name string) error {
	mark, err := markIn(books)
	if err != nil {
		return err
	}
	text, err := wholefile.Read(vfs.Default, name)
	if errors.Is(err, fs.ErrNotExist) && mark == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	file, err := parseKeyFile(text)
	if err == nil && file.Serial < mark {
		err = fmt.Errorf("the key file is number %d, the books know %d", file.Serial, mark)
	}
	return err
}

// setMark makes the books know a key file: an older one is not taken any more.
func setMark(b Batch, serial uint64) {
	b.Set([]byte{familyAbout}, binary.BigEndian.AppendUint64([]byte{1}, serial))
}

// replaceKeys makes another set the one at work: first in the file, then the books know it, then
// for whatever is put into a batch from now on. So no token lies under a key that the books don't
// know of: another node, whose file is an older one, would lead with it and give it back to this
// one. If it fails, the set before stays the one at work. v.file is held.
func (v *Vault) replaceKeys(next *keySet) error {
	next.file.Serial++
	if err := v.saveKeys(&next.file); err != nil {
		return err
	}
	err := v.o.Books.Change(func(b Batch) { setMark(b, next.file.Serial) })
	if err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.keys.Store(next)
	return nil
}
