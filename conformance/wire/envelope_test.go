package wire

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"cardswitch/conformance/envelope"
	"cardswitch/conformance/format"
)

func linkKey(g uint16) envelope.Key { return bytes.Repeat([]byte{byte(g)}, 32) }

func covered() *Envelope {
	return &Envelope{Link: "SHOP-1", Keys: map[uint16]envelope.Key{7: linkKey(7)}}
}

// pipe opens both ends of a connection. The text is what each of them refused, or was refused for.
type end struct {
	*Conn
	got     []string
	faults  int
	refused atomic.Pointer[error]
}

func open(t *testing.T, nc net.Conn, o Options) *end {
	t.Helper()
	f, err := format.Named("ascii-binary")
	if err != nil {
		t.Fatal(err)
	}
	e := &end{}
	o.Format = f
	o.Received = func(_ *Conn, m *format.Message) { e.got = append(e.got, m.Get(11)) }
	o.Unreadable = func(*Conn, []byte, error) { e.faults++ }
	o.Refused = func(_ *Conn, err error) { e.refused.Store(&err) }
	e.Conn, err = Open(nc, o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func (e *end) say(t *testing.T, n int) {
	t.Helper()
	err := e.Send(format.New("1804").Set(11, fmt.Sprintf("%06d", n)).Set(24, "831"))
	if err != nil {
		t.Error(err)
	}
}

// tap records what goes over a connection.
type tap struct {
	net.Conn
	mu    sync.Mutex
	bytes []byte
}

func (t *tap) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.bytes = append(t.bytes, b...)
	return t.Conn.Write(b)
}

// Both roles speak in envelopes, whatever the framing and the choices; on the wire is the length
// and nothing else of a message, also not its TPDU and header.
func TestCovered(t *testing.T) {
	for name, change := range map[string]func(*Options, *Envelope){
		"plain":   func(*Options, *Envelope) {},
		"padded":  func(_ *Options, e *Envelope) { e.Padding = true },
		"shared":  func(_ *Options, e *Envelope) { e.Share = ShareRequired },
		"legacy":  func(_ *Options, e *Envelope) { e.Legacy = true },
		"ascii4":  func(o *Options, _ *Envelope) { o.Framing = Framing{Length: "ascii4"} },
		"binary4": func(o *Options, _ *Envelope) { o.Framing.Length = "binary4" },
		"headers": func(o *Options, _ *Envelope) {
			o.Framing = Framing{TPDU: true, Header: "49534f30", Inclusive: true}
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			a, b := net.Pipe()
			wires := &tap{Conn: a}
			o := Options{Envelope: covered()}
			change(&o, o.Envelope)
			other := o
			other.Envelope = covered()
			change(&other, other.Envelope)
			o.Dialed = true
			from, to := open(t, wires, o), open(t, b, other)
			for n := range 3 {
				from.say(t, n)
				to.say(t, 10+n)
			}
			synctest.Wait()
			if fmt.Sprint(to.got) != "[000000 000001 000002]" ||
				fmt.Sprint(from.got) != "[000010 000011 000012]" {
				t.Errorf("%s: %v and %v", name, to.got, from.got)
			}
			s := from.Cover()
			if s.Padded != o.Envelope.Padding || s.Shared != (o.Envelope.Share != "") ||
				(s.Suite == envelope.TDES) != o.Envelope.Legacy || s.Sending != 7 {
				t.Errorf("%s: %+v", name, s)
			}
			// A TPDU in clear would stand before an envelope; its five bytes alone may also be the last
			// of a session id and a sequence number.
			for _, clear := range []string{"1804", "831", "000001", "ISO0", "\x60\x00\x00\x00\x00\xe8"} {
				if o.Framing.Length != "ascii4" && bytes.Contains(wires.bytes, []byte(clear)) &&
					clear != "831" {
					t.Errorf("%s: %q is on the wire", name, clear)
				}
			}
			from.Close()
			<-to.Done()
			synctest.Wait()
			if p := to.refused.Load(); p != nil {
				t.Errorf("%s: %v", name, *p)
			}
		})
	}
}

func TestRefusedHandshakes(t *testing.T) {
	for name, other := range map[string]*Envelope{
		"another key":  {Link: "SHOP-1", Keys: map[uint16]envelope.Key{7: linkKey(8)}},
		"another link": {Link: "SHOP-2", Keys: map[uint16]envelope.Key{7: linkKey(7)}},
		"another generation": {Link: "SHOP-1",
			Keys: map[uint16]envelope.Key{8: linkKey(7)}},
		"legacy alone": {Link: "SHOP-1", Legacy: true,
			Keys: map[uint16]envelope.Key{7: linkKey(7)}},
		"no envelope": nil,
	} {
		for _, dialed := range []bool{true, false} {
			synctest.Test(t, func(t *testing.T) {
				a, b := net.Pipe()
				one := open(t, a, Options{Envelope: covered(), Dialed: dialed})
				two := open(t, b, Options{Envelope: other, Dialed: !dialed})
				go two.Send(format.New("1804").Set(11, "000001"))
				if err := one.Ready(context.Background()); !errors.Is(err, ErrClosed) {
					t.Errorf("%s: %v", name, err)
				}
				if err := one.SendBytes([]byte("1804")); !Unsent(err) {
					t.Errorf("%s: sent: %v", name, err)
				}
				two.Close()
				synctest.Wait()
				if one.refused.Load() == nil || len(one.got)+one.faults > 0 {
					t.Errorf("%s: it isn't told, or got something: %v %v %v", name, dialed, one.got, one.faults)
				}
				if p := one.refused.Load(); p != nil && strings.Contains((*p).Error(), "0707") {
					t.Errorf("%s: %v shows a key", name, *p)
				}
			})
		}
	}
}

