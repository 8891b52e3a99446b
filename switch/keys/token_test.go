//go:build pkcs11 && cgo

package keys

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"cardswitch/hsm/pkcs11"
	cardswitch "cardswitch/switch"
)

// softHSM makes a token, and the configuration that has the keys in it.
func softHSM(t *testing.T) *cardswitch.Config {
	t.Helper()
	library := ""
	for _, pattern := range []string{os.Getenv("SOFTHSM2_LIBRARY"), "/usr/lib/softhsm/libsofthsm2.so",
		"/usr/lib/*/softhsm/libsofthsm2.so", "/usr/local/lib/softhsm/libsofthsm2.so"} {
		if found, _ := filepath.Glob(pattern); library == "" && len(found) > 0 {
			library = found[0]
		}
	}
	tool, err := exec.LookPath("softhsm2-util")
	if library == "" || err != nil {
		t.Skip("SoftHSM isn't installed (hint: apt-get install softhsm2)")
	}
	dir := t.TempDir()
	conf := filepath.Join(dir, "softhsm2.conf")
	pin := filepath.Join(dir, "pin")
	if err := errors.Join(os.WriteFile(pin, []byte("1234567\n"), 0o600), os.WriteFile(conf,
		[]byte("directories.tokendir = "+dir+"\nobjectstore.backend = file\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SOFTHSM2_CONF", conf)
	out, err := exec.Command(tool, "--init-token", "--free", "--label", "cardswitch", "--so-pin",
		"7654321", "--pin", "1234567").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	c := configuration(t.TempDir())
	c.Keys.Module, c.Keys.Master = cardswitch.ModulePKCS11, ""
	c.Keys.PKCS11 = cardswitch.PKCS11Config{Library: library, Token: "cardswitch", PINFile: pin}
	return c
}

// A ring on a token, from its first keys to a restart.
func TestARingOnAToken(t *testing.T) {
	c := softHSM(t)
	if err := Check(c); err != nil {
		t.Error(err)
	}
	if _, err := Open(t.Context(), c, Options{}); err == nil {
		t.Error("a token without our keys is opened")
	}
	if err := pkcs11.Create(TokenConfig(c)); err != nil {
		t.Fatal(err)
	}
	k := open(t, c, Options{})
	generate(t, k, "kek")
	generate(t, k, "zek:sakura/a")
	first, _ := k.PRF("sakura/a", 1, time.Second)
	secret, err := first.PRF([]byte("once"))
	if err = errors.Join(err, k.Close()); err != nil {
		t.Fatal(err)
	}
	k = open(t, c, Options{})
	defer k.Close()
	again, ok := k.PRF("sakura/a", 1, time.Second)
	if same, err := again.PRF([]byte("once")); !ok || err != nil || same != secret {
		t.Errorf("another key after a restart: %v, %v", ok, err)
	}
}
