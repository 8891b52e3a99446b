package issuer

import (
	"bytes"
	"context"
	"testing"
	"time"

	"cardswitch/conformance/envelope"
	"cardswitch/conformance/format"
	"cardswitch/conformance/keyblock"
	"cardswitch/conformance/keychange"
	"cardswitch/conformance/wire"
)

// A center that is asked for a new key makes one and brings it.
func TestAskedForAKey(t *testing.T) {
	kbpk := keyblock.Protection(bytes.Repeat([]byte{7}, 32))
	covered := func() *wire.Envelope {
		return &wire.Envelope{Link: "a/b",
			Keys: map[uint16]envelope.Key{1: bytes.Repeat([]byte{1}, 32)}}
	}
	asked := start(t, Options{KBPK: kbpk, SignOn: true,
		Links: []Link{{Listen: "127.0.0.1:0", Envelope: covered()}}}, "")
	asks := start(t, Options{KBPK: kbpk, SignOn: true,
		Links: []Link{{Dial: asked.Address("primary"), Envelope: covered()}}}, "")
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	l := asks.line("primary")
	for l.any() == nil || !asked.SignedOn("primary") {
		time.Sleep(time.Millisecond)
	}
	a, err := asks.request(ctx, l, l.any(), format.New("1804").Set(24, keychange.Function).
		Set(53, "\x01\x03\x03\x00\x00\x00"))
	if err != nil || a.Get(39) != "800" || a.Has(96) {
		t.Fatalf("%v, %v", a, err)
	}
	// Who brings the key counts it when its answer has come, which is after it is in use.
	for ctx.Err() == nil && (l.any().Cover().Receiving != 2 || asked.Stats().Keys == 0) {
		if _, err := asks.Manage(ctx, "primary", Echo); err != nil {
			t.Fatal(err)
		}
	}
	if s := l.any().Cover(); s.Sending != 2 || s.Receiving != 2 {
		t.Errorf("generations %d and %d", s.Sending, s.Receiving)
	}
	if asked.Stats().Keys != 1 || asks.Stats().Keys != 1 {
		t.Errorf("%+v and %+v", asked.Stats(), asks.Stats())
	}
}

// Without a key block protection key nobody can bring one.
func TestKeysWithoutProtection(t *testing.T) {
	i := start(t, Options{}, "")
	p := dial(t, i, "primary")
	m := format.New("1804").Set(11, "000001").Set(12, "261126120000").Set(24, "811").
		Set(53, "\x01\x03\x03\x00\x00\x02").Set(96, "D0000").
		Set(93, "88888000001").Set(94, "99999000001")
	if a := p.ask(t, m); a.Get(39) != "918" {
		t.Errorf("%v", a)
	}
	if _, err := i.ChangeKey(context.Background(), "primary"); err == nil {
		t.Error("a key was brought")
	}
}
