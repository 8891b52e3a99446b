//go:build pkcs11 && cgo

package pkcs11

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	cryptoki "github.com/miekg/pkcs11"

	"cardswitch/hsm"
	"cardswitch/hsm/keyblock"
	"cardswitch/hsm/soft"
)

// Module is a token.
type Module struct {
	config Config
	lib    *cryptoki.Ctx
	slot   uint
	caps   hsm.Caps
	inner  *soft.Module // for the MAC keys that are used in this process

	link atomic.Pointer[link] // nil when closed

	mu      sync.Mutex // around what follows, and the change of link
	loaded  map[*key]struct{}
	refused error     // the token refused the PIN: to try again would lock it
	failed  time.Time // when the token last couldn't be reached
}

var _ hsm.Module = (*Module)(nil)

// Available says whether this build has the driver.
func Available() error { return nil }

// Open logs in to the token and finds its keys.
func Open(config Config) (hsm.Module, error) {
	config, err := config.complete()
	if err != nil {
		return nil, err
	}
	lib, slot, err := find(config)
	if err != nil {
		return nil, err
	}
	m := &Module{config: config, lib: lib, slot: slot, loaded: make(map[*key]struct{})}
	if m.caps, err = capabilities(lib, slot); err != nil {
		return nil, err
	}
	if m.inner, err = newInner(); err != nil {
		return nil, err
	}
	l, err := dial(m)
	if err != nil {
		return nil, err
	}
	m.link.Store(l)
	return m, nil
}

// newInner is a soft module whose master key nobody has: its blocks are for this process only.
func newInner() (*soft.Module, error) {
	master, err := keyblock.RandomKey(keyblock.AES, 32, nil)
	if err != nil {
		return nil, err
	}
	defer master.Wipe()
	return soft.New(master, hsm.Test)
}

// find loads the library and looks for the token.
func find(config Config) (*cryptoki.Ctx, uint, error) {
	lib := cryptoki.New(config.Library)
	if lib == nil {
		return nil, 0, fmt.Errorf("%s can't be loaded (hint: it is no PKCS#11 library, or of another "+
			"architecture)", config.Library)
	}
	// Another module of this process may have it open; it is finalized when the program ends.
	err := lib.Initialize()
	if err != nil && !errors.Is(err, cryptoki.Error(cryptoki.CKR_CRYPTOKI_ALREADY_INITIALIZED)) {
		return nil, 0, fmt.Errorf("%w: start %s: %w", hsm.ErrUnavailable, config.Library, err)
	}
	slots, err := lib.GetSlotList(true)
	if err != nil {
		return nil, 0, fmt.Errorf("%w: look for tokens: %w", hsm.ErrUnavailable, err)
	}
	found := -1
	for _, slot := range slots {
		info, err := lib.GetTokenInfo(slot)
		if err != nil || info.Label != config.Token {
			continue
		}
		if found >= 0 {
			return nil, 0, fmt.Errorf("two tokens have the label %q", config.Token)
		}
		found = int(slot)
	}
	if found < 0 {
		return nil, 0, fmt.Errorf("%w: there is no token with the label %q among %d",
			hsm.ErrUnavailable, config.Token, len(slots))
	}
	return lib, uint(found), nil
}

// capabilities looks at what mechanisms the token has.
func capabilities(lib *cryptoki.Ctx, slot uint) (caps hsm.Caps, err error) {
	list, err := lib.GetMechanismList(slot)
	if err != nil {
		return caps, fmt.Errorf("%w: look at the token: %w", hsm.ErrUnavailable, err)
	}
	has := func(mechanisms ...uint) bool {
		for _, wanted := range mechanisms {
			found := false
			for _, m := range list {
				found = found || m.Mechanism == wanted
			}
			if !found {
				return false
			}
		}
		return true
	}
	if !has(cryptoki.CKM_AES_KEY_GEN, cryptoki.CKM_AES_KEY_WRAP, cryptoki.CKM_AES_CMAC) {
		return caps, fmt.Errorf("%w: the token needs AES with key wrap and CMAC", hsm.ErrAbsent)
	}
	caps[hsm.Generate] = hsm.Inside
	caps[hsm.Form] = hsm.Process
	caps[hsm.MakeMAC] = hsm.Process
	caps[hsm.DeriveSecret] = hsm.KeyInside
	caps[hsm.WrapDataKey] = hsm.KeyInside
	if !has(cryptoki.CKM_AES_ECB) {
		return caps, nil
	}
	caps[hsm.TranslateZonePIN] = hsm.KeyInside
	if has(cryptoki.CKM_AES_ECB_ENCRYPT_DATA, cryptoki.CKM_AES_CBC) {
		caps[hsm.Import], caps[hsm.Export] = hsm.KeyInside, hsm.KeyInside
		caps[hsm.TranslateTerminalPIN], caps[hsm.OpenCard] = hsm.KeyInside, hsm.KeyInside
	}
	return caps, nil
}

// Name is the driver's with the token's label.
func (m *Module) Name() string { return "pkcs11 token " + m.config.Token }

// String is the same as Name.
func (m *Module) String() string { return m.Name() }

// Caps is what the token's mechanisms allow.
func (m *Module) Caps() hsm.Caps { return m.caps }

// start says why an operation isn't begun.
func (m *Module) start(ctx context.Context, o hsm.Operation) error {
	if err := hsm.Ended(ctx); err != nil {
		return err
	}
	return m.config.Profile.Check(o, m.caps)
}

// Random fills b from the token's generator, mixed with the operating system's.
func (m *Module) Random(ctx context.Context, b []byte) error {
	if err := hsm.Ended(ctx); err != nil || len(b) == 0 {
		return err
	}
	size := len(b)
	random, err := do(ctx, m, func(c call) ([]byte, error) {
		return c.lib.GenerateRandom(c.session, size)
	})
	if err != nil {
		return err
	}
	if len(random) != size {
		return fmt.Errorf("%w: it gave another length of random bytes", hsm.ErrUnavailable)
	}
	if _, err := rand.Read(b); err != nil {
		return err
	}
	subtle.XORBytes(b, b, random)
	return nil
}

// Close forgets all keys and closes the sessions, with which the token forgets them too.
func (m *Module) Close() error {
	m.mu.Lock()
	l := m.link.Swap(nil)
	keys := m.loaded
	m.loaded = nil
	m.mu.Unlock()
	for k := range keys {
		k.expire()
	}
	if l != nil {
		l.retire()
	}
	return m.inner.Close()
}
