package keychange

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"

	"cardswitch/conformance/envelope"
	"cardswitch/conformance/format"
	"cardswitch/conformance/keyblock"
	"cardswitch/conformance/wire"
)

// tries is how often a key is sent before it is given up.
const tries = 3

// Key is a new link key on its way to the other side.
type Key struct {
	Generation   uint16
	Order, Block string // elements 53 and 96 of the 1804
	Check        string // element 96 of the 1814
}

// New makes the next generation of a link's key and installs it, since the other side may use it
// with its answer.
func New(kbpk keyblock.Protection, e *wire.Envelope) (Key, error) {
	if len(kbpk) == 0 || e == nil {
		return Key{}, errors.New("a link key is changed on a link with an envelope and a key block " +
			"protection key")
	}
	key := make(envelope.Key, 32)
	rand.Read(key)
	check, err := keyblock.Check(key)
	if err != nil {
		return Key{}, err
	}
	block, err := keyblock.Make(kbpk, header(), key)
	if err != nil {
		return Key{}, err
	}
	g := e.Next()
	return Key{g, order{linkKey, bothWays, g}.text(), block, check}, e.Take(g, key)
}

// Take installs the key that the other side brought.
func Take(kbpk keyblock.Protection, e *wire.Envelope, orderText, block string) (Key, error) {
	o, err := parseOrder(orderText)
	if err != nil {
		return Key{}, err
	}
	key, err := open(kbpk, block)
	if err != nil {
		return Key{}, err
	}
	check, err := keyblock.Check(key)
	if err != nil {
		return Key{}, err
	}
	return Key{o.generation, orderText, block, check}, e.Take(o.generation, key)
}

// Bring makes the next generation of a link's key, brings it to the other side, and sends under it
// when that side has shown that it has the same. Ask sends a 1804 with function code 811 and these
// two elements over the link and gives the answer.
func Bring(ctx context.Context, kbpk keyblock.Protection, e *wire.Envelope,
	ask func(ctx context.Context, order, block string) (*format.Message, error)) (uint16, error) {
	k, err := New(kbpk, e)
	if err != nil {
		return 0, err
	}
	if err := k.confirm(ctx, ask); err != nil {
		e.Drop(k.Generation)
		return 0, fmt.Errorf("generation %d: %w", k.Generation, err)
	}
	return k.Generation, e.Switch(k.Generation)
}

// confirm sends the order, once more where an answer was lost, until the check values agree.
func (k Key) confirm(ctx context.Context,
	ask func(ctx context.Context, order, block string) (*format.Message, error)) (err error) {
	var answer *format.Message
	for range tries {
		if answer, err = ask(ctx, k.Order, k.Block); err == nil || ctx.Err() != nil {
			break
		}
	}
	switch {
	case err != nil:
		return err
	case answer.Get(39) != Done:
		return fmt.Errorf("the other side answers %s", answer.Get(39))
	case answer.Get(53) != k.Order:
		return errors.New("the other side answers another order")
	case subtle.ConstantTimeCompare([]byte(answer.Get(96)), []byte(k.Check)) != 1:
		return errors.New("the other side has understood another key")
	}
	return nil
}
