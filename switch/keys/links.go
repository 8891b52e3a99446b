package keys

import (
	"sync/atomic"
	"time"

	"cardswitch/hsm/envelope"
	"cardswitch/hsm/keyring"
	cardswitch "cardswitch/switch"
)

// within is how long a security module may take for a link's secret. It is asked when a connection
// begins or changes its key, never on the path of a message.
const within = 5 * time.Second

// Links gives the links their keys by the names that their envelopes have on the wire.
type Links struct {
	ring  *keyring.Ring
	names atomic.Pointer[map[string]string] // envelope id to "center/link"
}

// NewLinks makes the links' keys of a configuration ready.
func NewLinks(ring *keyring.Ring, c *cardswitch.Config) *Links {
	l := &Links{ring: ring}
	l.Configure(c)
	return l
}

// Configure takes the names of another configuration, as at a reload.
func (l *Links) Configure(c *cardswitch.Config) {
	names := map[string]string{}
	for i := range c.Centers {
		center := &c.Centers[i]
		for k := range center.Links {
			if e := center.Links[k].Envelope; e != nil {
				names[e.ID] = center.Name + "/" + center.Links[k].Name
			}
		}
	}
	l.names.Store(&names)
}

// Newest is the generation that a new connection begins with.
func (l *Links) Newest(link string) (uint16, bool) {
	return l.ring.LinkKeys((*l.names.Load())[link])
}

// Key is the link key of a generation, if it may be used now.
func (l *Links) Key(link string, generation uint16) (envelope.Key, bool) {
	prf, ok := l.ring.PRF((*l.names.Load())[link], generation, within)
	if !ok {
		return envelope.Key{}, false
	}
	return envelope.Key{Generation: generation, PRF: prf}, true
}
