//go:build !pkcs11 || !cgo

package keys

import (
	"errors"
	"strings"
	"testing"

	"cardswitch/hsm"
	cardswitch "cardswitch/switch"
)

// A build without PKCS#11 says so before and at the start.
func TestABuildWithoutTokens(t *testing.T) {
	c := configuration(t.TempDir())
	c.Keys.Module, c.Keys.Master = cardswitch.ModulePKCS11, ""
	_, err := Open(t.Context(), c, Options{})
	for what, err := range map[string]error{"check": Check(c), "open": err} {
		if !errors.Is(err, hsm.ErrAbsent) || !strings.Contains(err.Error(), "built without PKCS#11") ||
			!strings.Contains(err.Error(), "hint") {
			t.Errorf("%s: %v", what, err)
		}
	}
}
