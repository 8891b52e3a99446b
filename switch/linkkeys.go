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
type linkKeys struct {
	ring   *keyring.Ring
	coming func(link string, generation uint16) (envelope.Key, bool) // nil: none are on their way
}

// Newest is the generation that new connections of a link begin with.
func (k linkKeys) Newest(link string) (uint16, bool) { return k.ring.LinkKeys(link) }

// Key is the key of a generation that may be used now.
func (k linkKeys) Key(link string, generation uint16) (envelope.Key, bool) {
	prf, ok := k.ring.PRF(link, generation, linkKeyWait)
	if !ok && k.coming != nil {
		return k.coming(link, generation) // the center has it already, and proves so
	}
	return envelope.Key{Generation: generation, PRF: prf}, ok
}

// linkKeys are those of the ring and those that are on their way to a center.
func (s *Switch) linkKeys() linkKeys {
	return linkKeys{s.deps.Keys, func(link string, generation uint16) (envelope.Key, bool) {
		x := &s.exchange
		x.mu.Lock()
		defer x.mu.Unlock()
		for _, k := range x.coming[link] {
			if k.Generation == generation {
				return k, true
			}
		}
		return envelope.Key{}, false
	}}
}
