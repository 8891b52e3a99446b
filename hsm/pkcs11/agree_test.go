//go:build pkcs11 && cgo

package pkcs11

import (
	"bytes"
	"fmt"
	"testing"

	"cardswitch/hsm"
	"cardswitch/hsm/dukpt"
	"cardswitch/hsm/keyblock"
	"cardswitch/hsm/mac"
	"cardswitch/hsm/pinblock"
	"cardswitch/spec"
)

// formed brings a known key inside.
func formed(t testing.TB, m hsm.Module, s hsm.KeySpec, raw []byte) hsm.Key {
	t.Helper()
	s.Size = len(raw)
	one := bytes.Repeat([]byte{0x35}, len(raw))
	other := bytes.Clone(raw)
	for i := range other {
		other[i] ^= one[i]
	}
	w, err := m.Form(t.Context(), s, [][]byte{one, other})
	must(t, err)
	k, err := m.Load(t.Context(), w)
	must(t, err)
	return k
}

func rawOf(t testing.TB, k keyblock.Key) (raw []byte) {
	t.Helper()
	must(t, k.Use(func(b []byte) error { raw = bytes.Clone(b); return nil }))
	return raw
}

// Blocks go both ways between the token and package keyblock, for every version and KBPK.
func TestBlocksAgree(t *testing.T) {
	m := open(t, token(t))
	ctx := t.Context()
	for _, c := range []struct {
		version   keyblock.Version
		algorithm keyblock.Algorithm
		size      int
	}{{"B", "T", 16}, {"B", "T", 24}, {"D", "A", 16}, {"D", "A", 24}, {"D", "A", 32},
		{"E", "A", 16}, {"E", "A", 24}, {"E", "A", 32}} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			kbpk, err := keyblock.RandomKey(c.algorithm, c.size, nil)
			must(t, err)
			key, err := keyblock.RandomKey(keyblock.TDES, 16, nil)
			must(t, err)
			s := hsm.KeySpec{Usage: "P0", Algorithm: "T", Size: 16, Mode: "B", Export: "E"}
			h := s.Header(c.version, keyblock.ContextExchange)
			want := keyblock.Want{Versions: []keyblock.Version{h.Version}, Usages: []keyblock.Usage{"P0"},
				Algorithms: []keyblock.Algorithm{"T"}, Modes: []keyblock.Mode{"B"},
				Exports: []keyblock.Export{"E"}, Context: keyblock.ContextExchange}
			block, err := keyblock.Wrap(rawOf(t, kbpk), h, key, keyblock.Options{})
			must(t, err)
			under := formed(t, m, hsm.KeySpec{Usage: "K1", Algorithm: c.algorithm, Mode: "B",
				Export: "N"}, rawOf(t, kbpk))
			w, err := m.Import(ctx, under, block, want)
			must(t, err)
			back, err := m.Export(ctx, under, w, h)
			must(t, err)
			_, got, err := keyblock.Unwrap(rawOf(t, kbpk), back, want)
			if err != nil || !got.Equal(key) {
				t.Errorf("another key came back: %v", err)
			}
		})
	}
}

// terminals is some terminals and counters.
func terminals() [][]byte {
	var all [][]byte
	for _, counter := range []string{"\x00\x00\x00\x01", "\x00\x00\x00\x07", "\x00\x02\x00\x01",
		"\x00\x01\xFF\xFE", "\xFF\xFF\x00\x00"} {
		all = append(all, append([]byte("\x12\x34\x56\x78\x90\x12\x34\x56"), counter...))
	}
	return all
}

// Working keys that the token derives are those of package dukpt, whatever their type.
func TestTerminalsAgree(t *testing.T) {
	m := open(t, token(t))
	for _, size := range []int{16, 32} {
		raw := bytes.Repeat([]byte("base key"), 4)[:size]
		bdk, err := dukpt.NewAESBDK(raw, dukpt.AESOptions{})
		must(t, err)
		base := formed(t, m, hsm.KeySpec{Usage: "B0", Algorithm: "A", Mode: "X", Export: "N"}, raw)
		for _, ksn := range terminals() {
			for _, kt := range []dukpt.KeyType{dukpt.TDEA2, dukpt.TDEA3, dukpt.AES128, dukpt.AES192,
				dukpt.AES256} {
				number, err := dukpt.ParseAESKSN(ksn)
				must(t, err)
				for _, d := range []hsm.Direction{hsm.FromTerminal, hsm.ToTerminal, hsm.BothWays} {
					work, err := bdk.Key(number, d.Usage(), kt)
					if err != nil {
						continue // stronger than the base key
					}
					plain := bytes.Repeat([]byte("card data"), 16)[:48]
					data, err := work.EncryptData(nil, nil, plain)
					must(t, err)
					got, err := m.OpenP2PE(t.Context(), hsm.P2PE{Base: base, KSN: ksn, KeyType: kt,
						Direction: d, Data: data}, nil)
					if err != nil || !bytes.Equal(got, plain) {
						t.Errorf("%d bytes, %X, %v, direction %d: %v", size, ksn, kt, d, err)
					}
				}
			}
		}
	}
}

