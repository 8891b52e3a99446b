// Package sample builds believable messages for tests, benchmarks and demonstrations.
package sample

import (
	"encoding/hex"

	"cardswitch/spec"
)

// Card is the number in the samples: a test number of the right check digit, nobody's card.
const Card = "3528000000000007"

// Financial is a 1200 of 18 elements, 415 bytes in ascii-binary: a sale on a chip card in a shop.
func Financial() *spec.Edit {
	e := &spec.Edit{}
	e.SetMTI(0x1200)
	for n, text := range map[int]string{
		2: Card, 3: "000000", 4: "000000012980", 7: "1122031844", 11: "000123",
		12: "261122121844", 14: "2912", 22: "51010151334C", 24: "200", 26: "5411",
		32: "12345678901", 37: "632612000123", 41: "T0000001", 42: "M00000000000001",
		43: "SAKURA STORES AOYAMA\\1-2-3 MINAMI-AOYAMA\\TOKYO\\1070062   13 JPN",
		48: "000100210000200600012300040070000990000801312345001000010009005123450010003739",
		49: "392",
	} {
		e.Set(n, []byte(text))
	}
	icc, _ := hex.DecodeString(chip) // a constant
	e.Set(55, icc)
	return e
}

// chip is what a card and a terminal tell each other: element 55.
const chip = "5A0835280000000000075F3401019F2608A1B2C3D4E5F607189F2701809F100706010A03A0B0009F" +
	"37041A2B3C4D9F36020042950500000080009A032611229F02060000000129805F2A02039282021C" +
	"009F1A0203929F03060000000000009F3303E0F8C89F34030203009F3501229F090200C8"
