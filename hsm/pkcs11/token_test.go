//go:build pkcs11 && cgo

package pkcs11

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	cryptoki "github.com/miekg/pkcs11"

	"cardswitch/hsm"
	"cardswitch/hsm/keyblock"
	"cardswitch/hsm/mac"
)

func made(t testing.TB, m hsm.Module, s hsm.KeySpec) (hsm.Wrapped, hsm.Key) {
	t.Helper()
	w, err := m.Generate(t.Context(), s)
	must(t, err)
	k, err := m.Load(t.Context(), w)
	must(t, err)
	return w, k
}

// kinds is a spec of each usage that the token takes.
func kinds(export keyblock.Export) []hsm.KeySpec {
	return []hsm.KeySpec{
		{Usage: "B0", Algorithm: "A", Size: 32, Mode: "X", Export: export},
		{Usage: "B3", Algorithm: "A", Size: 32, Mode: "X", Export: export},
		{Usage: "K0", Algorithm: "A", Size: 32, Mode: "B", Export: export},
		{Usage: "K1", Algorithm: "A", Size: 24, Mode: "B", Export: export},
		{Usage: "K1", Algorithm: "T", Size: 24, Mode: "B", Export: export},
		{Usage: "M6", Algorithm: "A", Size: 16, Mode: "C", Export: export},
		{Usage: "M6", Algorithm: "T", Size: 16, Mode: "C", Export: export},
		{Usage: "P0", Algorithm: "A", Size: 16, Mode: "B", Export: export},
		{Usage: "P0", Algorithm: "T", Size: 16, Mode: "B", Export: export},
	}
}

// beside is a session of a thief who has the PIN, beside those of the module, which it must log in.
func beside(t testing.TB, config Config) call {
	t.Helper()
	complete, err := config.complete()
	must(t, err)
	lib, slot, err := find(complete)
	must(t, err)
	s, err := lib.OpenSession(slot, cryptoki.CKF_SERIAL_SESSION|cryptoki.CKF_RW_SESSION)
	must(t, err)
	t.Cleanup(func() { _ = lib.CloseSession(s) })
	must(t, login(lib, s, complete))
	c := call{nil, lib, s}
	masters, err := findMasters(c, complete.Label)
	must(t, err)
	c.link = &link{masters: masters}
	return c
}

// objects counts the secret keys in the token, and fails for one that may be read.
func (c call) objects(t testing.TB) int {
	t.Helper()
	must(t, c.lib.FindObjectsInit(c.session, []*cryptoki.Attribute{
		cryptoki.NewAttribute(cryptoki.CKA_CLASS, cryptoki.CKO_SECRET_KEY)}))
	found, _, err := c.lib.FindObjects(c.session, 1000)
	must(t, err)
	must(t, c.lib.FindObjectsFinal(c.session))
	for _, h := range found {
		if stays, err := c.stays(h); err != nil || !stays {
			t.Errorf("a key in the token may leave it: %v", err)
		}
	}
	return len(found)
}

// In the token are its own keys and the loaded ones, none of them extractable, and nothing is left
// over of what was made on the way.
func TestWhatIsInTheToken(t *testing.T) {
	config := token(t)
	m := open(t, config)
	c := beside(t, config)
	if n := c.objects(t); n != 3 {
		t.Fatalf("a new token has %d keys", n)
	}
	var keys []hsm.Key
	for _, export := range []keyblock.Export{keyblock.ExportE, keyblock.ExportN} {
		for _, s := range kinds(export) {
			_, k := made(t, m, s)
			keys = append(keys, k)
		}
	}
	work(t, m)
	if n := c.objects(t); n != 3+len(keys) {
		t.Errorf("with %d keys loaded the token has %d", len(keys), n)
	}
	for _, k := range keys {
		k.Unload()
	}
	if n := c.objects(t); n != 3 {
		t.Errorf("with all keys unloaded the token has %d", n)
	}
}

// work does what makes objects on the way, well and badly, and unloads its keys.
func work(t testing.TB, m hsm.Module) {
	t.Helper()
	ctx := t.Context()
	w, base := made(t, m, hsm.KeySpec{Usage: "B0", Algorithm: "A", Size: 16, Mode: "X", Export: "E"})
	_, under := made(t, m, hsm.KeySpec{Usage: "K1", Algorithm: "A", Size: 32, Mode: "B", Export: "N"})
	_, kek := made(t, m, hsm.KeySpec{Usage: "K0", Algorithm: "A", Size: 32, Mode: "B", Export: "N"})
	header := w.Spec.Header(keyblock.VersionD, keyblock.ContextExchange)
	block, err := m.Export(ctx, under, w, header)
	must(t, err)
	want := keyblock.Want{Versions: []keyblock.Version{"D"}, Usages: []keyblock.Usage{"B0"},
		Algorithms: []keyblock.Algorithm{"A"}, Modes: []keyblock.Mode{"X"},
		Exports: []keyblock.Export{"E"}, Context: keyblock.ContextExchange}
	_, err = m.Import(ctx, under, block, want)
	must(t, err)
	_, err = m.Import(ctx, under, block, keyblock.Want{})
	if err == nil {
		t.Error("an unwanted key was taken")
	}
	data, err := m.WrapData(ctx, kek, make([]byte, 32))
	must(t, err)
	_, err = m.UnwrapData(ctx, kek, data)
	must(t, err)
	data[3] ^= 1
	if _, err = m.UnwrapData(ctx, kek, data); err == nil {
		t.Error("an altered data key was taken")
	}
	must(t, open1(m, base, 1))
	if err := open1(m, base, 0); err == nil {
		t.Error("a KSN with counter zero was taken")
	}
	base.Unload()
	under.Unload()
	kek.Unload()
}

