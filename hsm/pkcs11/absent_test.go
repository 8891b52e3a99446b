//go:build !pkcs11 || !cgo

package pkcs11_test

import (
	"errors"
	"testing"

	"cardswitch/hsm"
	"cardswitch/hsm/pkcs11"
)

func TestTheBuildSaysThatItIsAbsent(t *testing.T) {
	m, err := pkcs11.Open(pkcs11.Config{})
	if m != nil || !errors.Is(err, hsm.ErrAbsent) {
		t.Errorf("open: %v, %v", m, err)
	}
	if err := pkcs11.Create(pkcs11.Config{}); !errors.Is(err, hsm.ErrAbsent) {
		t.Errorf("create: %v", err)
	}
	if err := pkcs11.Available(); !errors.Is(err, hsm.ErrAbsent) {
		t.Errorf("available: %v", err)
	}
	t.Log("the driver's own tests need cgo and -tags pkcs11")
}
