//go:build pkcs11 && cgo

package pkcs11

import (
	"encoding/binary"
	"errors"
	"runtime"
	"unsafe"

	cryptoki "github.com/miekg/pkcs11"
)

// handle is an object in the token.
type handle = cryptoki.ObjectHandle

// one is a mechanism in the form that the library wants.
func one(mechanism uint, parameter []byte) []*cryptoki.Mechanism {
	return []*cryptoki.Mechanism{cryptoki.NewMechanism(mechanism, parameter)}
}

func (c call) encrypt(h handle, mechanism uint, parameter, data []byte) ([]byte, error) {
	if err := c.lib.EncryptInit(c.session, one(mechanism, parameter), h); err != nil {
		return nil, err
	}
	return c.lib.Encrypt(c.session, data)
}

func (c call) decrypt(h handle, mechanism uint, parameter, data []byte) ([]byte, error) {
	if err := c.lib.DecryptInit(c.session, one(mechanism, parameter), h); err != nil {
		return nil, err
	}
	return c.lib.Decrypt(c.session, data)
}

// sign makes a whole CMAC.
func (c call) sign(h handle, mechanism uint, message []byte) ([]byte, error) {
	if err := c.lib.SignInit(c.session, one(mechanism, nil), h); err != nil {
		return nil, err
	}
	return c.lib.Sign(c.session, message)
}

func (c call) wrap(under, h handle) ([]byte, error) {
	return c.lib.WrapKey(c.session, one(cryptoki.CKM_AES_KEY_WRAP, nil), under, h)
}

func (c call) unwrap(under handle, wrapped []byte, template []*cryptoki.Attribute) (handle, error) {
	return c.lib.UnwrapKey(c.session, one(cryptoki.CKM_AES_KEY_WRAP, nil), under, wrapped, template)
}

// destroy forgets an object of the session. One that is gone already is as good.
func (c call) destroy(h handle) { _ = c.lib.DestroyObject(c.session, h) }

// value reads the bytes of an extractable key. The caller clears them.
func (c call) value(h handle) ([]byte, error) {
	got, err := c.lib.GetAttributeValue(c.session, h,
		[]*cryptoki.Attribute{cryptoki.NewAttribute(cryptoki.CKA_VALUE, nil)})
	if err != nil {
		return nil, err
	}
	if len(got) != 1 || len(got[0].Value) == 0 {
		return nil, errors.New("the token gave no key")
	}
	return got[0].Value, nil
}

// derive makes a key of the encryption of data in ECB mode. The parameter is a
// CK_KEY_DERIVATION_STRING_DATA, a pointer and a length, which the library has no type for. It
// copies the parameter but not what that points to, which so must not move meanwhile.
func (c call) derive(from handle, mechanism uint, data []byte, template []*cryptoki.Attribute) (
	handle, error) {
	if len(data) == 0 {
		return 0, errors.New("nothing to derive a key with")
	}
	var pinner runtime.Pinner
	defer pinner.Unpin()
	return c.lib.DeriveKey(c.session, one(mechanism, pointed(nil, &pinner, data)), from, template)
}

// pointed appends the address and the length of data, as C lays them out, and pins data.
func pointed(dst []byte, pinner *runtime.Pinner, data []byte) []byte {
	pinner.Pin(&data[0])
	dst = appendWord(dst, uint(uintptr(unsafe.Pointer(&data[0]))))
	return appendWord(dst, uint(len(data)))
}

// appendWord appends a CK_ULONG, which is as long as Go's uint on what this is built for.
func appendWord(dst []byte, word uint) []byte {
	if unsafe.Sizeof(word) == 4 {
		return binary.NativeEndian.AppendUint32(dst, uint32(word))
	}
	return binary.NativeEndian.AppendUint64(dst, uint64(word))
}
