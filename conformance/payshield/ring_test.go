package payshield

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"cardswitch/hsm"
	"cardswitch/hsm/keyblock"
	"cardswitch/hsm/keyring"
	"cardswitch/hsm/pinblock"
	"cardswitch/spec"
	cardswitch "cardswitch/switch"
	"cardswitch/switch/keys"
)

// beside is a configuration with a unit, and the soft module beside it.
func beside(t *testing.T, units ...string) *cardswitch.Config {
	t.Helper()
	c := cardswitch.Defaults()
	c.Data.Dir = t.TempDir()
	c.Keys.Module, c.Keys.PayShield.Units = cardswitch.ModulePayShield, units
	c.Complete()
	return &c
}

func opened(t *testing.T, c *cardswitch.Config) *keys.Keys {
	t.Helper()
	k, err := keys.Open(t.Context(), c, keys.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := k.Close(); err != nil {
			t.Error(err)
		}
	})
	return k
}

func id(t *testing.T, text string) keyring.ID {
	t.Helper()
	id, err := keyring.ParseID(text)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// sends makes a key as a partner does, and its block under the KBPK.
func sends(t *testing.T, kbpk []byte, s hsm.KeySpec) (block string, raw []byte) {
	t.Helper()
	key, err := keyblock.RandomKey(s.Algorithm, s.Size, nil)
	if err != nil {
		t.Fatal(err)
	}
	block, err = keyblock.Wrap(kbpk, s.Header(keyblock.VersionD, keyblock.ContextExchange), key,
		keyblock.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := key.Use(func(b []byte) error { raw = bytes.Clone(b); return nil }); err != nil {
		t.Fatal(err)
	}
	return block, raw
}

// zonePIN is a PIN key as a ring has it.
func zonePIN() hsm.KeySpec {
	return hsm.KeySpec{Usage: keyblock.UsageP0, Algorithm: keyblock.TDES, Size: 16,
		Mode: keyblock.ModeB, Export: keyblock.ExportE}
}

// A whole installation: the KBPK by ceremony and at the console, PIN keys into the unit, a link key
// beside it, a PIN on its way, and all of it again after a restart.
func TestARingOnAUnit(t *testing.T) {
	u := unit(t, nil)
	c := beside(t, u.Address())
	k := opened(t, c)
	by := keyring.By{Who: "carol", Role: "approver", Why: "a test"}
	kbpk := formed(t, k, "kbpk:sakura@1")
	take := func(name string, s hsm.KeySpec) (raw []byte, err error) {
		block, raw := sends(t, kbpk, s)
		record, err := k.Import(t.Context(), by, keyring.Plan{Slot: id(t, name).Slot}, 1, block)
		if err == nil {
			_, err = k.Serve(t.Context(), by, record.ID)
		}
		return raw, err
	}
	if _, err := take("zpk:sakura:in@1", zonePIN()); !errors.Is(err, hsm.ErrKey) ||
		!strings.Contains(err.Error(), "adopt") {
		t.Errorf("a PIN key before the unit has the KBPK: %v", err)
	}
	block, _, err := u.Seal(Header{Usage: "K1", Algorithm: "A", Mode: "B", Version: "00",
		Export: "N"}, kbpk)
	if err == nil {
		_, err = k.Adopt(t.Context(), by, id(t, "kbpk:sakura@1"), block)
	}
	if err != nil {
		t.Fatal(err)
	}
	in, errIn := take("zpk:sakura:in@1", zonePIN())
	out, errOut := take("zpk:sakura:out@1", zonePIN())
	_, errLink := take("zek:sakura/a@1", hsm.KeySpec{Usage: keyblock.UsageB3,
		Algorithm: keyblock.AES, Size: 32, Mode: keyblock.ModeX, Export: keyblock.ExportE})
	if err := errors.Join(errIn, errOut, errLink); err != nil {
		t.Fatal(err)
	}
	if r, _ := k.Set().Get(id(t, "zpk:sakura:in@1")); !strings.HasPrefix(r.Wrapped.Block, "S") {
		t.Error("the PIN key isn't under the unit's LMK")
	}
	travels(t, k, in, out)
	if _, err := k.Export(t.Context(), by, id(t, "zpk:sakura:out@1")); err != nil {
		t.Error(err)
	}
	if err := k.Ring.Close(); err != nil {
		t.Fatal(err)
	}
	k = opened(t, c)
	travels(t, k, in, out)
	if _, ok := k.PRF("sakura/a", 1, time.Second); !ok {
		t.Error("the link key is lost")
	}
}

// formed holds the ceremony of a KBPK, and gives the key.
func formed(t *testing.T, k *keys.Keys, name string) []byte {
	t.Helper()
	parts := [][]byte{bytes.Repeat([]byte{0x13}, 32), bytes.Repeat([]byte{0x57, 0x9A}, 16)}
	forming, _, err := k.Forming(keyring.Plan{Slot: id(t, name).Slot})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := forming.Form(t.Context(), parts); err != nil {
		t.Fatal(err)
	}
	if _, err := forming.Activate(t.Context(), "dave", "carol", "1"); err != nil {
		t.Fatal(err)
	}
	for i := range parts[0] {
		parts[0][i] ^= parts[1][i]
	}
	return parts[0]
}

// travels lets a PIN go from a key of the partner to another through the ring.
func travels(t *testing.T, k *keys.Keys, from, to []byte) {
	t.Helper()
	in, err := k.Opener(id(t, "zpk:sakura:in@1").Slot, 1)
	if err != nil {
		t.Fatal(err)
	}
	out, _, err := k.Sender(id(t, "zpk:sakura:out@1").Slot)
	if err != nil {
		t.Fatal(err)
	}
	pan, errPAN := spec.ParsePAN("5400085010309393")
	pin, errPIN := pinblock.ParsePIN([]byte("1234"))
	sender, errFrom := pinblock.NewTDESKey(from)
	receiver, errTo := pinblock.NewTDESKey(to)
	if err := errors.Join(errPAN, errPIN, errFrom, errTo); err != nil {
		t.Fatal(err)
	}
	block, err := sender.Encrypt(nil, pinblock.Format0, pin, pan)
	if err == nil {
		block, err = k.Module().TranslatePIN(t.Context(), hsm.PINTranslation{From: in, To: out,
			PAN: pan, FromFormat: pinblock.Format0, ToFormat: pinblock.Format0, Block: block})
	}
	if err != nil {
		t.Fatal(err)
	}
	got, err := receiver.Decrypt(pinblock.Format0, pinblock.Digits, pan, block)
	if err != nil || !got.Equal(pin) {
		t.Errorf("the PIN is another: %v", err)
	}
}

// A start without a unit ends in time, and says which wasn't there and why.
func TestAStartWithoutAUnit(t *testing.T) {
	c := beside(t, "127.0.0.1:1")
	ctx, cancel := context.WithTimeout(t.Context(), time.Second) // that of a start is longer
	defer cancel()
	_, err := keys.Open(ctx, c, keys.Options{Logger: slog.New(slog.DiscardHandler)})
	if !errors.Is(err, hsm.ErrUnavailable) || !strings.Contains(err.Error(), "127.0.0.1:1: ") ||
		!strings.Contains(err.Error(), "hint") {
		t.Error(err)
	}
}
