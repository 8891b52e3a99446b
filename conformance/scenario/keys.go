package scenario

import (
	"errors"
	"fmt"
	"strings"

	"cardswitch/conformance/keychange"
)

// key makes, takes or uses a key of the party's link.
//
//	new-key shop as fresh              makes one: {fresh.order}, {fresh.block}, {fresh.forged} and
//	                                   {fresh.check} are what elements 53 and 96 need
//	take-key bank of brought as fresh  takes the one that the message brought
//	use-key shop of fresh              sends under it from now on
func (r *run) key(s *Step, p *party) (err error) {
	e := p.door.Envelope
	var k keychange.Key
	switch s.verb {
	case "use-key":
		k, ok := r.keys[s.to]
		if !ok {
			return fmt.Errorf("%s is no key", s.to)
		}
		return e.Switch(k.Generation)
	case "new-key":
		k, err = keychange.New(p.door.KBPK, e)
	default:
		a, ok := r.named[s.to]
		if !ok {
			return errors.New("say of which message: take-key PARTY of MESSAGE as KEY")
		}
		k, err = keychange.Take(p.door.KBPK, e, a.message.Get(53), a.message.Get(96))
	}
	if err == nil {
		r.keys[s.name] = k
	}
	return err
}

// ofKey is what stands in braces of a key.
func (r *run) ofKey(name string) (string, bool) {
	name, what, _ := strings.Cut(name, ".")
	k, ok := r.keys[name]
	if !ok {
		return "", false
	}
	switch what {
	case "order":
		return k.Order, true
	case "block":
		return k.Block, true
	case "forged": // the last digit of its code is another one
		last := "0"
		if strings.HasSuffix(k.Block, last) {
			last = "1"
		}
		return k.Block[:len(k.Block)-1] + last, true
	case "check":
		return k.Check, true
	}
	return "", false
}
