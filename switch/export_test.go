package cardswitch

import (
	"cardswitch/spec"
	"cardswitch/switch/txn"
)

// Serve replaces what is done with a kind of message, before Run.
func (s *Switch) Serve(mti spec.MTI, request func(txn.Request) txn.Decision) {
	s.serviceOf(mti).Request = request
}
