package moduletest

import (
	"errors"
	"fmt"
	"iter"
	"testing"

	"cardswitch/hsm"
	"cardswitch/hsm/dukpt"
	"cardswitch/hsm/keyblock"
	"cardswitch/hsm/mac"
	"cardswitch/hsm/pinblock"
)

// calls calls each method of an operation with a key, whatever it is for, and gives the errors. The
// rest of what is asked is right where it can be.
func (b bench) calls(o hsm.Operation, k hsm.Key) iter.Seq2[string, error] {
	ctx := b.t.Context()
	one := func(f func() error) iter.Seq2[string, error] {
		return func(yield func(string, error) bool) { yield(o.String(), f()) }
	}
	switch o {
	case hsm.Generate:
		return one(func() error { _, err := b.Generate(ctx, kinds()[0]); return err })
	case hsm.Form:
		return one(func() error {
			_, err := b.Form(ctx, kinds()[0], [][]byte{make([]byte, 16), make([]byte, 16)})
			return err
		})
	case hsm.TranslateZonePIN, hsm.TranslateTerminalPIN:
		return one(func() error { return b.toTranslate(k, k, o == hsm.TranslateTerminalPIN) })
	}
	return func(yield func(string, error) bool) {
		for _, u := range hsm.Uses() {
			if operation(u) == o && !yield(u.String(), b.use(u, k)) {
				return
			}
		}
	}
}

// operation is the one that a use belongs to.
func operation(u hsm.Use) hsm.Operation {
	switch u {
	case hsm.ToImport:
		return hsm.Import
	case hsm.ToExport:
		return hsm.Export
	case hsm.ToOpenPIN, hsm.ToSealPIN:
		return hsm.TranslateZonePIN
	case hsm.ToDerive:
		return hsm.OpenCard
	case hsm.ToMakeMAC, hsm.ToVerifyMAC:
		return hsm.MakeMAC
	case hsm.ToPRF:
		return hsm.DeriveSecret
	}
	return hsm.WrapDataKey
}

// use uses a key so, and gives the error. With the right key it may well be of another kind than
// ErrKey: what is to be decrypted is made up.
func (b bench) use(u hsm.Use, k hsm.Key) error {
	ctx := b.t.Context()
	var err error
	switch u {
	case hsm.ToImport:
		h := keyblock.Header{Version: "D", Usage: "P0", Algorithm: "A", Mode: "B", Export: "E"}
		block := wrapped(b.t, make([]byte, 32), h, 16)
		if k != nil && k.Spec().Algorithm == keyblock.TDES {
			h.Version, h.Algorithm = "B", "T"
			block = wrapped(b.t, unhex(b.t, zoneTDES), h, 16)
		}
		_, err = b.Import(ctx, k, block, as(h))
	case hsm.ToExport:
		err = b.toExport(k)
	case hsm.ToOpenPIN, hsm.ToSealPIN:
		err = b.toTranslatePart(u, k)
	case hsm.ToDerive:
		_, err = b.OpenP2PE(ctx, p2pe(k), nil)
	case hsm.ToMakeMAC:
		_, err = b.MAC(ctx, k, wayOf(k), nil, []byte("message"))
	case hsm.ToVerifyMAC:
		err = b.VerifyMAC(ctx, k, wayOf(k), make([]byte, wayOf(k).Size), []byte("message"))
	case hsm.ToPRF:
		_, err = b.PRF(ctx, k, []byte("message"))
	case hsm.ToWrap:
		_, err = b.WrapData(ctx, k, make([]byte, 32))
	case hsm.ToUnwrap:
		err = b.toUnwrap(k)
	}
	return err
}

// toUnwrap unwraps what the key has wrapped, or what no key has if it can't.
func (b bench) toUnwrap(k hsm.Key) error {
	data := make([]byte, 40)
	if k != nil && k.Spec().Permit(hsm.ToWrap) == nil {
		var err error
		if data, err = b.WrapData(b.t.Context(), k, data[:32]); err != nil {
			return err
		}
	}
	_, err := b.UnwrapData(b.t.Context(), k, data)
	return err
}

func (b bench) toExport(k hsm.Key) error {
	if b.Caps()[hsm.Generate] == hsm.Absent {
		return hsm.ErrAbsent
	}
	s := key(keyblock.UsageP0, keyblock.AES, 16, keyblock.ModeB)
	version := keyblock.VersionD
	if k != nil && k.Spec().Algorithm == keyblock.TDES {
		s.Algorithm, version = keyblock.TDES, keyblock.VersionB
	}
	w, err := b.Generate(b.t.Context(), s)
	if err != nil {
		return err
	}
	_, err = b.Export(b.t.Context(), k, w, s.Header(version, keyblock.ContextExchange))
	return err
}

