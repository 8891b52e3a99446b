package payshield

import (
	"errors"
	"strings"

	"cardswitch/hsm/keyblock"
)

// usages are those that the simulator makes and takes keys of.
func usages() string { return "B0 B3 C0 D0 E0 K0 K1 M0 M1 M3 M6 P0 V0 V1 V2 " }

// size is the algorithm and the bytes that A0 names by two characters.
func size(name string) (algorithm string, bytes int) {
	switch name {
	case "T2":
		return "T", 16
	case "T3":
		return "T", 24
	case "A1":
		return "A", 16
	case "A2":
		return "A", 24
	case "A3":
		return "A", 32
	}
	return "", 0
}

// sound says with an error code what is wrong with a header.
func (h *Header) sound() string {
	switch {
	case !strings.Contains(usages(), h.Usage+" ") || len(h.Usage) != 2:
		return "A6"
	case h.Algorithm != "T" && h.Algorithm != "A":
		return "A7"
	case len(h.Mode) != 1 || !strings.Contains("BCDEGNVX", h.Mode):
		return "A8"
	case len(h.Version) != 2 || !printable(h.Version):
		return "A9"
	case len(h.Export) != 1 || !strings.Contains("ENS", h.Export):
		return "AA"
	}
	return ""
}

// give is the answer with a key: its block and its check value.
func (s *Simulator) give(k key) string { return s.lmk.seal(k.Header, k.raw) + k.check() }

func (s *Simulator) makeKey(f *fields) (rest, code string) {
	f.is("0FFFS")
	other := f.lmk(s.lmk.id)
	f.is("#")
	h := Header{Usage: f.take(2)}
	algorithm, bytes := size(f.take(2))
	h.Algorithm, h.Mode, h.Version, h.Export = algorithm, f.take(1), f.take(2), f.take(1)
	f.is("00")
	if code := first(f.end(), other, h.sound()); code != "" {
		return "", code
	}
	made, err := keyblock.RandomKey(keyblock.Algorithm(algorithm), bytes, nil)
	if err != nil {
		return "", "41"
	}
	err = made.Use(func(raw []byte) error {
		rest = s.give(key{h, raw})
		return nil
	})
	if err != nil {
		return "", "41"
	}
	return rest, ""
}

func (s *Simulator) joinKey(f *fields) (rest, code string) {
	n := f.number(1, 10)
	f.is("FFFS")
	var whole key
	for i := range n {
		part, code := s.lmk.open(f.block("S"))
		if f.bad || code != "" {
			return "", first(code, "15")
		}
		switch {
		case !strings.HasPrefix(part.Version, "c"):
			return "", "A9"
		case i == 0:
			whole = part
			continue
		case part.Usage != whole.Usage || part.Algorithm != whole.Algorithm ||
			part.Mode != whole.Mode || part.Export != whole.Export || len(part.raw) != len(whole.raw):
			return "", "B5"
		}
		for j := range part.raw {
			whole.raw[j] ^= part.raw[j]
		}
	}
	other := f.lmk(s.lmk.id)
	f.is("#")
	whole.Version = f.take(2)
	f.is("00")
	if n < 2 {
		return "", "03"
	}
	if code := first(f.end(), other, whole.sound()); code != "" {
		return "", code
	}
	return s.give(whole), ""
}

func (s *Simulator) importKey(f *fields) (rest, code string) {
	f.is("FFF")
	zmk, bad := s.lmk.open(f.block("S"))
	partners := f.block("R")
	f.is("S")
	if code := first(f.last(s.lmk.id), bad); code != "" {
		return "", code
	}
	if code := zmk.may("K0 K1", "BD"); code != "" {
		return "", code
	}
	h, k, err := keyblock.Unwrap(zmk.raw, partners[1:], anyKey())
	if err != nil {
		return "", codeOf(err)
	}
	own := key{Header: Header{string(h.Usage), string(h.Algorithm), string(h.Mode), h.KeyVersion,
		string(h.Export)}}
	if code := own.sound(); code != "" {
		return "", code
	}
	err = k.Use(func(raw []byte) error {
		own.raw = raw
		rest = s.give(own)
		return nil
	})
	if err != nil {
		return "", "41"
	}
	return rest, ""
}

// anyKey takes whatever is authentic.
func anyKey() keyblock.Want {
	return keyblock.Want{Usages: keyblock.Usages(), Context: keyblock.ContextExchange,
		Versions:   []keyblock.Version{"A", "B", "C", "D", "E"},
		Algorithms: []keyblock.Algorithm{"A", "T"},
		Modes:      []keyblock.Mode{"B", "C", "D", "E", "G", "N", "V", "X"},
		Exports:    []keyblock.Export{"E", "N", "S"}}
}

// codeOf is the error code of a key block that isn't taken.
func codeOf(err error) string {
	switch {
	case errors.Is(err, keyblock.ErrForged):
		return "A4"
	case errors.Is(err, keyblock.ErrMalformed):
		return "83"
	case errors.Is(err, keyblock.ErrKBPK):
		return "BB"
	}
	return "A5"
}

func (s *Simulator) exportKey(f *fields) (rest, code string) {
	f.is("FFF")
	zmk, bad := s.lmk.open(f.block("S"))
	k, badKey := s.lmk.open(f.block("S"))
	f.is("R")
	other := f.lmk(s.lmk.id)
	export := k.Export
	if f.optional("&") {
		export = f.one("ENS")
	}
	version := "B"
	if zmk.Algorithm == "A" {
		version = "D"
	}
	if f.optional("!") {
		version = f.one("BD")
	}
	if code := first(f.end(), other, bad, badKey, zmk.may("K0 K1", "BE")); code != "" {
		return "", code
	}
	if k.Export == "N" || export == "S" && k.Export != "S" {
		return "", "AA"
	}
	m, err := k.material()
	if err != nil {
		return "", "41"
	}
	block, err := keyblock.Wrap(zmk.raw, keyblock.Header{Version: keyblock.Version(version),
		Usage: keyblock.Usage(k.Usage), Algorithm: keyblock.Algorithm(k.Algorithm),
		Mode: keyblock.Mode(k.Mode), KeyVersion: k.Version, Export: keyblock.Export(export)}, m,
		keyblock.Options{ShowLength: true})
	if errors.Is(err, keyblock.ErrKBPK) {
		return "", "BB"
	}
	if err != nil {
		return "", "A5"
	}
	return "R" + block + k.check(), ""
}

func (s *Simulator) checkKey(f *fields) (rest, code string) {
	f.is("FFF")
	k, bad := s.lmk.open(f.block("S"))
	if f.optional(";FFF") && f.optional(";00") {
		f.is("1")
	}
	if code := first(f.last(s.lmk.id), bad); code != "" {
		return "", code
	}
	return k.check(), ""
}
