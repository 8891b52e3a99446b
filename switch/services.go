package cardswitch

import (
	"cardswitch/spec"
	"cardswitch/switch/service/advice"
	"cardswitch/switch/service/authorization"
	"cardswitch/switch/service/fileaction"
	"cardswitch/switch/service/network"
	"cardswitch/switch/service/reconcile"
	"cardswitch/switch/service/reversal"
	"cardswitch/switch/txn"
)

// service is what the switch can do with one kind of message.
type service struct {
	mti     spec.MTI // as first sent; its repeats are served the same way
	name    string
	Request func(txn.Request) txn.Decision
}

// services is the one list of what the switch can do. A new kind of transaction is a folder in
// service/ and a line here.
func services() []service {
	return []service{
		{0x1100, "authorization", authorization.Request},
		{0x1200, "financial", authorization.Request},
		{0x1120, "authorization advice", advice.Request},
		{0x1220, "financial advice", advice.Request},
		{0x1304, "file action", fileaction.Request},
		{0x1324, "file action advice", fileaction.Request},
		{0x1420, "reversal advice", reversal.Request},
		{0x1500, "reconciliation", reconcile.Request},
		{0x1502, "reconciliation of an issuer", reconcile.Request},
		{0x1520, "reconciliation advice", reconcile.Request},
		{0x1522, "reconciliation advice of an issuer", reconcile.Request},
		{0x1804, "network management", network.Request},
	}
}

// serviceOf gives the service of a message, or nil.
func (s *Switch) serviceOf(m spec.MTI) *service {
	first := m.Original()
	for i := range s.services {
		if s.services[i].mti == first {
			return &s.services[i]
		}
	}
	return nil
}
