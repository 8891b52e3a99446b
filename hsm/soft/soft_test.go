package soft_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"cardswitch/hsm"
	"cardswitch/hsm/dukpt"
	"cardswitch/hsm/keyblock"
	"cardswitch/hsm/mac"
	"cardswitch/hsm/moduletest"
	"cardswitch/hsm/pinblock"
	"cardswitch/hsm/soft"
	"cardswitch/spec"
)

func master(t testing.TB) keyblock.Key {
	t.Helper()
	k, err := keyblock.RandomKey(keyblock.AES, 32, nil)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func open(t testing.TB, profile hsm.Profile) *soft.Module {
	t.Helper()
	m, err := soft.New(master(t), profile)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

func loaded(t testing.TB, m hsm.Module, s hsm.KeySpec) hsm.Key {
	t.Helper()
	w, err := m.Generate(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	k, err := m.Load(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func known(t testing.TB, m hsm.Module, s hsm.KeySpec, key string) hsm.Key {
	t.Helper()
	raw, err := hex.DecodeString(key)
	if err != nil {
		t.Fatal(err)
	}
	first := make([]byte, len(raw))
	if err := m.Random(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	for i := range raw {
		raw[i] ^= first[i]
	}
	s.Size = len(raw)
	w, err := m.Form(t.Context(), s, [][]byte{first, raw})
	if err != nil {
		t.Fatal(err)
	}
	k, err := m.Load(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestMasterKeyIsAES256(t *testing.T) {
	for _, size := range []int{16, 24} {
		for _, algorithm := range []keyblock.Algorithm{keyblock.AES, keyblock.TDES} {
			k, err := keyblock.RandomKey(algorithm, size, nil)
			if err != nil {
				t.Fatal(err)
			}
			if m, err := soft.New(k, hsm.Test); err == nil || m != nil {
				t.Errorf("a master key of %v was taken", k)
			}
		}
	}
	if _, err := soft.New(keyblock.Key{}, hsm.Test); err == nil {
		t.Error("no master key was taken")
	}
}

// The module has a copy: what the caller does with its own is of no effect.
func TestMasterKeyIsCopied(t *testing.T) {
	k := master(t)
	m, err := soft.New(k, hsm.Test)
	if err != nil {
		t.Fatal(err)
	}
	k.Wipe()
	loaded(t, m, hsm.KeySpec{Usage: "B3", Algorithm: "A", Size: 32, Mode: "X", Export: "N"})
}

// Blocks under one master key are those of every module that has it: after a restart, at the other
// site.
func TestAnotherModuleWithTheMasterKeyLoadsItsBlocks(t *testing.T) {
	k := master(t)
	first, err1 := soft.New(k, hsm.Test)
	second, err2 := soft.New(k, hsm.Production)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	s := hsm.KeySpec{Usage: "M6", Algorithm: "A", Size: 16, Mode: "C", Export: "N"}
	w, err := first.Generate(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	a, err1 := first.Load(t.Context(), w)
	b, err2 := second.Load(t.Context(), w)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	how := mac.Spec{Algorithm: mac.AESCMAC, Size: 8}
	code, err := first.MAC(t.Context(), a, how, nil, []byte("one message"))
	if err != nil {
		t.Fatal(err)
	}
	err = second.VerifyMAC(t.Context(), b, how, code, []byte("one "), []byte("message"))
	if err != nil {
		t.Error(err)
	}
	h, err := keyblock.Parse(w.Block)
	if err != nil || h.Version != keyblock.VersionD || h.Context != keyblock.ContextStorage {
		t.Errorf("the block has the header %v, context %v: %v", h, h.Context, err)
	}
}

// A block for a partner, under a key that happens to be the master key, isn't one of the store.
func TestBlocksOfPartnersArentLoaded(t *testing.T) {
	k := master(t)
	m, err := soft.New(k, hsm.Test)
	if err != nil {
		t.Fatal(err)
	}
	s := hsm.KeySpec{Usage: "M6", Algorithm: "A", Size: 16, Mode: "C", Export: "E"}
	inner, err := keyblock.RandomKey(keyblock.AES, 16, nil)
	if err != nil {
		t.Fatal(err)
	}
	check, err := inner.CheckValue(s.CheckMethod())
	if err != nil {
		t.Fatal(err)
	}
	for context, want := range map[keyblock.Context]bool{"0": false, "1": true, "2": false} {
		_ = k.Use(func(raw []byte) error {
			block, err := keyblock.Wrap(raw, s.Header(keyblock.VersionD, context), inner,
				keyblock.Options{})
			if err != nil {
				t.Fatal(err)
			}
			_, err = m.Load(t.Context(), hsm.Wrapped{Spec: s, Block: block, Check: check})
			if want != (err == nil) || err != nil && !errors.Is(err, hsm.ErrKey) {
				t.Errorf("context %s: %v", context, err)
			}
			return nil
		})
	}
}

func TestProductionForbidsPINsAndCards(t *testing.T) {
	m := open(t, hsm.Production)
	zone := loaded(t, m, hsm.KeySpec{Usage: "P0", Algorithm: "T", Size: 16, Mode: "B", Export: "N"})
	base := loaded(t, m, hsm.KeySpec{Usage: "B0", Algorithm: "T", Size: 16, Mode: "X", Export: "N"})
	pan, err := spec.ParsePAN("4012345678909")
	if err != nil {
		t.Fatal(err)
	}
	for _, from := range []hsm.Key{zone, base} {
		_, err := m.TranslatePIN(t.Context(), hsm.PINTranslation{From: from, To: zone, PAN: pan,
			KSN: make([]byte, 10), FromFormat: pinblock.Format0, ToFormat: pinblock.Format0,
			Block: make([]byte, 8)})
		if !errors.Is(err, hsm.ErrForbidden) {
			t.Errorf("a PIN: %v", err)
		}
	}
	if _, err := m.OpenP2PE(t.Context(), hsm.P2PE{Base: base, KSN: make([]byte, 10),
		KeyType: dukpt.TDEA2, Data: make([]byte, 8)}, nil); !errors.Is(err, hsm.ErrForbidden) {
		t.Errorf("card data: %v", err)
	}
}

// RFC 3394 section 4.6.
func TestDataKeysAreWrappedAsTheRFCSays(t *testing.T) {
	m := open(t, hsm.Test)
	kek := known(t, m, hsm.KeySpec{Usage: "K0", Algorithm: "A", Mode: "B", Export: "N"},
		"000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F")
	data, _ := hex.DecodeString("00112233445566778899AABBCCDDEEFF000102030405060708090A0B0C0D0E0F")
	want := "28C9F404C4B810F4CBCCB35CFB87F8263F5786E2D80ED326CBC7F0E71A99F43BFB988B9B7A02DD21"
	wrapped, err := m.WrapData(t.Context(), kek, data)
	if got := fmt.Sprintf("%X", wrapped); err != nil || got != want {
		t.Errorf("wrapped as %s: %v", got, err)
	}
	back, err := m.UnwrapData(t.Context(), kek, wrapped)
	if err != nil || !bytes.Equal(back, data) {
		t.Errorf("another key came back: %v", err)
	}
	for bit := range 8 * len(wrapped) {
		wrapped[bit/8] ^= 1 << (bit % 8)
		if _, err := m.UnwrapData(t.Context(), kek, wrapped); !errors.Is(err, hsm.ErrKey) {
			t.Errorf("bit %d was flipped: %v", bit, err)
		}
		wrapped[bit/8] ^= 1 << (bit % 8)
	}
}

func TestFormedTDESKeysHaveOddParity(t *testing.T) {
	m := open(t, hsm.Test)
	kbpk := "89E88CF7931444F334BD7547FC3F380C"
	under := known(t, m, hsm.KeySpec{Usage: "K1", Algorithm: "T", Mode: "B", Export: "N"}, kbpk)
	w, err := m.Form(t.Context(), hsm.KeySpec{Usage: "P0", Algorithm: "T", Size: 16, Mode: "B",
		Export: "E"}, [][]byte{bytes.Repeat([]byte{0x75}, 16), append(make([]byte, 15), 0x13)})
	if err != nil {
		t.Fatal(err)
	}
	block, err := m.Export(t.Context(), under, w, keyblock.Header{Version: "B", Usage: "P0",
		Algorithm: "T", Mode: "B", Export: "N"})
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := hex.DecodeString(kbpk)
	_, k, err := keyblock.Unwrap(raw, block, keyblock.Want{Versions: []keyblock.Version{"B"},
		Usages: []keyblock.Usage{"P0"}, Algorithms: []keyblock.Algorithm{"T"},
		Modes: []keyblock.Mode{"B"}, Exports: []keyblock.Export{"N"}})
	if err != nil {
		t.Fatal(err)
	}
	want := append(bytes.Repeat([]byte{0x75}, 15), 0x67) // 75 has 5 bits set, and 66 has 4
	_ = k.Use(func(raw []byte) error {
		if !bytes.Equal(raw, want) {
			t.Errorf("the key is %X", raw)
		}
		return nil
	})
}

// Codes and secrets are made for every message: nothing may be allocated for them.
func TestCodesDontAllocate(t *testing.T) {
	if testing.CoverMode() != "" || raceEnabled {
		t.Skip("the pools drop what they hold at will under the race detector")
	}
	m := open(t, hsm.Test)
	ctx := t.Context()
	key := loaded(t, m, hsm.KeySpec{Usage: "M6", Algorithm: "A", Size: 16, Mode: "C", Export: "N"})
	secret := loaded(t, m, hsm.KeySpec{Usage: "B3", Algorithm: "A", Size: 32, Mode: "X", Export: "N"})
	how := mac.Spec{Algorithm: mac.AESCMAC, Size: 8}
	parts := [][]byte{make([]byte, 100), make([]byte, 412)}
	code, err := m.MAC(ctx, key, how, nil, parts...)
	if err != nil {
		t.Fatal(err)
	}
	for what, f := range map[string]func() error{
		"MAC":    func() (err error) { code, err = m.MAC(ctx, key, how, code[:0], parts...); return err },
		"verify": func() error { return m.VerifyMAC(ctx, key, how, code, parts...) },
		"PRF":    func() error { _, err := m.PRF(ctx, secret, parts[0]); return err },
	} {
		if n := testing.AllocsPerRun(200, func() {
			if err := f(); err != nil {
				t.Fatal(err)
			}
		}); n >= 1 {
			t.Errorf("%s allocates %v times", what, n)
		}
	}
}

// Under the race detector: keys are unloaded, and the module closed, in the midst of use. Each use
// ends with a right code or with an ErrKey.
func TestUnloadInTheMidst(t *testing.T) {
	m := open(t, hsm.Test)
	ctx := t.Context()
	how := mac.Spec{Algorithm: mac.AESCMAC, Size: 16}
	w, err1 := m.Generate(ctx, hsm.KeySpec{Usage: "M6", Algorithm: "A", Size: 32, Mode: "C",
		Export: "N"})
	base, err2 := m.Generate(ctx, hsm.KeySpec{Usage: "B0", Algorithm: "A", Size: 16, Mode: "X",
		Export: "N"})
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	var want []byte
	for range 30 {
		k, err1 := m.Load(ctx, w)
		b, err2 := m.Load(ctx, base)
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		if want == nil {
			var err error
			if want, err = m.MAC(ctx, k, how, nil, []byte("message")); err != nil {
				t.Fatal(err)
			}
		}
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				for {
					got, err := m.MAC(ctx, k, how, nil, []byte("message"))
					if errors.Is(err, hsm.ErrKey) {
						return
					}
					if err != nil || !bytes.Equal(got, want) {
						t.Errorf("the code %X: %v", got, err)
						return
					}
				}
			})
			all.Go(func() {
				for {
					_, err := m.OpenP2PE(ctx, hsm.P2PE{Base: b, KSN: append(make([]byte, 11), 1),
						KeyType: dukpt.AES128, Data: make([]byte, 16)}, nil)
					if errors.Is(err, hsm.ErrKey) {
						return
					}
					if err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		k.Unload()
		b.Unload()
		all.Wait()
	}
}

func TestClosedModuleDoesNothing(t *testing.T) {
	m := open(t, hsm.Test)
	s := hsm.KeySpec{Usage: "B3", Algorithm: "A", Size: 32, Mode: "X", Export: "N"}
	w, err := m.Generate(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	k, err := m.Load(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := m.PRF(t.Context(), k, nil); !errors.Is(err, hsm.ErrKey) {
		t.Errorf("a key of a closed module: %v", err)
	}
	if _, err := m.Generate(t.Context(), s); !errors.Is(err, hsm.ErrUnavailable) {
		t.Errorf("generate: %v", err)
	}
	if _, err := m.Load(t.Context(), w); !errors.Is(err, hsm.ErrUnavailable) {
		t.Errorf("load: %v", err)
	}
	k.Unload()
	if err := m.Close(); err != nil {
		t.Error(err)
	}
}

// What is kept with a block must be what it says, the length too.
func TestLoadHoldsTheLength(t *testing.T) {
	m := open(t, hsm.Test)
	w, err := m.Generate(t.Context(), hsm.KeySpec{Usage: "M6", Algorithm: "A", Size: 16, Mode: "C",
		Export: "N"})
	if err != nil {
		t.Fatal(err)
	}
	w.Spec.Size = 32
	if _, err := m.Load(t.Context(), w); !errors.Is(err, hsm.ErrKey) {
		t.Errorf("a key of 16 bytes as one of 32: %v", err)
	}
}

// However a module or a key is printed, nothing of the key shows.
func TestNothingPrintsAKey(t *testing.T) {
	raw := bytes.Repeat([]byte{0xAB, 0xCD, 0xEF, 0x12}, 8)
	own, err := keyblock.NewKey(keyblock.AES, raw)
	if err != nil {
		t.Fatal(err)
	}
	m, err := soft.New(own, hsm.Test)
	if err != nil {
		t.Fatal(err)
	}
	k := known(t, m, hsm.KeySpec{Usage: "M6", Algorithm: "A", Mode: "C", Export: "N"},
		hex.EncodeToString(raw))
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "module", m, "key", k)
	for _, verb := range []string{"%v", "%+v", "%#v", "%x", "%X", "%s", "%q", "%d"} {
		fmt.Fprintf(&log, verb+verb+verb, k, m, struct{ k hsm.Key }{k})
	}
	for _, shown := range []string{"abcdef12", "171 205 239", "0xab, 0xcd"} {
		if strings.Contains(strings.ToLower(log.String()), shown) {
			t.Errorf("%q shows in %s", shown, log.String())
		}
	}
	if !strings.Contains(fmt.Sprint(k), "MAC key") {
		t.Errorf("a key prints as %v", k)
	}
}

func BenchmarkModule(b *testing.B) {
	m := open(b, hsm.Test)
	ctx := b.Context()
	message := [][]byte{make([]byte, 512)}
	code := make([]byte, 0, 16)
	bench := func(name string, f func() error) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := f(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	cmac := loaded(b, m, hsm.KeySpec{Usage: "M6", Algorithm: "A", Size: 16, Mode: "C", Export: "N"})
	retail := loaded(b, m, hsm.KeySpec{Usage: "M3", Algorithm: "T", Size: 16, Mode: "C", Export: "N"})
	prf := loaded(b, m, hsm.KeySpec{Usage: "B3", Algorithm: "A", Size: 32, Mode: "X", Export: "N"})
	zone := known(b, m, hsm.KeySpec{Usage: "P0", Algorithm: "T", Mode: "B", Export: "N"},
		"0123456789ABCDEFFEDCBA9876543210")
	base := loaded(b, m, hsm.KeySpec{Usage: "B0", Algorithm: "A", Size: 16, Mode: "X", Export: "N"})
	raw, _ := hex.DecodeString("0123456789ABCDEFFEDCBA9876543210")
	zoneKey, _ := pinblock.NewTDESKey(raw)
	pan, _ := spec.ParsePAN("4012345678909")
	pin, _ := pinblock.ParsePIN([]byte("1234"))
	block, err := zoneKey.Encrypt(nil, pinblock.Format0, pin, pan)
	if err != nil {
		b.Fatal(err)
	}
	bench("cmac", func() (err error) {
		_, err = m.MAC(ctx, cmac, mac.Spec{Algorithm: mac.AESCMAC, Size: 8}, code, message...)
		return err
	})
	bench("retail", func() (err error) {
		_, err = m.MAC(ctx, retail, mac.Spec{Algorithm: mac.Retail, Padding: mac.Padding2, Size: 8},
			code, message...)
		return err
	})
	bench("prf", func() (err error) { _, err = m.PRF(ctx, prf, message[0][:100]); return err })
	bench("pin", func() (err error) {
		_, err = m.TranslatePIN(ctx, hsm.PINTranslation{From: zone, To: zone, PAN: pan, Block: block,
			FromFormat: pinblock.Format0, ToFormat: pinblock.Format0})
		return err
	})
	bench("p2pe", func() (err error) {
		_, err = m.OpenP2PE(ctx, hsm.P2PE{Base: base, KSN: append(make([]byte, 11), 7),
			KeyType: dukpt.AES128, Data: message[0][:48]}, nil)
		return err
	})
}

func TestModule(t *testing.T) {
	moduletest.Run(t, func(t *testing.T, profile hsm.Profile) hsm.Module {
		m, err := soft.New(master(t), profile)
		if err != nil {
			t.Fatal(err)
		}
		return m
	})
}
