package keyring

import (
	"context"
	"crypto/hmac"
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"cardswitch/hsm"
	"cardswitch/hsm/keyblock"
)

// Witness keeps the version of the newest key store elsewhere, as in the journal, so that an old
// copy of the file isn't taken for the newest; and its text, so that another node of the cluster
// has it.
type Witness interface {
	// Version is the newest that was told, 0 if none was.
	Version() (uint64, error)
	// Advance keeps a version and its text durably. It keeps nothing of text.
	Advance(version uint64, text []byte) error
}

// FileOptions say where and how a key store is kept.
type FileOptions struct {
	Path    string
	Module  hsm.Module
	Witness Witness // nil: an old copy isn't found out, as in tests
	Keep    int     // old versions beside it; 0 is DefaultKeep
}

// DefaultKeep is how many old versions of a key store are kept beside it.
const DefaultKeep = 8

// File is the sealed key store: key blocks only (PCI PIN 18-3), each record and the whole bound by
// codes under a key of the module, with a version counter (reference crypto.md section 7).
//
// The file is of lines: a header, a record each, an end. Each line closes with its code. The key of
// the codes is derived from the seal key and the version, so a record of another version, of
// another place or of another installation has a wrong code and is named. The seal key is an
// AES-192 derivation key, which no zone key is: a link key that a partner knows can't stand in.
//
// One process at a time writes it: the lock of the journal's folder sees to that.
type File struct {
	options FileOptions
	disk    disk

	mu      sync.Mutex
	version uint64
	seal    hsm.Wrapped
	key     hsm.Key // the seal key; nil until the first save
	broken  error   // a save failed half-way: what is on the disk isn't known
}

// StoreError is a key store that isn't taken.
type StoreError struct {
	Path string
	What string // names the record, if it is one
	Err  error
	Hint string
}

// Error names file, record and reason.
func (e *StoreError) Error() string {
	text := "key store " + e.Path + ": " + e.What
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text + " (hint: " + e.Hint + ")"
}

// Unwrap gives the reason.
func (e *StoreError) Unwrap() error { return e.Err }

// ErrTampered is a key store that was changed by somebody else, or rolled back.
var ErrTampered = errors.New("it is not what was written")

const restoreHint = "don't delete it; find out who changed it, then restore the newest backup"

// OpenFile reads a key store. Without a file and without a witnessed version it is new and empty.
// What was altered, cut off, mixed of two versions or rolled back is a *StoreError that wraps
// ErrTampered.
func OpenFile(ctx context.Context, o FileOptions) (*File, Set, error) {
	return openFile(ctx, o, newRealDisk(o.Path))
}

func openFile(ctx context.Context, o FileOptions, d disk) (*File, Set, error) {
	if o.Keep == 0 {
		o.Keep = DefaultKeep
	}
	f := &File{options: o, disk: d}
	witnessed := uint64(0)
	if o.Witness != nil {
		var err error
		if witnessed, err = o.Witness.Version(); err != nil {
			return nil, Set{}, fmt.Errorf("read the witnessed version of the key store: %w", err)
		}
	}
	text, err := d.read()
	switch {
	case errors.Is(err, fs.ErrNotExist) && witnessed == 0:
		return f, Set{}, nil
	case errors.Is(err, fs.ErrNotExist):
		return nil, Set{}, f.fault(ErrTampered, restoreHint, "it is missing, version %d was witnessed",
			witnessed)
	case err != nil:
		return nil, Set{}, f.fault(err, "run as its owner; it must be of mode 0600", "it can't be read")
	}
	set, err := f.load(ctx, text)
	if err == nil && f.version < witnessed {
		err = f.fault(ErrTampered, restoreHint, "it is version %d, but %d was witnessed: "+
			"it was rolled back", f.version, witnessed)
	}
	// A crash between the file and the witness leaves the file ahead.
	if err == nil && o.Witness != nil && f.version > witnessed {
		err = o.Witness.Advance(f.version, text)
	}
	if err != nil {
		_ = f.Close()
		return nil, Set{}, err
	}
	return f, set, nil
}

// Bring makes the text of a key store that another node has saved the one at a path, in the place
// of an older one. OpenFile checks it.
func Bring(path string, text []byte) error {
	d := newRealDisk(path)
	old := uint64(0)
	if own, err := d.read(); err == nil {
		old, _ = VersionOf(own) // of a damaged one nothing is kept
	}
	return d.replace(text, old, DefaultKeep)
}

func (f *File) fault(err error, hint, what string, args ...any) error {
	return &StoreError{f.options.Path, fmt.Sprintf(what, args...), err, hint}
}

// Version is that of the newest save.
func (f *File) Version() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.version
}

// Close forgets the seal key.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.key != nil {
		f.key.Unload()
		f.key = nil
	}
	f.broken = errors.New("the key store is closed")
	return nil
}

func sealSpec() hsm.KeySpec {
	return hsm.KeySpec{Usage: keyblock.UsageB3, Algorithm: keyblock.AES, Size: 24,
		Mode: keyblock.ModeX, Export: keyblock.ExportN}
}

// Save writes a set as the next version. When it fails after the disk was touched, the file refuses
// further saves: a restart reads which of both versions is there.
func (f *File) Save(ctx context.Context, s Set) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.broken != nil {
		return f.fault(f.broken, "restart the switch", "an earlier save failed")
	}
	if f.key == nil {
		if err := f.makeSeal(ctx); err != nil {
			return err
		}
	}
	code, err := f.codeKey(ctx, f.version+1)
	if err != nil {
		return err
	}
	defer clear(code)
	text, err := f.text(code, f.version+1, s)
	if err != nil {
		return err
	}
	if err := f.disk.replace(text, f.version, f.options.Keep); err != nil {
		f.broken = err
		return f.fault(err, "make room, mind its owner and mode; then restart", "it can't be written")
	}
	f.version++
	if f.options.Witness != nil {
		if err := f.options.Witness.Advance(f.version, text); err != nil {
			f.broken = err
			return fmt.Errorf("witness version %d of the key store: %w", f.version, err)
		}
	}
	return nil
}

func (f *File) makeSeal(ctx context.Context) error {
	w, err := f.options.Module.Generate(ctx, sealSpec())
	if err == nil {
		f.key, err = f.options.Module.Load(ctx, w)
	}
	if err != nil {
		return fmt.Errorf("make the seal key of the key store: %w", err)
	}
	f.seal = w
	return nil
}

// codeKey is the key of the codes of a version. The caller clears it.
func (f *File) codeKey(ctx context.Context, version uint64) ([]byte, error) {
	key := make([]byte, 0, 32)
	for i := range 2 {
		message := fmt.Appendf(nil, "cardswitch key store/v1/%d/%d", version, i)
		half, err := f.options.Module.PRF(ctx, f.key, message)
		if err != nil {
			clear(key[:cap(key)])
			return nil, fmt.Errorf("derive the code key of the key store: %w", err)
		}
		key = append(key, half[:]...)
		clear(half[:])
	}
	return key, nil
}

// equalCode compares codes in constant time.
func equalCode(a, b string) bool { return hmac.Equal([]byte(a), []byte(b)) }
