//go:build pkcs11 && cgo

package pkcs11

import (
	"fmt"

	cryptoki "github.com/miekg/pkcs11"

	"cardswitch/hsm"
	"cardswitch/hsm/dukpt"
	"cardswitch/hsm/keyblock"
)

// kind is the algorithm and length of a key in the token's terms.
type kind struct {
	key      uint // CKK_
	generate uint // CKM_
	ecb, cbc uint // CKM_
	cmac     uint // CKM_
	derive   uint // CKM_
	size     int  // bytes
	block    int  // bytes of a block of the cipher
}

func kindOf(algorithm keyblock.Algorithm, size int) kind {
	if algorithm == keyblock.AES {
		return kind{cryptoki.CKK_AES, cryptoki.CKM_AES_KEY_GEN, cryptoki.CKM_AES_ECB,
			cryptoki.CKM_AES_CBC, cryptoki.CKM_AES_CMAC, cryptoki.CKM_AES_ECB_ENCRYPT_DATA, size, 16}
	}
	k := kind{cryptoki.CKK_DES3, cryptoki.CKM_DES3_KEY_GEN, cryptoki.CKM_DES3_ECB,
		cryptoki.CKM_DES3_CBC, cryptoki.CKM_DES3_CMAC, cryptoki.CKM_DES3_ECB_ENCRYPT_DATA, size, 8}
	if size == 16 {
		k.key, k.generate = cryptoki.CKK_DES2, cryptoki.CKM_DES2_KEY_GEN
	}
	return k
}

// kindOfSpec is the kind of the keys of a spec.
func kindOfSpec(s hsm.KeySpec) kind { return kindOf(s.Algorithm, s.Size) }

// kindOfType is the kind of a working key of DUKPT.
func kindOfType(t dukpt.KeyType) (kind, error) {
	switch t {
	case dukpt.TDEA2, dukpt.TDEA3:
		return kindOf(keyblock.TDES, t.Size()), nil
	case dukpt.AES128, dukpt.AES192, dukpt.AES256:
		return kindOf(keyblock.AES, t.Size()), nil
	}
	return kind{}, fmt.Errorf("a key of %v isn't for PINs or data", t)
}

// template is the attributes of an object of the session: what it is, that nobody reads it, and
// what it may do (CKA_ENCRYPT and so on) and nothing else. Where a key is made or derived its
// length must be said; where it is unwrapped or brought it must not.
func (k kind) template(length bool, may ...uint) []*cryptoki.Attribute {
	t := []*cryptoki.Attribute{
		cryptoki.NewAttribute(cryptoki.CKA_CLASS, cryptoki.CKO_SECRET_KEY),
		cryptoki.NewAttribute(cryptoki.CKA_KEY_TYPE, k.key),
		cryptoki.NewAttribute(cryptoki.CKA_TOKEN, false),
		cryptoki.NewAttribute(cryptoki.CKA_PRIVATE, true),
		cryptoki.NewAttribute(cryptoki.CKA_SENSITIVE, true),
		cryptoki.NewAttribute(cryptoki.CKA_EXTRACTABLE, false),
	}
	for _, use := range []uint{cryptoki.CKA_ENCRYPT, cryptoki.CKA_DECRYPT, cryptoki.CKA_SIGN,
		cryptoki.CKA_VERIFY, cryptoki.CKA_WRAP, cryptoki.CKA_UNWRAP, cryptoki.CKA_DERIVE} {
		allowed := false
		for _, m := range may {
			allowed = allowed || m == use
		}
		t = append(t, cryptoki.NewAttribute(use, allowed))
	}
	if length && k.key == cryptoki.CKK_AES {
		t = append(t, cryptoki.NewAttribute(cryptoki.CKA_VALUE_LEN, k.size))
	}
	return t
}

// with has some attributes of a template otherwise, or besides.
func with(template []*cryptoki.Attribute, others ...*cryptoki.Attribute) []*cryptoki.Attribute {
	for _, o := range others {
		found := false
		for i, a := range template {
			if a.Type == o.Type {
				template[i], found = o, true
			}
		}
		if !found {
			template = append(template, o)
		}
	}
	return template
}

// wrappable is a key that may leave under another, but isn't read.
func wrappable(template []*cryptoki.Attribute) []*cryptoki.Attribute {
	return with(template, cryptoki.NewAttribute(cryptoki.CKA_EXTRACTABLE, true))
}

// readable is a key that may be read.
func readable(template []*cryptoki.Attribute) []*cryptoki.Attribute {
	return with(template, cryptoki.NewAttribute(cryptoki.CKA_EXTRACTABLE, true),
		cryptoki.NewAttribute(cryptoki.CKA_SENSITIVE, false))
}

// needs is what the object of a loaded key must be allowed: what its uses come to.
func needs(s hsm.KeySpec) (may []uint) {
	add := func(use hsm.Use, attributes ...uint) {
		if s.Permit(use) == nil {
			may = append(may, attributes...)
		}
	}
	// The keys of a block are derived with the encryption of a block of zeros.
	add(hsm.ToImport, cryptoki.CKA_ENCRYPT, cryptoki.CKA_DERIVE)
	add(hsm.ToExport, cryptoki.CKA_ENCRYPT, cryptoki.CKA_DERIVE)
	add(hsm.ToOpenPIN, cryptoki.CKA_DECRYPT)
	add(hsm.ToSealPIN, cryptoki.CKA_ENCRYPT)
	add(hsm.ToDerive, cryptoki.CKA_DERIVE)
	// A code that is shorter than CMAC is verified by making it.
	add(hsm.ToMakeMAC, cryptoki.CKA_SIGN)
	add(hsm.ToVerifyMAC, cryptoki.CKA_SIGN)
	add(hsm.ToPRF, cryptoki.CKA_SIGN)
	add(hsm.ToWrap, cryptoki.CKA_WRAP)
	add(hsm.ToUnwrap, cryptoki.CKA_UNWRAP)
	return may
}

// create brings a clear key inside, so that it can be wrapped.
func (c call) create(k kind, raw []byte) (handle, error) {
	return c.lib.CreateObject(c.session, with(wrappable(k.template(false)),
		cryptoki.NewAttribute(cryptoki.CKA_VALUE, raw)))
}
