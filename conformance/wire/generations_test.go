package wire

import (
	"bytes"
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"cardswitch/conformance/envelope"
	"cardswitch/conformance/format"
)

func keyOf(g uint16) envelope.Key { return bytes.Repeat([]byte{byte(g)}, 32) }

func linkWith(generations ...uint16) *Envelope {
	e := &Envelope{Link: "a/b", Keys: make(map[uint16]envelope.Key)}
	for _, g := range generations {
		e.Keys[g] = keyOf(g)
	}
	return e
}

func TestTakeIsOnce(t *testing.T) {
	e := linkWith(1)
	if err := e.Complete(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		generation uint16
		key        envelope.Key
		want       error
	}{
		{3, keyOf(3), nil}, {3, keyOf(3), nil}, {3, keyOf(4), ErrAnotherKey},
		{2, keyOf(2), ErrTooLate}, {1, keyOf(1), nil}, {1, keyOf(3), ErrAnotherKey},
	} {
		if err := e.Take(c.generation, c.key); !errors.Is(err, c.want) {
			t.Errorf("%d: %v, not %v", c.generation, err, c.want)
		}
	}
	if e.Next() != 4 {
		t.Errorf("the next is %d", e.Next())
	}
	e.Drop(3)
	if e.Next() != 4 || len(e.Keys) != 1 {
		t.Errorf("the next after a drop is %d of %d", e.Next(), len(e.Keys))
	}
}

// A peer that has forgotten the newest key is reached under the one before; what we send then is
// under that.
func TestTheNewestKeyIsForgotten(t *testing.T) {
	f, err := format.Named("ascii-binary")
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := linkWith(1, 2), linkWith(1)
	if err := errors.Join(ours.Complete(), theirs.Complete(), ours.Switch(2)); err != nil {
		t.Fatal(err)
	}
	here, there := net.Pipe()
	came := make(chan *format.Message, 1)
	answerer, err := Open(there, Options{Format: f, Envelope: theirs,
		Received: func(_ *Conn, m *format.Message) { came <- m }})
	if err != nil {
		t.Fatal(err)
	}
	defer answerer.Close()
	c, err := Open(here, Options{Format: f, Envelope: ours, Dialed: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := c.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	if err := c.Send(format.New("1804").Set(11, "000001").Set(24, "831")); err != nil {
		t.Fatal(err)
	}
	select {
	case <-came:
	case <-ctx.Done():
		t.Fatal("nothing came")
	}
	if s := c.Cover(); s.Sending != 1 {
		t.Errorf("we send under generation %d", s.Sending)
	}
}
