package keyblock_test

import (
	"fmt"
	"time"

	"cardswitch/hsm/keyblock"
)

// A new MAC key goes to a partner, who takes it only as what was agreed.
func Example() {
	kbpk := []byte("agreed before, by components, 32") // an AES-256 key
	defer clear(kbpk)

	key, err := keyblock.RandomKey(keyblock.TDES, 16, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer key.Wipe()
	block, err := keyblock.Wrap(kbpk, keyblock.Header{
		Version: keyblock.VersionD, Usage: keyblock.UsageM3, Algorithm: keyblock.TDES,
		Mode: keyblock.ModeC, Export: keyblock.ExportN,
		Optional: []keyblock.Optional{keyblock.Time(keyblock.TS, time.Unix(1793500000, 0))},
	}, key, keyblock.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}

	want := keyblock.Want{
		Versions:   []keyblock.Version{keyblock.VersionD},
		Usages:     []keyblock.Usage{keyblock.UsageM3},
		Algorithms: []keyblock.Algorithm{keyblock.TDES},
		Modes:      []keyblock.Mode{keyblock.ModeC},
		Exports:    []keyblock.Export{keyblock.ExportN},
	}
	header, taken, err := keyblock.Unwrap(kbpk, block, want)
	fmt.Println(header)
	fmt.Println(taken, err, taken.Equal(key))

	want.Modes = []keyblock.Mode{keyblock.ModeG}
	_, _, err = keyblock.Unwrap(kbpk, block, want)
	fmt.Println(err)
	// Output:
	// MAC key: ISO 9797-1 algorithm 3 (retail MAC) of TDES, mode C, export N, key block version D
	// (TDES key of 16 bytes) <nil> true
	// the key isn't wanted here: its mode of use is C, not G
}
