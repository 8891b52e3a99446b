package world

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"time"

	"cardswitch/conformance/load/sealed"
	"cardswitch/hsm"
	"cardswitch/hsm/envelope"
	"cardswitch/hsm/keyblock"
	"cardswitch/hsm/keyring"
	"cardswitch/hsm/soft"
	cardswitch "cardswitch/switch"
)

// envelope is that of every link, or of none.
func (o Options) envelope() *cardswitch.EnvelopeConfig {
	if !o.Sealed {
		return nil
	}
	return &cardswitch.EnvelopeConfig{}
}

// secret is what the first keys of a world are made of.
func (w *World) secret() sealed.Secret {
	return sealed.Secret(fmt.Sprint("of world ", w.options.Seed))
}

// enroll gives the switch and the parties the first keys of their links. The switch's are in a
// security module, which outlives its process.
func (w *World) enroll() error {
	if !w.options.Sealed {
		return nil
	}
	ctx := context.Background()
	master, err := keyblock.RandomKey(keyblock.AES, 32, nil)
	if err != nil {
		return err
	}
	module, err := soft.New(master, hsm.Test)
	if err != nil {
		return err
	}
	ring, err := keyring.Open(ctx, keyring.Options{Module: module})
	if err != nil {
		return err
	}
	for _, c := range w.config.Centers {
		if err := w.secret().EnrollCenter(ctx, ring, c.Name); err != nil {
			return err
		}
		for _, l := range c.Links {
			if err := w.secret().Enroll(ctx, ring, c.Name+"/"+l.Name); err != nil {
				return err
			}
		}
		w.ends[c.Name] = w.newEnd(c.Name)
	}
	w.keys = ring
	return nil
}

// newEnd is a party's side of its links, which may take new keys wrongly.
func (w *World) newEnd(party string) *sealed.End {
	e := sealed.NewEnd(w.secret())
	if w.options.several() {
		e.Terms = new(envelope.Terms)
	}
	draws := w.stream("keys of " + party)
	e.Fault = func(int) sealed.KeyFault {
		w.mu.Lock()
		defer w.mu.Unlock()
		if !w.options.BadKeys || !w.faults || draws.IntN(2) == 0 {
			return sealed.TakeKey
		}
		return sealed.KeyFault(draws.IntN(int(sealed.WrongKey) + 1))
	}
	return e
}

// seal puts a connection of a party into the envelope of its line, where lines have one.
func (w *World) seal(conn net.Conn, party string, line int, dialed bool) (net.Conn, error) {
	e := w.ends[party]
	switch {
	case e == nil:
		return conn, nil
	case dialed:
		return e.Dial(conn, fmt.Sprintf("%s/%d", party, line))
	}
	return e.Accept(conn)
}

// rekey has the switch bring a center the next key of one of its links.
func (w *World) rekey(r *rand.Rand) {
	_, sw := w.active()
	if sw == nil {
		return
	}
	name := w.cable(r).line
	slot, _ := keyring.LinkSlot(name)
	w.tell("the key of %s changes", name)
	w.parties.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		by := keyring.By{Who: "a test", Role: "the world", Why: "as drawn"}
		_ = sw.ChangeKey(ctx, by, slot) // that it fails is a fault like others
	})
}
