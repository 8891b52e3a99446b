package dukpt_test

import (
	"encoding/hex"
	"fmt"

	"cardswitch/hsm/dukpt"
	"cardswitch/hsm/pinblock"
	"cardswitch/spec"
)

// A PIN comes in under the key of a terminal's transaction and goes out under the key of an issuer.
// The keys, the KSN and the PIN block are the standards' examples.
func Example() {
	raw := func(digits string) []byte { b, _ := hex.DecodeString(digits); return b }

	// Once: the keys, and the window of each terminal as the store has it.
	bdk, err := dukpt.NewTDESBDK(raw("0123456789ABCDEFFEDCBA9876543210"))
	if err != nil {
		fmt.Println(err)
		return
	}
	issuer, err := pinblock.NewAESKey(raw("00112233445566778899AABBCCDDEEFF"))
	if err != nil {
		fmt.Println(err)
		return
	}
	window, err := dukpt.NewWindow(dukpt.DefaultWidth)
	if err != nil {
		fmt.Println(err)
		return
	}

	carry := func(ksn, block []byte, pan spec.PAN) ([]byte, error) {
		k, err := dukpt.ParseTDESKSN(ksn)
		if err != nil {
			return nil, err
		}
		if err := window.Check(k.Counter()); err != nil {
			return nil, err
		}
		key, err := bdk.Key(k, dukpt.PIN)
		if err != nil {
			return nil, err
		}
		defer key.Wipe()
		terminal, err := key.PINKey()
		if err != nil {
			return nil, err
		}
		t, err := pinblock.NewTranslator(
			pinblock.Side{Key: terminal, Format: pinblock.Format0},
			pinblock.Side{Key: issuer, Format: pinblock.Format4}, pinblock.Structure)
		if err != nil {
			return nil, err
		}
		out, err := t.Translate(nil, pan, block)
		if err != nil {
			return nil, err
		}
		window, err = window.Accept(k.Counter())
		return out, err
	}

	pan, _ := spec.ParsePAN("4012345678909")
	ksn, block := raw("FFFF9876543210E00001"), raw("1B9C1845EB993A7A")
	out, err := carry(ksn, block, pan)
	fmt.Println(len(out), err)
	out, err = carry(ksn, block, pan)
	fmt.Println(len(out), err)
	// Output:
	// 16 <nil>
	// 0 the counter of the KSN was used before
}