// toTranslatePart has the key on one side, and a right one on the other.
func (b bench) toTranslatePart(u hsm.Use, k hsm.Key) error {
	if b.Caps()[hsm.TranslateZonePIN] == hsm.Absent {
		return hsm.ErrAbsent
	}
	s := key(keyblock.UsageP0, keyblock.TDES, 16, keyblock.ModeB)
	if k != nil && k.Spec().Algorithm == keyblock.AES {
		s.Algorithm = keyblock.AES
	}
	_, right := b.generated(s)
	defer right.Unload()
	if u == hsm.ToOpenPIN {
		return b.toTranslate(k, right, false)
	}
	return b.toTranslate(right, k, false)
}

func (b bench) toTranslate(from, to hsm.Key, terminal bool) error {
	p := hsm.PINTranslation{From: from, To: to, FromFormat: pinblock.Format0,
		ToFormat: pinblock.Format0, PAN: pan(b.t, "4012345678909"), Block: make([]byte, 8)}
	if from != nil && from.Spec().Algorithm == keyblock.AES {
		p.FromFormat, p.Block = pinblock.Format4, make([]byte, 16)
	}
	if to != nil && to.Spec().Algorithm == keyblock.AES {
		p.ToFormat = pinblock.Format4
	}
	if terminal || from != nil && from.Spec().Usage == keyblock.UsageB0 {
		p.KSN, p.KeyType = p2pe(from).KSN, p2pe(from).KeyType
	}
	_, err := b.TranslatePIN(b.t.Context(), p)
	return err
}

// p2pe is card data for a base key.
func p2pe(k hsm.Key) hsm.P2PE {
	p := hsm.P2PE{Base: k, KSN: append(make([]byte, 11), 1), KeyType: dukpt.AES128,
		Data: make([]byte, 16)}
	if k != nil && k.Spec().Algorithm == keyblock.TDES {
		p.KSN, p.KeyType = append(make([]byte, 9), 1), dukpt.TDEA2
	}
	return p
}

// wayOf is how codes are made with a key, or what is nearest for one that isn't for codes.
func wayOf(k hsm.Key) mac.Spec {
	if k == nil {
		return mac.Spec{Algorithm: mac.AESCMAC, Size: 16}
	}
	s := k.Spec()
	for kind, how := range ways() {
		if kind.Usage == s.Usage && kind.Algorithm == s.Algorithm {
			return how
		}
	}
	if s.Algorithm == keyblock.TDES {
		return mac.Spec{Algorithm: mac.TDESCMAC, Size: 8}
	}
	return mac.Spec{Algorithm: mac.AESCMAC, Size: 16}
}

// permitted tells whether a use must be refused. A terminal's base key also opens PINs, by another
// operation.
func permitted(s hsm.KeySpec, u hsm.Use) bool {
	return s.Permit(u) == nil || u == hsm.ToOpenPIN && s.Permit(hsm.ToDerive) == nil
}

// held looks at the error of a use that is or isn't permitted.
func (b bench) held(s hsm.KeySpec, u hsm.Use, err error) {
	b.t.Helper()
	switch {
	case errors.Is(err, hsm.ErrAbsent):
	case !permitted(s, u) && !errors.Is(err, hsm.ErrKey):
		b.t.Errorf("a %v was used for %v: %v", s, u, err)
	case u == hsm.ToUnwrap && s.Permit(hsm.ToWrap) != nil:
		// What no key has wrapped is an ErrKey as well.
	case permitted(s, u) && errors.Is(err, hsm.ErrKey):
		b.t.Errorf("a %v can't be used for %v: %v", s, u, err)
	}
}

// Every use with a key of every kind.
func testPurpose(t *testing.T, open Open) {
	b := start(t, open)
	for _, s := range kinds() {
		t.Run(fmt.Sprint(s), func(t *testing.T) {
			b := b.on(t)
			_, k := b.generated(s)
			for _, u := range hsm.Uses() {
				b.held(s, u, b.use(u, k))
			}
			b.otherAlgorithms(k)
		})
	}
}

// otherAlgorithms makes codes with a key in all ways but its own.
func (b bench) otherAlgorithms(k hsm.Key) {
	b.t.Helper()
	for _, how := range ways() {
		if k.Spec().PermitMAC(hsm.ToMakeMAC, how) == nil {
			continue
		}
		_, err := b.MAC(b.t.Context(), k, how, nil, []byte("message"))
		b.want(fmt.Sprint(how.Algorithm, " with ", k), err, hsm.ErrKey)
		err = b.VerifyMAC(b.t.Context(), k, how, make([]byte, how.Size), []byte("message"))
		b.want(fmt.Sprint(how.Algorithm, " with ", k), err, hsm.ErrKey)
	}
}

// Every use with a key of every mode that narrows it.
func testModes(t *testing.T, open Open) {
	b := start(t, open)
	for _, s := range kinds() {
		for _, mode := range each[keyblock.Mode]("BCDEGNVX") {
			narrow := s
			narrow.Mode = mode
			if s.Mode == mode || narrow.Validate() != nil {
				continue
			}
			t.Run(fmt.Sprint(narrow), func(t *testing.T) {
				b := b.on(t)
				_, k := b.generated(narrow)
				for _, u := range hsm.Uses() {
					if permitted(s, u) {
						b.held(narrow, u, b.use(u, k))
					}
				}
			})
		}
	}
}
