package protect

import (
	"crypto/subtle"
	"errors"

	"cardswitch/conformance/keychange"
	"cardswitch/conformance/wire"
)

// Zone is what takes new keys of codes and PINs; nil: nothing does.
func (g *Guard) Zone() keychange.Zone {
	if g == nil {
		return nil
	}
	return g
}

// Take is keychange's. A key is used from then on, by all who have the same Options.
func (g *Guard) Take(use string, algorithm byte, generation uint16, key []byte) error {
	k := g.options.keys
	_, newest, err := k.newest(use)
	have := k.get(use, generation)
	switch {
	case err != nil || g.algorithm(use) != algorithm:
		return errors.New("no such key is agreed on")
	case have != nil && subtle.ConstantTimeCompare(have, key) == 1:
		return nil
	case have != nil:
		return wire.ErrAnotherKey
	case generation < newest:
		return wire.ErrTooLate
	}
	k.put(use, generation, key)
	return nil
}

// algorithm is what a key must be of, 0 if none is used.
func (g *Guard) algorithm(use string) byte {
	o := g.options
	switch {
	case use[:3] == "zak" && o.MAC != nil && o.MAC.Algorithm == "cmac":
		return 'A'
	case use[:3] == "zak" && o.MAC != nil, use[:3] == "zpk" && o.PIN != nil && o.PIN.Terminals == "":
		return 'T'
	}
	return 0
}
