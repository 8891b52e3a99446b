package cardswitch

import (
	"time"

	"cardswitch/hsm/envelope"
	"cardswitch/hsm/keyring"
)

// linkKeyWait bounds how long the security module may take over a link's secret. A connection asks
// twice, and each change of key on it.
const linkKeyWait = 2 * time.Second

// linkKeys gives the links the keys of the ring.
type linkKeys struct{ ring *keyring.Ring }

// Newest is the generation that new connections of a link begin with.
func (k linkKeys) Newest(link string) (uint16, bool) { return k.ring.LinkKeys(link) }

// Key is the key of a generation that may be used now.
func (k linkKeys) Key(link string, generation uint16) (envelope.Key, bool) {
	prf, ok := k.ring.PRF(link, generation, linkKeyWait)
	return envelope.Key{Generation: generation, PRF: prf}, ok
}
