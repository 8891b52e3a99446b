package vault

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

func benchYard(b *testing.B) *yard {
	b.Helper()
	return yardOn(b, vfs.NewMem())
}

// BenchmarkKnown is the way of a card that has a token: what each answer costs.
func BenchmarkKnown(b *testing.B) {
	y := benchYard(b)
	defer y.close(b)
	a := Ask{PAN: cardOf(1), Scope: "ginza", Format: opaque(b)}
	y.put(b, a)
	y.settle(b)
	b.ReportAllocs()
	for b.Loop() {
		o, err := y.Prepare(a)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := o.Put(nil); err != nil { // nothing is put
			b.Fatal(err)
		}
	}
}

// BenchmarkNew is the way of a card that is new, with its share of the commit.
func BenchmarkNew(b *testing.B) {
	y := benchYard(b)
	defer y.close(b)
	a := Ask{Scope: "ginza", Format: preserving(b, "99000000", "99999999", true)}
	cards := 0
	b.ReportAllocs()
	for b.Loop() {
		a.PAN = cardOf(cards)
		cards++
		y.put(b, a)
	}
	y.settle(b)
}

// BenchmarkRedeem opens a token.
func BenchmarkRedeem(b *testing.B) {
	y := benchYard(b)
	defer y.close(b)
	token := y.put(b, Ask{PAN: cardOf(1), Scope: "ginza", Format: opaque(b)})
	y.settle(b)
	b.ReportAllocs()
	for b.Loop() {
		y.redeem(b, token, "ginza")
	}
}
