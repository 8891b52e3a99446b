package hsm_test

import (
	"errors"
	"strings"
	"testing"

	"cardswitch/hsm"
	"cardswitch/hsm/keyblock"
	"cardswitch/hsm/mac"
)

// allowed is the whole matrix of requirement 11 (a key has a single purpose): for each use, the one
// usage or the MAC usages, the modes, and the algorithms. What isn't here is refused.
func allowed() map[hsm.Use]string {
	return map[hsm.Use]string{
		hsm.ToImport:    "K1 BDN AT",
		hsm.ToExport:    "K1 BEN AT",
		hsm.ToOpenPIN:   "P0 BDN AT",
		hsm.ToSealPIN:   "P0 BEN AT",
		hsm.ToDerive:    "B0 XN AT",
		hsm.ToMakeMAC:   "M0,M1,M3,M6 CGN AT",
		hsm.ToVerifyMAC: "M0,M1,M3,M6 CVN AT",
		hsm.ToPRF:       "B3 XN A",
		hsm.ToWrap:      "K0 BEN A",
		hsm.ToUnwrap:    "K0 BDN A",
	}
}

// specs is every combination of usage, mode and algorithm that a key block can say, and some that
// it can't.
func specs() (all []hsm.KeySpec) {
	for _, usage := range append(keyblock.Usages(), "", "ZZ") {
		for _, mode := range strings.Split("B C D E G N S V X Y Z BDEN ", " ") {
			for _, algorithm := range strings.Split("A D E H R S T Z ", " ") {
				all = append(all, hsm.KeySpec{Usage: usage, Algorithm: keyblock.Algorithm(algorithm),
					Size: 16, Mode: keyblock.Mode(mode), Export: keyblock.ExportN})
			}
		}
	}
	return all
}

// Of the specs that the switch has keys of, exactly those of the matrix permit a use.
func TestPermitIsTheMatrix(t *testing.T) {
	permitted := 0
	for _, use := range hsm.Uses() {
		row := strings.Fields(allowed()[use])
		if len(row) != 3 {
			t.Fatalf("the matrix has no row for %v", use)
		}
		for _, s := range specs() {
			if s.Usage == keyblock.UsageK0 {
				s.Size = 32
			}
			want := s.Validate() == nil && strings.Contains(row[0], string(s.Usage)) &&
				strings.Contains(row[1], string(s.Mode)) && strings.Contains(row[2], string(s.Algorithm))
			err := s.Permit(use)
			if s.Validate() == nil && want != (err == nil) {
				t.Errorf("%v with %v: %v", use, s, err)
			}
			if err != nil && !errors.Is(err, hsm.ErrKey) {
				t.Errorf("%v with %v: %v is no ErrKey", use, s, err)
			}
			if want {
				permitted++
			}
		}
	}
	if permitted != 2*6+2*6+2*2+2*15+2+2*3 {
		t.Errorf("%d combinations are permitted", permitted)
	}
}

func TestPermitMACHoldsUsageAgainstAlgorithm(t *testing.T) {
	allowed := map[mac.Algorithm]string{
		mac.CBC: "M0T M1T", mac.Retail: "M3T", mac.TDESCMAC: "M6T", mac.AESCMAC: "M6A", 99: "", 0: "",
	}
	for algorithm, row := range allowed {
		how := mac.Spec{Algorithm: algorithm, Size: 8}
		if algorithm == mac.CBC || algorithm == mac.Retail {
			how.Padding = mac.Padding2
		}
		for _, use := range []hsm.Use{hsm.ToMakeMAC, hsm.ToVerifyMAC} {
			for _, s := range specs() {
				if s.Mode != keyblock.ModeC || len(s.Algorithm) != 1 || s.Usage == "" {
					continue
				}
				want := strings.Contains(row, string(s.Usage)+string(s.Algorithm))
				if err := s.PermitMAC(use, how); want != (err == nil) {
					t.Errorf("%v by %v with %v: %v", use, algorithm, s, err)
				}
			}
		}
	}
	s := hsm.KeySpec{Usage: keyblock.UsageM6, Algorithm: keyblock.AES, Mode: keyblock.ModeC}
	if s.PermitMAC(hsm.ToMakeMAC, mac.Spec{Algorithm: mac.AESCMAC, Size: 3}) == nil {
		t.Error("a code of 3 bytes")
	}
	for _, other := range hsm.Uses() {
		how := mac.Spec{Algorithm: mac.AESCMAC, Size: 8}
		if s.Permit(other) != nil && s.PermitMAC(other, how) == nil {
			t.Errorf("a MAC key for %v", other)
		}
	}
}

func TestValidateTakesWhatHasAUse(t *testing.T) {
	sizes := map[string]string{
		"B0A": "16 32", "B0T": "16", "B3A": "16 24 32", "K0A": "32", "K1A": "16 24 32", "K1T": "16 24",
		"M0T": "16 24", "M1T": "16 24", "M3T": "16 24", "M6A": "16 24 32", "M6T": "16 24",
		"P0A": "16 24 32", "P0T": "16 24",
	}
	text := map[int]string{0: "0", 8: "8", 16: "16", 24: "24", 32: "32", 64: "64", -16: "-16"}
	for _, s := range specs() {
		for size := range text {
			s.Size = size
			listed := len(s.Algorithm) == 1 && strings.Contains(" "+sizes[string(s.Usage)+
				string(s.Algorithm)]+" ", " "+text[size]+" ")
			if s.Validate() == nil && !listed {
				t.Errorf("%v is valid", s)
			}
			s.Mode = "N"
			if err := s.Validate(); listed && err != nil {
				t.Errorf("%v: %v", s, err)
			}
		}
	}
	s := hsm.KeySpec{Usage: "P0", Algorithm: "T", Size: 16, Mode: "B", Export: "X"}
	if err := s.Validate(); !errors.Is(err, hsm.ErrKey) {
		t.Errorf("export X: %v", err)
	}
}

func TestPermitExport(t *testing.T) {
	key := hsm.KeySpec{Usage: "P0", Algorithm: "A", Size: 16, Mode: "B", Export: "E"}
	good := keyblock.Header{Version: "D", Usage: "P0", Algorithm: "A", Mode: "D", Export: "N"}
	change := func(f func(h *keyblock.Header)) keyblock.Header {
		h := good
		f(&h)
		return h
	}
	bad := map[string]keyblock.Header{
		"usage":     change(func(h *keyblock.Header) { h.Usage = "D0" }),
		"algorithm": change(func(h *keyblock.Header) { h.Algorithm = "T" }),
		"freer":     change(func(h *keyblock.Header) { h.Export = "S" }),
		"storage":   change(func(h *keyblock.Header) { h.Context = "1" }),
		"component": change(func(h *keyblock.Header) { h.KeyVersion = "c1" }),
	}
	if err := key.PermitExport(good); err != nil {
		t.Error(err)
	}
	for name, h := range bad {
		if err := key.PermitExport(h); !errors.Is(err, hsm.ErrKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, export := range []keyblock.Export{"N", "", "X"} {
		key.Export = export
		if err := key.PermitExport(good); !errors.Is(err, hsm.ErrKey) {
			t.Errorf("a key with export %q leaves: %v", export, err)
		}
	}
}