// Likewise their PIN keys, of which those of TDES have blocks of other formats.
func TestTerminalsPINsAgree(t *testing.T) {
	m := open(t, token(t))
	raw := bytes.Repeat([]byte("base key"), 4)
	bdk, err := dukpt.NewAESBDK(raw, dukpt.AESOptions{})
	must(t, err)
	base := formed(t, m, hsm.KeySpec{Usage: "B0", Algorithm: "A", Mode: "X", Export: "N"}, raw)
	zone := formed(t, m, hsm.KeySpec{Usage: "P0", Algorithm: "A", Mode: "E", Export: "N"}, raw[:16])
	clear, err := pinblock.NewAESKey(raw[:16])
	must(t, err)
	pan, err := spec.ParsePAN("6212345678901234567")
	must(t, err)
	pin, err := pinblock.ParsePIN([]byte("98765"))
	must(t, err)
	for _, ksn := range terminals() {
		number, err := dukpt.ParseAESKSN(ksn)
		must(t, err)
		for kt, f := range map[dukpt.KeyType]pinblock.Format{dukpt.TDEA2: pinblock.Format0,
			dukpt.TDEA3: pinblock.Format3, dukpt.AES128: pinblock.Format4, dukpt.AES256: pinblock.Format4} {
			work, err := bdk.Key(number, dukpt.PIN, kt)
			must(t, err)
			sealing, err := work.PINKey()
			must(t, err)
			block, err := sealing.Encrypt(nil, f, pin, pan)
			must(t, err)
			got, err := m.TranslatePIN(t.Context(), hsm.PINTranslation{From: base, KSN: ksn, KeyType: kt,
				FromFormat: f, To: zone, ToFormat: pinblock.Format4, PAN: pan, Block: block})
			must(t, err)
			if back, err := clear.Decrypt(pinblock.Format4, pinblock.Digits, pan, got); err != nil ||
				!back.Equal(pin) {
				t.Errorf("%X, %v: %v", ksn, kt, err)
			}
		}
	}
}

func BenchmarkModule(b *testing.B) {
	m := open(b, token(b))
	ctx := b.Context()
	_, cmac := made(b, m, kinds("N")[5])
	_, prf := made(b, m, kinds("N")[1])
	_, base := made(b, m, hsm.KeySpec{Usage: "B0", Algorithm: "A", Size: 16, Mode: "X", Export: "N"})
	zone := formed(b, m, hsm.KeySpec{Usage: "P0", Algorithm: "T", Mode: "B", Export: "N"},
		[]byte("two parts of key"))
	key, err := pinblock.NewTDESKey([]byte("two parts of key"))
	must(b, err)
	pan, err := spec.ParsePAN("4012345678909")
	must(b, err)
	pin, err := pinblock.ParsePIN([]byte("1234"))
	must(b, err)
	block, err := key.Encrypt(nil, pinblock.Format0, pin, pan)
	must(b, err)
	message := make([]byte, 512)
	bench := func(name string, f func() error) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				must(b, f())
			}
		})
	}
	bench("cmac", func() error {
		_, err := m.MAC(ctx, cmac, mac.Spec{Algorithm: mac.AESCMAC, Size: 8}, nil, message)
		return err
	})
	bench("prf", func() error { _, err := m.PRF(ctx, prf, message[:100]); return err })
	bench("pin", func() error {
		_, err := m.TranslatePIN(ctx, hsm.PINTranslation{From: zone, To: zone, PAN: pan, Block: block,
			FromFormat: pinblock.Format0, ToFormat: pinblock.Format0})
		return err
	})
	bench("p2pe", func() error { return open1(m, base, 7) })
}
