package audit

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"cardswitch/store/wholefile"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Birth is what the auditor gets when a log is created, and nobody ever after. The public key may
// be printed; the first key checks the whole log, and could forge it on a machine where it stays.
type Birth struct {
	Public ed25519.PublicKey // checks anchors
	Key    Key               // checks all
}

const signingName = "audit.signing"

// Create makes a log. hand gives the first key to the auditor; there is a log only once it has
// returned without an error, and the key isn't kept. If Create fails after that, what hand was
// given is of no log.
func Create(o Options, hand func(Birth) error) error {
	const op = "create the audit log"
	o.complete()
	if _, err := loadState(o.FS, o.Dir); !errors.Is(err, fs.ErrNotExist) {
		if err == nil {
			err = fs.ErrExist
		}
		return &Error{op, fmt.Errorf("%s: %w", o.Dir, err), "there is one already; it is never replaced"}
	}
	list, err := segments(o.FS, o.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) || len(list) > 0 {
		return &Error{op, errors.Join(errors.New("there are records, but no state of a log"), err),
			"find out what became of " + stateName + "; for a new log, choose another folder"}
	}
	if err := makeFolder(o.FS, o.Dir); err != nil {
		return &Error{op, err, "check the folder and who owns it"}
	}
	public, signing, err := ed25519.GenerateKey(nil)
	if err != nil {
		return err
	}
	defer clear(signing)
	first := randomKey()
	if err := hand(Birth{public, first}); err != nil {
		return &Error{op, fmt.Errorf("the first key wasn't given to the auditor: %w", err),
			"without it most of the log can never be checked; put this right and try again"}
	}
	// The state comes last: with it there is a log.
	err = saveSigning(&o, signing)
	if err == nil {
		s := state{chain: newChain(first, public)}
		err = s.save(o.FS, o.Dir)
	}
	if err != nil {
		return &Error{op, err, "check the disk and the sealing key; the key just given is of no log"}
	}
	return nil
}

func makeFolder(disk vfs.FS, dir string) error {
	if err := disk.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return wholefile.SyncDir(disk, disk.PathDir(dir))
}

// keyText is a key file as JSON.
type keyText struct {
	Version int    `json:"version"`
	Public  string `json:"public"`
	Key     string `json:"key,omitempty"`    // in hex, in clear
	Sealed  string `json:"sealed,omitempty"` // in hex, wrapped by a Sealer
}

// encodeKey writes a key file; s may be nil.
func encodeKey(public ed25519.PublicKey, plain []byte, s Sealer) ([]byte, error) {
	t := keyText{Version: 1, Public: hex.EncodeToString(public)}
	if s == nil {
		t.Key = hex.EncodeToString(plain)
	} else {
		sealed, err := s.Wrap(plain)
		if err != nil {
			return nil, fmt.Errorf("seal a key of the audit log: %w", err)
		}
		t.Sealed = hex.EncodeToString(sealed)
	}
	text, err := json.MarshalIndent(&t, "", "  ")
	return append(text, '\n'), err
}

func decodeKey(data []byte, s Sealer) (ed25519.PublicKey, []byte, error) {
	var t keyText
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&t); err != nil || t.Version != 1 {
		return nil, nil, errors.New("not a key file of an audit log")
	}
	public, err := hex.DecodeString(t.Public)
	if err != nil || len(public) != ed25519.PublicKeySize {
		return nil, nil, errors.New("the key file lacks the public key")
	}
	if t.Sealed == "" {
		plain, err := hex.DecodeString(t.Key)
		if err != nil || len(plain) != len(Key{}.veiled) {
			return nil, nil, errors.New("the key file lacks the key")
		}
		return public, plain, nil
	}
	sealed, err := hex.DecodeString(t.Sealed)
	if err != nil {
		return nil, nil, errors.New("the sealed key is damaged")
	}
	if s == nil {
		return nil, nil, errors.New("the key is sealed, and there is nothing to open it with")
	}
	plain, err := s.Unwrap(sealed)
	if err != nil || len(plain) != len(Key{}.veiled) {
		return nil, nil, errors.New("the sealed key doesn't open with this sealing key")
	}
	return public, plain, nil
}

// Export is the birth of a log as a file, such as audit.key: sealed, or in clear if s is nil. In
// clear it is as good as the log's proof: it belongs on a medium that leaves the machine.
func (b *Birth) Export(s Sealer) ([]byte, error) {
	plain := b.Key.plain()
	defer clear(plain)
	return encodeKey(b.Public, plain, s)
}

// ParseBirth reads what Export wrote.
func ParseBirth(file []byte, s Sealer) (Birth, error) {
	public, plain, err := decodeKey(file, s)
	if err != nil {
		return Birth{}, err
	}
	defer clear(plain)
	return Birth{public, newKey(plain)}, nil
}

func saveSigning(o *Options, signing ed25519.PrivateKey) error {
	seed := signing.Seed()
	defer clear(seed)
	text, err := encodeKey(signing.Public().(ed25519.PublicKey), seed, o.Sealer)
	if err != nil {
		return err
	}
	defer clear(text)
	return wholefile.Replace(o.FS, o.FS.PathJoin(o.Dir, signingName), text)
}

func loadSigning(o *Options) (ed25519.PrivateKey, error) {
	text, err := wholefile.Read(o.FS, o.FS.PathJoin(o.Dir, signingName))
	if err != nil {
		return nil, err
	}
	defer clear(text)
	public, seed, err := decodeKey(text, o.Sealer)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", signingName, err)
	}
	defer clear(seed)
	signing := ed25519.NewKeyFromSeed(seed)
	if !public.Equal(signing.Public()) {
		return nil, fmt.Errorf("%s: its keys aren't a pair", signingName)
	}
	return signing, nil
}
