package rekey

import (
	"context"
	"strings"
	"testing"
	"time"

	"cardswitch/conformance/ground"
	"cardswitch/conformance/load"
	"cardswitch/conformance/load/sealed"
	"cardswitch/hsm/keyring"
)

const issuerLink = "issuer-0/l0"

// sell makes sales for a moment: every one must come out approved.
func sell(t *testing.T, address string, secret sealed.Secret) {
	t.Helper()
	report, err := load.Run(t.Context(), load.Config{Address: address, Connections: lanes,
		Outstanding: 4, Duration: 200 * time.Millisecond, Drain: 10 * time.Second,
		Destination: "99999000001", Link: "merchants/a", Secret: secret})
	if err != nil || !report.Clean() || report.Sent == 0 {
		t.Fatalf("sales: %+v, %v", report, err)
	}
}

// signedOn waits until an issuer's link is.
func signedOn(t *testing.T, node *ground.Node) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		for _, c := range node.Links().Centers {
			if c.Name == "issuer-0" && c.Lines[0].State == "signed-on" {
				return
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatal("the issuer isn't signed on")
}

func change(node *ground.Node, link string) error {
	slot, _ := keyring.LinkSlot(link)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	return node.ChangeKey(ctx, keyring.By{Who: "test", Role: "test", Why: "it can"}, slot)
}

// Whatever a partner does wrong with a key, sales go on under the old one, and the next change is
// clean. A key whose order or answer was lost is brought again and is the same key.
func TestPartnersThatDoWrongWithKeys(t *testing.T) {
	for name, c := range map[string]struct {
		faults     []sealed.KeyFault
		works      bool
		generation uint16 // in use after another change
	}{
		"deaf for once":             {[]sealed.KeyFault{sealed.IgnoreKey}, true, 3},
		"gone before it answered":   {[]sealed.KeyFault{sealed.LoseKey}, true, 3},
		"its answer is lost":        {[]sealed.KeyFault{sealed.MuteKey}, true, 3},
		"lost twice, then deaf":     {[]sealed.KeyFault{sealed.MuteKey, sealed.IgnoreKey}, true, 3},
		"refuses":                   {[]sealed.KeyFault{sealed.RefuseKey}, false, 3},
		"has another key":           {[]sealed.KeyFault{sealed.WrongKey}, false, 3},
		"deaf for ever, then hears": {[]sealed.KeyFault{1, 1, 1}, false, 2},
		"mute for ever, then heard": {[]sealed.KeyFault{3, 3, 3}, false, 2},
	} {
		t.Run(name, func(t *testing.T) {
			secret := sealed.Secret(name)
			node, banks, address, ring := stageWith(t, secret, 300*time.Millisecond)
			signedOn(t, node)
			left := c.faults
			banks.End().Fault = func(int) sealed.KeyFault {
				if len(left) == 0 {
					return sealed.TakeKey
				}
				f := left[0]
				left = left[1:]
				return f
			}
			err := change(node, issuerLink)
			if (err == nil) != c.works {
				t.Fatalf("the change: %v", err)
			}
			signedOn(t, node)
			sell(t, address, secret)
			if err := change(node, issuerLink); err != nil {
				t.Fatalf("the next change: %v", err)
			}
			sell(t, address, secret)
			slot, _ := keyring.LinkSlot(issuerLink)
			if r, err := ring.Set().Sender(slot, time.Now()); err != nil ||
				r.ID.Generation != c.generation {
				t.Errorf("generation %d is in use, %v", r.ID.Generation, err)
			}
			for _, r := range ring.Set().Generations(slot) {
				if r.State == keyring.Received || r.State == keyring.Confirmed {
					t.Errorf("%s is left %s", r.ID, r.State)
				}
			}
		})
	}
}

// A key that the last process made and nobody confirmed is brought again after the start.
func TestUnfinishedChangesGoOn(t *testing.T) {
	secret := sealed.Secret("unfinished")
	node, banks, address, ring := stageWith(t, secret, 300*time.Millisecond)
	signedOn(t, node)
	banks.End().Fault = func(int) sealed.KeyFault { return sealed.IgnoreKey }
	given := make(chan error, 1)
	go func() { given <- change(node, issuerLink) }()
	slot, _ := keyring.LinkSlot(issuerLink)
	for len(ring.Set().Generations(slot)) < 2 {
		time.Sleep(time.Millisecond)
	}
	node.Stop()
	if err := <-given; err == nil {
		t.Fatal("the change came to its end")
	}
	if r, _ := ring.Set().Get(keyring.ID{Slot: slot, Generation: 2}); r.State != keyring.Received {
		t.Skipf("the change had failed before the stop: %s", r.State)
	}
	banks.End().Fault = nil
	again := node.Again(t)
	signedOn(t, again)
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		r, _ := ring.Set().Get(keyring.ID{Slot: slot, Generation: 2})
		if r.State == keyring.Sending {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("it is %s", r.State)
		}
	}
	if err := change(again, issuerLink); err != nil {
		t.Error(err)
	}
	sell(t, address, secret)
}

// Keys that can't be changed are refused with a way out, and change nothing.
func TestChangesThatCannotBe(t *testing.T) {
	node, _, _, ring := stageWith(t, sealed.Secret("can't"), 300*time.Millisecond)
	signedOn(t, node)
	before := ring.Set().Len()
	for slot, want := range map[string]string{
		"kbpk:issuer-0":    "isn't exchanged",
		"zek:issuer-9/l0":  "no center is named",
		"zek:issuer-0/l9":  "no connection",
		"zpk:issuer-9:out": "no center is named",
	} {
		s, err := keyring.ParseSlot(slot)
		if err != nil {
			t.Fatal(err)
		}
		err = node.ChangeKey(t.Context(), keyring.By{Who: "test", Role: "test", Why: "test"}, s)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "hint") {
			t.Errorf("%s: %v", slot, err)
		}
	}
	if ring.Set().Len() != before {
		t.Error("keys were made")
	}
}