func open1(m hsm.Module, base hsm.Key, counter byte) error {
	_, err := m.OpenP2PE(context.Background(), hsm.P2PE{Base: base, KeyType: 3, // AES-128
		KSN: append(make([]byte, 11), counter), Data: make([]byte, 16)}, nil)
	return err
}

// Not even who has the PIN reads a key with export N.
func TestLockedKeysStay(t *testing.T) {
	config := token(t)
	m := open(t, config)
	c := beside(t, config)
	for export, locked := range map[keyblock.Export]bool{"N": true, "E": false, "S": false} {
		for _, s := range kinds(export) {
			w, k := made(t, m, s)
			k.Unload()
			wrapped, err := c.open(w)
			must(t, err)
			read := false
			for _, master := range []handle{c.link.masters.open, c.link.masters.locked} {
				h, err := c.unwrap(master, wrapped, readable(kindOfSpec(s).template(false)))
				if err != nil {
					continue
				}
				read = true
				c.destroy(h)
			}
			if read == locked {
				t.Errorf("a %v: read is %v", s, read)
			}
		}
	}
}

// After the token was away, keys are there again without being loaded anew.
func TestTokenComesBack(t *testing.T) {
	config := token(t)
	m := open(t, config)
	ctx := t.Context()
	how := mac.Spec{Algorithm: mac.AESCMAC, Size: 8}
	_, k := made(t, m, kinds("N")[5])
	_, retail := made(t, m, hsm.KeySpec{Usage: "M3", Algorithm: "T", Size: 16, Mode: "C", Export: "N"})
	before, err := m.MAC(ctx, k, how, nil, []byte("message"))
	must(t, err)
	_, slot, err := find(config)
	must(t, err)
	for range 3 {
		must(t, started(t).CloseAllSessions(slot))
		after, err := m.MAC(ctx, k, how, nil, []byte("message"))
		if err != nil || !bytes.Equal(before, after) {
			t.Fatalf("after the sessions were closed: %X, %X, %v", before, after, err)
		}
	}
	must(t, started(t).CloseAllSessions(slot))
	work(t, m)
	_, err = m.MAC(ctx, retail, mac.Spec{Algorithm: mac.Retail, Padding: 1, Size: 8}, nil, nil)
	must(t, err)
	k.Unload()
	if n := beside(t, config).objects(t); n != 3 {
		t.Errorf("the token has %d keys", n)
	}
}

// While it can't be reached, calls fail at once; then it is tried again.
func TestTokenStaysAwayForAWhile(t *testing.T) {
	config := token(t)
	m := open(t, config)
	_, slot, err := find(config)
	must(t, err)
	must(t, os.Rename(config.PINFile, config.PINFile+" away"))
	must(t, started(t).CloseAllSessions(slot))
	tried := time.Now()
	for range 3 {
		if err := m.Random(t.Context(), make([]byte, 8)); !errors.Is(err, hsm.ErrUnavailable) {
			t.Fatalf("without a PIN: %v", err)
		}
	}
	must(t, os.Rename(config.PINFile+" away", config.PINFile))
	if err := m.Random(t.Context(), make([]byte, 8)); !errors.Is(err, hsm.ErrUnavailable) &&
		time.Since(tried) < pause {
		t.Errorf("within the pause: %v", err)
	}
	time.Sleep(pause)
	must(t, m.Random(t.Context(), make([]byte, 8)))
}

// A PIN that is refused once isn't tried again: that would lock the token.
func TestPINIsTriedOnce(t *testing.T) {
	config := token(t)
	m := open(t, config)
	_, slot, err := find(config)
	must(t, err)
	must(t, os.WriteFile(config.PINFile, []byte("9999999\n"), 0o600))
	must(t, started(t).CloseAllSessions(slot))
	for range 20 {
		err := m.Random(t.Context(), make([]byte, 8))
		if !errors.Is(err, hsm.ErrUnavailable) || !errors.Is(err, errPINRefused) {
			t.Fatalf("with a wrong PIN: %v", err)
		}
		must(t, os.WriteFile(config.PINFile, []byte(userPIN), 0o600)) // too late: to start again is asked
	}
	if _, err := Open(config); err != nil {
		t.Errorf("a new start with the right PIN: %v", err)
	}
}

