package hostile

import (
	"bytes"
	"slices"
	"testing"

	"cardswitch/conformance/envelope"
	cardswitch "cardswitch/switch"
)

// change is what somebody between two honest ends makes of their hellos.
type change struct{ hello, ack func([]byte) []byte }

// at is where the list of suites is in a hello of this link; the options are three bytes on.
func at(link string) int { return 24 + 32 + 1 + len(link) }

// changes want hellos that offer both suites, padding and a share, and an ack that grants all.
func changes(link string) map[string]change {
	put := func(n int, b byte) func([]byte) []byte {
		return func(frame []byte) []byte {
			frame[n] = b
			return frame
		}
	}
	other := func(n int) func([]byte) []byte { // whatever it is: it may be random
		return func(frame []byte) []byte {
			frame[n] ^= 1
			return frame
		}
	}
	cut := func(from, to int) func([]byte) []byte {
		return func(frame []byte) []byte {
			if to == 0 {
				return frame[:from]
			}
			return slices.Delete(frame, from, to)
		}
	}
	s := at(link)
	return map[string]change{
		"the legacy suite alone": {hello: func(b []byte) []byte {
			b[s] = 1
			return slices.Delete(b, s+1, s+2)
		}},
		"suites the other way round": {hello: func(b []byte) []byte {
			b[s+1], b[s+2] = b[s+2], b[s+1]
			return b
		}},
		"an older version":              {hello: put(1, 0x01)},
		"a newer version":               {hello: put(1, 0x21)},
		"a flag":                        {hello: put(3, 2)},
		"another generation":            {hello: put(5, 9)},
		"another session id":            {hello: other(8)},
		"another nonce":                 {hello: other(24)},
		"no padding":                    {hello: cut(s+3, s+6)},
		"no share":                      {hello: cut(s+6, 0)},
		"no options":                    {hello: cut(s+3, 0)},
		"another share":                 {hello: other(s + 9)},
		"an older version of the ack":   {ack: put(1, 0x02)},
		"another suite of the ack":      {ack: put(2, 0x81)},
		"no suite of the ack":           {ack: put(2, 0)},
		"another generation of the ack": {ack: put(5, 9)},
		"another session id of the ack": {ack: other(8)},
		"another nonce of the ack":      {ack: other(24)},
		"no padding of the ack":         {ack: cut(56, 59)},
		"no share of the ack":           {ack: cut(59, 0)},
		"another share of the ack":      {ack: other(62)},
	}
}

func through(f func([]byte) []byte, frame []byte) []byte {
	if f == nil {
		return frame
	}
	return f(bytes.Clone(frame))
}

func bothSuites() []envelope.Suite { return []envelope.Suite{envelope.GCM, envelope.TDES} }

// between is the configuration that allows all that there is to take away.
func between() cardswitch.EnvelopeConfig {
	return cardswitch.EnvelopeConfig{Legacy: true, Padding: true, Share: cardswitch.ShareOffered}
}

// betweenMerchant changes the hellos of an honest merchant and the switch. Both refuse, each by
// itself: what the one says of it doesn't reach the other.
func (y *yard) betweenMerchant(t *testing.T) {
	y.configure(t, badMerchant(between()))
	o := linkOptions(badLink)
	o.Suites, o.Padding, o.Share = bothSuites(), true, true
	y.shaken(t, o) // it works while nobody is between
	for n, what := range sorted(changes(badLink)) {
		c := changes(badLink)[what]
		f := newFar(t, y.call(t).Conn)
		session, hello, err := envelope.Initiate(o)
		if err != nil {
			t.Fatal(err)
		}
		f.session = session
		f.put(through(c.hello, hello))
		for err == nil {
			var b []byte
			if b, err = f.hear(); err != nil {
				break
			}
			if len(f.heard) == 1 {
				b = through(c.ack, b)
			}
			_, err = session.Receive(b)
			if session.Standing() {
				t.Fatalf("%s: the merchant doesn't see it", what)
			}
		}
		f.put(f.forged())
		f.gone(t)
		eventually(t, what+": it is counted", func() bool {
			return y.refused("bad")["envelope refused"] == uint64(n+1)
		})
	}
}

// forged is the best that somebody between can do for a finished: the other's, turned round.
func (f *far) forged() []byte {
	last := bytes.Clone(f.heard[len(f.heard)-1])
	last[1], last[3] = 0x13, last[3]^1
	return last
}

// betweenBank does so where the switch has dialled. A link configured anew dials at once, and who
// listens anew has no connections of the link before.
func (y *yard) betweenBank(t *testing.T) {
	o := linkOptions(evilLink)
	o.Suites, o.Padding, o.Share = bothSuites(), true, true
	for _, what := range sorted(changes(evilLink)) {
		c := changes(evilLink)[what]
		y.configure(t)
		b := y.listen(t)
		y.configure(t, sealedBank(between()))
		f := b.far(t, o)
		hello, err := f.hear()
		if err != nil {
			t.Fatal(err)
		}
		b.Close()
		e, refused := f.session.Receive(through(c.hello, hello))
		for n, frame := range e.Send {
			if n == 0 && refused == nil {
				frame = through(c.ack, frame)
			}
			f.put(frame)
		}
		f.gone(t)
		if last := f.heard[len(f.heard)-1]; refused == nil && last[1]&0xf != 4 {
			t.Errorf("%s: the switch doesn't see it", what)
		}
		eventually(t, what+": it is counted", func() bool {
			return y.line("evil").Counters.Ended["envelope refused"] == 1
		})
	}
}
