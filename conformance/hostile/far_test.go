package hostile

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"cardswitch/conformance/envelope"
	"cardswitch/conformance/format"
	"cardswitch/conformance/ground"
	"cardswitch/conformance/load/sealed"
	cardswitch "cardswitch/switch"
)

// secret is what all link keys of this suite are made of.
func secret() sealed.Secret { return sealed.Secret("of the hostile peers") }

// The links with an envelope, as the ring has their keys; so they are called on the wire, too.
const (
	badLink  = "bad/a"
	evilLink = "evil/a"
)

func linkOptions(link string) envelope.Options {
	return envelope.Options{Link: link, Keys: map[uint16]envelope.Key{1: secret().Key(link, 1)}}
}

// far is the peer's end of an envelope, with its hands on the frames. As a ground.Peer it speaks
// clear messages.
type far struct {
	*ground.Peer
	raw     net.Conn
	session *envelope.Session
	said    [][]byte  // all frames of ours
	heard   [][]byte  // all frames of the switch's
	in      []byte    // clear messages with their lengths, not read yet
	by      time.Time // when a clear message must have come
}

// clear is the connection as the messages see it.
type clear struct {
	net.Conn
	far *far
}

func (c clear) Read(b []byte) (int, error) {
	f := c.far
	for len(f.in) == 0 {
		e, err := f.takeBy(f.by)
		if err != nil {
			return 0, err
		}
		if e.Message != nil {
			f.in = ground.Framed(e.Message)
		}
	}
	n := copy(b, f.in)
	f.in = f.in[n:]
	return n, nil
}

// SetReadDeadline is for the whole of a clear message.
func (c clear) SetReadDeadline(by time.Time) error {
	c.far.by = by
	return nil
}

func (c clear) Write(b []byte) (int, error) {
	for rest := b; len(rest) > 0; {
		n := 2 + int(binary.BigEndian.Uint16(rest))
		frame, err := c.far.session.Seal(rest[2:n])
		if err != nil {
			return 0, err
		}
		c.far.put(frame)
		rest = rest[n:]
	}
	return len(b), nil
}

// put writes a frame; that the switch has hung up meanwhile is no fault of the test.
func (f *far) put(frame []byte) {
	f.said = append(f.said, frame)
	_ = f.raw.SetWriteDeadline(time.Now().Add(3 * time.Second))
	_, _ = f.raw.Write(ground.Framed(frame))
}

// hear reads a frame.
func (f *far) hear() ([]byte, error) { return f.hearBy(time.Now().Add(patience)) }

func (f *far) hearBy(by time.Time) ([]byte, error) {
	_ = f.raw.SetReadDeadline(by)
	var head [2]byte
	if _, err := io.ReadFull(f.raw, head[:]); err != nil {
		return nil, err
	}
	frame := make([]byte, binary.BigEndian.Uint16(head[:]))
	if _, err := io.ReadFull(f.raw, frame); err != nil {
		return nil, err
	}
	f.heard = append(f.heard, frame)
	return frame, nil
}

// take reads a frame and opens it; what the session says to it is sent.
func (f *far) take() (envelope.Event, error) { return f.takeBy(time.Now().Add(patience)) }

func (f *far) takeBy(by time.Time) (envelope.Event, error) {
	frame, err := f.hearBy(by)
	if err != nil {
		return envelope.Event{}, err
	}
	e, err := f.session.Receive(frame)
	for _, answer := range e.Send {
		f.put(answer)
	}
	return e, err
}

func newFar(t *testing.T, raw net.Conn) *far {
	t.Helper()
	named, err := format.Named("ascii-binary")
	if err != nil {
		t.Fatal(err)
	}
	f := &far{raw: raw}
	f.Peer = &ground.Peer{Conn: clear{raw, f}, Format: named}
	return f
}

// greeted connects as the bad merchant, and has only said hello.
func (y *yard) greeted(t *testing.T, o envelope.Options) *far {
	t.Helper()
	f := newFar(t, y.call(t).Conn)
	session, hello, err := envelope.Initiate(o)
	if err != nil {
		t.Fatal(err)
	}
	f.session = session
	f.put(hello)
	return f
}

// shaken is greeted, with the handshake done.
func (y *yard) shaken(t *testing.T, o envelope.Options) *far {
	t.Helper()
	f := y.greeted(t, o)
	for !f.session.Standing() {
		if _, err := f.take(); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

// covered is the bad merchant, signed on in an envelope.
func (y *yard) covered(t *testing.T) *far {
	t.Helper()
	f := y.shaken(t, linkOptions(badLink))
	if err := f.SignOn(badID); err != nil {
		t.Fatal(err)
	}
	return f
}

// badMerchant is the configuration of the bad merchant with an envelope.
func badMerchant(e cardswitch.EnvelopeConfig) cardswitch.CenterConfig {
	c := merchant("bad", badID)
	c.Links[0].Envelope = &e
	return c
}

// told demands that the switch refuses: an alert at most, and the end of the connection. Echo tests
// and reversals may have been under way; an answer may not.
func (f *far) told(t *testing.T) {
	t.Helper()
	for by := time.Now().Add(patience); ; {
		e, err := f.takeBy(by)
		if _, network := errors.AsType[net.Error](err); network || errors.Is(err, io.EOF) {
			f.hungUp(t, err)
			return
		}
		if err != nil {
			f.gone(t)
			return
		}
		if e.Message != nil && e.Message[2] == '1' {
			t.Fatalf("the switch answers with a %s", e.Message[:4])
		}
	}
}

// gone demands that the connection ends, and that not one message comes before.
func (f *far) gone(t *testing.T) {
	t.Helper()
	for by := time.Now().Add(patience); ; {
		b, err := f.hearBy(by)
		if err != nil {
			f.hungUp(t, err)
			return
		}
		if len(b) < 2 || b[1]&0xf == 0 {
			t.Fatal("the switch sends a message")
		}
	}
}

func (f *far) hungUp(t *testing.T, err error) {
	t.Helper()
	if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
		t.Error("the connection stands")
	}
}

// refusedEnvelope demands that a center's link was refused so often, that the log says so, and that
// it shows no key.
func (y *yard) refusedEnvelope(t *testing.T, center string, times uint64) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d refused envelopes of %s", times, center), func() bool {
		return y.line(center).Counters.Ended["envelope refused"] >= times
	})
	if n := y.line(center).Counters.Ended["envelope refused"]; n != times {
		t.Errorf("%d refused envelopes are counted, want %d", n, times)
	}
	var said string
	eventually(t, "the log says so", func() bool {
		said += y.log.take()
		return strings.Contains(said, "envelope refused")
	})
	keyless(t, said)
}

// keyless demands that a text has no link key of this suite.
func keyless(t *testing.T, text string) {
	t.Helper()
	text = strings.ToLower(text)
	for _, link := range []string{badLink, evilLink} {
		for g := range uint16(3) {
			key := secret().Key(link, g)
			if strings.Contains(text, hex.EncodeToString(key[:4])) || strings.Contains(text,
				strings.ToLower(string(key[:4]))) {
				t.Errorf("generation %d of %s is in the log", g, link)
			}
		}
	}
}

func sorted[T any](cases map[string]T) []string { return slices.Sorted(maps.Keys(cases)) }