func TestPINComesFromOutside(t *testing.T) {
	good := token(t)
	t.Setenv("TOKEN_PIN", userPIN)
	t.Setenv("EMPTY_PIN", "")
	t.Setenv("WRONG_PIN", "9999999")
	public := filepath.Join(t.TempDir(), "public")
	must(t, os.WriteFile(public, []byte(userPIN), 0o644))
	empty := filepath.Join(t.TempDir(), "empty")
	must(t, os.WriteFile(empty, []byte("\n"), 0o600))
	for name, test := range map[string]struct {
		file, variable string
		ok             bool
	}{
		"file": {good.PINFile, "", true}, "variable": {"", "TOKEN_PIN", true},
		"both": {good.PINFile, "TOKEN_PIN", false}, "neither": {"", "", false},
		"empty variable": {"", "EMPTY_PIN", false}, "no variable": {"", "NO_PIN", false},
		"wrong": {"", "WRONG_PIN", false}, "for all to read": {public, "", false},
		"empty file": {empty, "", false}, "no file": {empty + "1", "", false},
	} {
		config := good
		config.PINFile, config.PINVariable = test.file, test.variable
		m, err := Open(config)
		if (err == nil) != test.ok {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil {
			must(t, m.Close())
		} else if strings.Contains(err.Error(), userPIN) || strings.Contains(err.Error(), "9999999") {
			t.Errorf("%s: the PIN is in the error", name)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	config := blank(t)
	if _, err := Open(config); err == nil || !strings.Contains(err.Error(), "hint") {
		t.Errorf("a token without keys: %v", err)
	}
	must(t, Create(config))
	if err := Create(config); err == nil {
		t.Error("keys were made twice")
	}
	must(t, open(t, config).Close())
	for name, change := range map[string]func(c *Config){
		"library":  func(c *Config) { c.Library = "" },
		"no file":  func(c *Config) { c.Library = "/nowhere/libtoken.so" },
		"no token": func(c *Config) { c.Token = "another" },
		"label":    func(c *Config) { c.Label = "another" },
		"sessions": func(c *Config) { c.Sessions = -1 },
		"many":     func(c *Config) { c.Sessions = 100000 },
	} {
		wrong := config
		change(&wrong)
		if m, err := Open(wrong); err == nil || m != nil {
			t.Errorf("%s: it was opened", name)
		}
	}
	// A key with the right name that someone could read is none.
	c := beside(t, config)
	c.destroy(c.link.masters.code)
	_, err := c.lib.GenerateKey(c.session, one(cryptoki.CKM_AES_KEY_GEN, nil),
		with(wrappable(kindOf(keyblock.AES, 32).template(true, cryptoki.CKA_SIGN)),
			cryptoki.NewAttribute(cryptoki.CKA_TOKEN, true),
			cryptoki.NewAttribute(cryptoki.CKA_LABEL, "cardswitch-code")))
	must(t, err)
	if _, err := Open(config); !errors.Is(err, hsm.ErrKey) {
		t.Errorf("a key that may leave: %v", err)
	}
}

// A call whose context ends is answered at once, and what it works on is cleared when it is over.
func TestTokenThatDoesntAnswer(t *testing.T) {
	config := token(t)
	config.Sessions = 1
	m := open(t, config).(*Module)
	held, cleaned := make(chan struct{}), make(chan struct{})
	var over atomic.Bool
	ctx, cancel := context.WithCancel(t.Context())
	_, err := do(ctx, m, func(call) (int, error) {
		cancel() // it has begun, so it goes on
		<-held
		over.Store(true)
		return 0, nil
	}, func() { close(cleaned) })
	if !errors.Is(err, hsm.ErrUnavailable) || over.Load() {
		t.Errorf("a call that isn't answered: %v", err)
	}
	short, stop := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer stop()
	if err := m.Random(short, make([]byte, 8)); !errors.Is(err, hsm.ErrUnavailable) {
		t.Errorf("a call behind it: %v", err)
	}
	select {
	case <-cleaned:
		t.Error("it was cleaned while it was used")
	default:
	}
	close(held)
	<-cleaned
	must(t, m.Random(t.Context(), make([]byte, 8)))
}

// The block says what X9.143 says, in its places, and the check value.
func TestBlock(t *testing.T) {
	m := open(t, token(t))
	w, err := m.Generate(t.Context(), hsm.KeySpec{Usage: "P0", Algorithm: "A", Size: 16, Mode: "B",
		Export: "N"})
	must(t, err)
	want := "90112P0AB00N011" + "0" + "KC1001" + w.Check.Hex
	body, ok := strings.CutPrefix(w.Block, want)
	raw, err := hex.DecodeString(body)
	if !ok || err != nil || len(raw) != 24+16 || len(w.Block) != 112 {
		t.Errorf("the block is %s, and begins not with %s: %v", w.Block, want, err)
	}
}
