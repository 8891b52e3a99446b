package cardswitch

import (
	"cardswitch/spec"
	"cardswitch/switch/txn"
)

// Serve replaces what is done with a kind of message, before Run.
func (s *Switch) Serve(mti spec.MTI, request func(txn.Request) txn.Decision) {
	s.serviceOf(mti).Request = request
}

// Outlived is what of the kept routing tables can be dropped.
func Outlived(since []uint64, first uint64) []uint64 { return outlived(since, first) }

// Lend has a center's keys be another switch's.
func (c *Config) Lend(center int) { c.Centers[center].lent = true }