// A peer that gives its hello one byte at a time doesn't get forever.
func TestSlowHandshake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		one := open(t, a, Options{Envelope: covered()})
		began := time.Now()
		var err error
		for err == nil {
			_, err = b.Write([]byte{0})
			time.Sleep(time.Second)
		}
		<-one.Done()
		synctest.Wait()
		if d := time.Since(began); d > handshakeTime+2*time.Second || one.refused.Load() == nil {
			t.Errorf("it lasts %v", d)
		}
	})
}

// An end with patience waits for a hello for as long as the peer likes, and for the rest of the
// handshake as any other. One that leaves without a word is no fault.
func TestPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		one := open(t, a, Options{Envelope: covered(), Patient: true})
		time.Sleep(24 * time.Hour)
		two := open(t, b, Options{Envelope: covered(), Dialed: true})
		if err := two.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		two.say(t, 1)
		synctest.Wait()
		if !one.Stands() || len(one.got) != 1 {
			t.Errorf("got %v", one.got)
		}
		two.Close()
		<-one.Done()

		a, b = net.Pipe()
		silent := open(t, a, Options{Envelope: covered(), Patient: true})
		time.Sleep(time.Hour)
		b.Close()
		<-silent.Done()
		synctest.Wait()
		if silent.Stands() || silent.refused.Load() != nil {
			t.Error("who said nothing is refused")
		}

		a, b = net.Pipe()
		half := open(t, a, Options{Envelope: covered(), Patient: true})
		hello, err := covered().begin(true, false, nil)
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		go io.Copy(io.Discard, b)
		if _, err := b.Write(half.framer.long(hello.hello)); err != nil {
			t.Fatal(err)
		}
		<-half.Done()
		synctest.Wait()
		if d := time.Since(began); d != handshakeTime || half.refused.Load() == nil {
			t.Errorf("half a handshake lasts %v", d)
		}
	})
}

// New keys go in while both ends talk, and nothing is lost or refused.
func TestNewKeysUnderLoad(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	a, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	b, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	ends := []*end{open(t, a, Options{Envelope: covered(), Dialed: true}),
		open(t, b, Options{Envelope: covered()})}
	const each, keys = 3000, 12
	var talk sync.WaitGroup
	for _, e := range ends {
		talk.Go(func() {
			for n := range each {
				e.say(t, n)
			}
		})
	}
	for _, e := range ends {
		if err := e.Ready(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	for g := uint16(8); g < 8+keys; g++ {
		for _, e := range ends {
			for e.InstallKey(g, linkKey(g)) != nil { // eight wait: the others must move first
				time.Sleep(time.Millisecond)
			}
		}
		for _, e := range ends {
			if err := e.SwitchKey(g); err != nil {
				t.Fatal(err)
			}
			e.say(t, 999999)
		}
	}
	talk.Wait()
	for _, e := range ends {
		e.Close() // what was written before arrives
	}
	for _, e := range ends {
		<-e.Done()
		if p := e.refused.Load(); p != nil {
			t.Error(*p)
		}
		if s := e.Cover(); s.Sending != 7+keys {
			t.Errorf("%+v", s)
		}
	}
}

// A key that comes in the middle of a handshake is installed at its end.
func TestKeyInTheMiddleOfAHandshake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		one := open(t, a, Options{Envelope: covered()})
		if err := one.InstallKey(8, linkKey(8)); err != nil {
			t.Fatal(err)
		}
		two := open(t, b, Options{Envelope: covered(), Dialed: true})
		if err := two.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		err := errors.Join(two.InstallKey(8, linkKey(8)), two.InstallKey(8, linkKey(8)),
			two.SwitchKey(8))
		if err != nil {
			t.Fatal(err)
		}
		two.say(t, 1)
		synctest.Wait()
		if one.Cover().Receiving != 8 || len(one.got) != 1 {
			t.Errorf("%+v", one.Cover())
		}
		one.Cut()
		<-two.Done()
	})
}

// What the peer closes in order ends when we have said our last word, and soon by itself.
func TestPeerClosesInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		one := open(t, a, Options{Envelope: covered()})
		session, hello, err := envelope.Initiate(envelope.Options{Link: "SHOP-1",
			Keys: map[uint16]envelope.Key{7: linkKey(7)}})
		if err != nil {
			t.Fatal(err)
		}
		put := func(frame []byte) {
			b.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(frame))), frame...))
		}
		take := func() (envelope.Event, error) {
			head := make([]byte, 2)
			if _, err := io.ReadFull(b, head); err != nil {
				return envelope.Event{}, err
			}
			frame := make([]byte, binary.BigEndian.Uint16(head))
			if _, err := io.ReadFull(b, frame); err != nil {
				return envelope.Event{}, err
			}
			return session.Receive(frame)
		}
		put(nil) // keeps the line alive
		put(hello)
		for range 2 {
			e, err := take()
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range e.Send {
				put(f)
			}
		}
		put(session.Close())
		go one.say(t, 5)
		if e, err := take(); err != nil || e.Message == nil {
			t.Errorf("nothing comes after our close: %v", err)
		}
		if e, err := take(); err != nil || !e.Closed {
			t.Errorf("%+v, %v", e, err)
		}
		if _, err := take(); !errors.Is(err, io.EOF) {
			t.Errorf("%v", err)
		}
		<-one.Done()
	})
}
