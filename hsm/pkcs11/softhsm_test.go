//go:build pkcs11 && cgo

package pkcs11

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	cryptoki "github.com/miekg/pkcs11"

	"cardswitch/hsm"
	"cardswitch/hsm/moduletest"
)

// TestMain gives SoftHSM a folder of its own. The library reads where that is once in a process.
func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "softhsm")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	conf := filepath.Join(dir, "softhsm2.conf")
	text := "directories.tokendir = " + dir + "\nobjectstore.backend = file\nlog.level = ERROR\n"
	if err := errors.Join(os.WriteFile(conf, []byte(text), 0o600),
		os.Setenv("SOFTHSM2_CONF", conf)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// library is SoftHSM's, or the test is skipped.
func library(t testing.TB) string {
	t.Helper()
	for _, pattern := range []string{os.Getenv("SOFTHSM2_LIBRARY"), "/usr/lib/softhsm/libsofthsm2.so",
		"/usr/lib/*/softhsm/libsofthsm2.so", "/usr/local/lib/softhsm/libsofthsm2.so",
		"/opt/homebrew/lib/softhsm/libsofthsm2.so"} {
		if found, _ := filepath.Glob(pattern); len(found) > 0 {
			return found[0]
		}
	}
	t.Skip("SoftHSM isn't installed (hint: apt-get install softhsm2, or SOFTHSM2_LIBRARY=file)")
	return ""
}

const userPIN = "1234567"

func started(t testing.TB) *cryptoki.Ctx {
	t.Helper()
	lib := cryptoki.New(library(t))
	if lib == nil {
		t.Fatal("SoftHSM can't be loaded")
	}
	err := lib.Initialize()
	if err != nil && !errors.Is(err, cryptoki.Error(cryptoki.CKR_CRYPTOKI_ALREADY_INITIALIZED)) {
		t.Fatal(err)
	}
	return lib
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// blank makes a token with nothing in it, and says how to open it.
func blank(t testing.TB) Config {
	t.Helper()
	lib := started(t)
	slots, err := lib.GetSlotList(false)
	must(t, err)
	slot := slots[len(slots)-1] // SoftHSM always has one more, that is empty
	label := fmt.Sprintf("token %d", len(slots))
	must(t, lib.InitToken(slot, "so pin", label))
	s, err := lib.OpenSession(slot, cryptoki.CKF_SERIAL_SESSION|cryptoki.CKF_RW_SESSION)
	must(t, err)
	must(t, lib.Login(s, cryptoki.CKU_SO, "so pin"))
	must(t, lib.InitPIN(s, userPIN))
	must(t, lib.Logout(s))
	must(t, lib.CloseSession(s))
	file := filepath.Join(t.TempDir(), "pin")
	must(t, os.WriteFile(file, []byte(userPIN+"\n"), 0o600))
	return Config{Library: library(t), Token: label, PINFile: file, Sessions: 4}
}

// token is a token with its keys.
func token(t testing.TB) Config {
	t.Helper()
	config := blank(t)
	must(t, Create(config))
	return config
}

func open(t testing.TB, config Config) hsm.Module {
	t.Helper()
	m, err := Open(config)
	must(t, err)
	t.Cleanup(func() { _ = m.Close() })
	return m
}

func TestModule(t *testing.T) {
	moduletest.Run(t, func(t *testing.T, profile hsm.Profile) hsm.Module {
		config := token(t)
		config.Profile = profile
		m, err := Open(config)
		must(t, err)
		return m
	})
}

func TestModuleWithMACsInProcess(t *testing.T) {
	moduletest.Run(t, func(t *testing.T, profile hsm.Profile) hsm.Module {
		config := token(t)
		config.Profile, config.MACInProcess = profile, true
		m, err := Open(config)
		must(t, err)
		return m
	})
}
