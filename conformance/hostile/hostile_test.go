package hostile

import (
	"maps"
	"slices"
	"testing"
)

// TestHostilePeers plays one after the other, on one switch that has to bear them all.
func TestHostilePeers(t *testing.T) {
	y := newYard(t)
	merchants, issuers, strange := merchantCases(y), issuerCases(y), strangers(y)
	for _, name := range slices.Sorted(maps.Keys(merchants)) {
		t.Run("merchant/"+name, func(t *testing.T) {
			y.play(t, func(t *testing.T) {
				y.configure(t, merchant("bad", badID))
				merchants[name](t)
			})
		})
	}
	sealed := []map[string]func(*testing.T){sealedMerchants(y), sealedBanks(y)}
	for _, cases := range append(sealed, strange, issuers) {
		for _, name := range slices.Sorted(maps.Keys(cases)) {
			t.Run(name, func(t *testing.T) { y.play(t, cases[name]) })
		}
	}
}
