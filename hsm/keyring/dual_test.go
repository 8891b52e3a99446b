package keyring

import (
	"errors"
	"strings"
	"testing"

	"cardswitch/hsm/keyblock"
)

// Who may make a key and who may bring it into service, for every purpose.
func TestNobodyAloneServesAKeyThatOthersDependOn(t *testing.T) {
	alice, bob := By{Who: "alice", Role: "administrator"}, By{Who: "bob", Role: "approver"}
	for _, text := range []string{"kbpk:a", "bdk:a", "kek", "zek:a/b", "zpk:a:out", "zak:a:in"} {
		for _, production := range []bool{false, true} {
			slot, err := ParseSlot(text)
			if err != nil {
				t.Fatal(err)
			}
			r := openRing(t, func(o *Options) { o.Production = production })
			dual := production && slot.Purpose.Dual()
			made, err := r.Generate(t.Context(), alice, Plan{Slot: slot})
			if alone := production && slot.Purpose == KBPK; alone || err != nil {
				if !alone || !errors.Is(err, ErrCeremony) {
					t.Errorf("%s, production %v: generated: %v", text, production, err)
				}
				_, err = r.Import(t.Context(), alice, Plan{Slot: slot}, 1, "D")
				if !errors.Is(err, ErrCeremony) {
					t.Errorf("%s, production %v: imported: %v", text, production, err)
				}
				continue
			}
			var step *StepError
			for _, who := range []By{alice, {}} {
				for _, do := range []func() error{
					func() error { _, err := r.Serve(t.Context(), who, made.ID); return err },
					func() error { _, err := r.Step(t.Context(), who, made.ID, Confirm); return err },
				} {
					if err := do(); dual && !errors.As(err, &step) {
						t.Errorf("%s in production: %q serves it: %v", text, who.Who, err)
					}
				}
			}
			if !dual {
				continue
			}
			served, err := r.Serve(t.Context(), bob, made.ID)
			if err != nil || served.State != Sending {
				t.Errorf("%s in production by a second person: %s, %v", text, served.State, err)
			}
			// Whoever made it may end it.
			if _, err := r.Step(t.Context(), alice, made.ID, Retire); err != nil {
				t.Error(err)
			}
		}
	}
}

// A ceremony names its maker: the one who asked. Its approver serves the key by the ceremony's own
// rules.
func TestACeremonyServesWhatItForms(t *testing.T) {
	r := openRing(t, func(o *Options) { o.Production = true })
	for _, text := range []string{"kbpk:a", "bdk:a", "kek"} {
		slot, err := ParseSlot(text)
		if err != nil {
			t.Fatal(err)
		}
		f, spec, err := r.Forming(Plan{Slot: slot, Algorithm: keyblock.AES})
		if err != nil {
			t.Fatal(err)
		}
		parts := [][]byte{[]byte(strings.Repeat("1", spec.Size)), []byte(text +
			strings.Repeat("2", spec.Size-len(text)))}
		if _, err := f.Form(t.Context(), parts); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Activate(t.Context(), "dave", "carol", "1"); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		record, _ := r.Set().Get(ID{slot, 1})
		if record.State != Sending || record.Maker != "dave" {
			t.Errorf("%s is %s, made by %q", text, record.State, record.Maker)
		}
	}
}
