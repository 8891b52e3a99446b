//go:build !pkcs11 || !cgo

package pkcs11

import (
	"fmt"

	"cardswitch/hsm"
)

var errBuild = fmt.Errorf("%w: this program was built without PKCS#11 "+
	"(hint: CGO_ENABLED=1 go build -tags pkcs11)", hsm.ErrAbsent)

// Open says that the driver isn't in this build.
func Open(Config) (hsm.Module, error) { return nil, errBuild }

// Create says that the driver isn't in this build.
func Create(Config) error { return errBuild }

// Available says that the driver isn't in this build.
func Available() error { return errBuild }
