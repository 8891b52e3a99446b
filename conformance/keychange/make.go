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

// Bring makes the next generation of a link's key, brings it to the other side, and sends under it
// when that side has shown that it has the same. Ask sends a 1804 with function code 811 and these
// two elements over the link and gives the answer.
func Bring(ctx context.Context, kbpk keyblock.Protection, e *wire.Envelope,
	ask func(ctx context.Context, order, block string) (*format.Message, error)) (uint16, error) {
	if len(kbpk) == 0 || e == nil {
		return 0, errors.New("a link key is changed on a link with an envelope and a key block " +
			"protection key")
	}
	key := make(envelope.Key, 32)
	rand.Read(key)
	check, err := keyblock.Check(key)
	if err != nil {
		return 0, err
	}
	block, err := keyblock.Make(kbpk, header(), key)
	if err != nil {
		return 0, err
	}
	o := order{linkKey, e.Next()}
	if err := e.Install(o.generation, key); err != nil { // the answer may come under it
		e.Drop(o.generation)
		return 0, err
	}
	if err := confirm(ctx, o, block, check, ask); err != nil {
		e.Drop(o.generation)
		return 0, fmt.Errorf("generation %d: %w", o.generation, err)
	}
	return o.generation, e.Switch(o.generation)
}

// confirm sends the order, once more where an answer was lost, until the check values agree.
func confirm(ctx context.Context, o order, block, check string,
	ask func(ctx context.Context, order, block string) (*format.Message, error)) (err error) {
	var answer *format.Message
	for range tries {
		if answer, err = ask(ctx, o.text(), block); err == nil || ctx.Err() != nil {
			break
		}
	}
	switch {
	case err != nil:
		return err
	case answer.Get(39) != Done:
		return fmt.Errorf("the other side answers %s", answer.Get(39))
	case answer.Get(53) != o.text():
		return errors.New("the other side answers another order")
	case subtle.ConstantTimeCompare([]byte(answer.Get(96)), []byte(check)) != 1:
		return errors.New("the other side has understood another key")
	}
	return nil
}
