package wire

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"cardswitch/conformance/format"
)

func TestFrames(t *testing.T) {
	for _, c := range []struct {
		framing    Framing
		tpdu, want string
	}{
		{Framing{}, "", "0003616263"},
		{Framing{Inclusive: true}, "", "0005616263"},
		{Framing{Length: "binary4"}, "", "00000003616263"},
		{Framing{Length: "binary4", Inclusive: true}, "", "00000007616263"},
		{Framing{Length: "ascii4"}, "", "30303033616263"},
		{Framing{Length: "ascii4", Inclusive: true}, "", "30303037616263"},
		{Framing{Header: "49534f"}, "", "000649534f616263"},
		{Framing{TPDU: true}, "6011112222", "00086022221111616263"},
		{Framing{TPDU: true}, "", "00086000000000616263"},
		{Framing{TPDU: true, Header: "ff", Length: "ascii4"}, "", "303030396000000000ff616263"},
	} {
		f, err := c.framing.compile()
		if err != nil {
			t.Fatal(err)
		}
		tpdu, err := hex.DecodeString(c.tpdu)
		if err != nil {
			t.Fatal(err)
		}
		frame := f.frame([]byte("abc"), tpdu)
		if got := hex.EncodeToString(frame); got != c.want {
			t.Errorf("%+v: %s, want %s", c.framing, got, c.want)
		}
		message, _, err := f.next(bytes.NewReader(frame))
		if err != nil || string(message) != "abc" {
			t.Errorf("%+v reads %q, %v", c.framing, message, err)
		}
		if _, _, err := f.next(bytes.NewReader(frame[:len(frame)-1])); err == nil {
			t.Errorf("%+v reads half a frame", c.framing)
		}
	}
}

func TestBadLengthsAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		framing Framing
		bytes   string
	}{
		"negative":         {Framing{Length: "ascii4"}, "-001"},
		"letters":          {Framing{Length: "ascii4"}, "00x1"},
		"huge":             {Framing{Length: "binary4"}, "\x7f\xff\xff\xff"},
		"less than itself": {Framing{Inclusive: true}, "\x00\x01"},
		"no room for TPDU": {Framing{TPDU: true}, "\x00\x04abcd"},
	} {
		f, err := c.framing.compile()
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := f.next(bytes.NewReader([]byte(c.bytes))); err == nil {
			t.Errorf("%s: read", name)
		}
	}
	for _, f := range []Framing{{Length: "bcd2"}, {Header: "xyz"}} {
		if _, err := f.compile(); err == nil {
			t.Errorf("%+v was taken", f)
		}
	}
}

// A pair of connections over a pipe: what one sends the other receives in order; a cut ends both.
func TestInOrderAndCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, err := format.Named("ascii-binary")
		if err != nil {
			t.Fatal(err)
		}
		a, b := net.Pipe()
		var got []string
		var closed atomic.Int32
		options := Options{
			Format:   f,
			Received: func(_ *Conn, m *format.Message) { got = append(got, m.Get(11)) },
			Closed:   func(*Conn) { closed.Add(1) },
		}
		from, err := Open(a, options)
		if err != nil {
			t.Fatal(err)
		}
		to, err := Open(b, options)
		if err != nil {
			t.Fatal(err)
		}
		for _, stan := range []string{"000001", "000002", "000003"} {
			if err := from.Send(format.New("1804").Set(11, stan).Set(24, "831")); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if len(got) != 3 || got[0] != "000001" || got[2] != "000003" {
			t.Errorf("received %v", got)
		}
		from.Cut()
		<-to.Done()
		synctest.Wait()
		if closed.Load() != 2 {
			t.Errorf("%d ends closed", closed.Load())
		}
		if err := from.Send(format.New("1804")); !Unsent(err) {
			t.Errorf("send after the end: %v", err)
		}
	})
}

// A peer that doesn't read can't hold a sender for longer than the write's deadline.
func TestSilentPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, err := format.Named("ascii-binary")
		if err != nil {
			t.Fatal(err)
		}
		a, b := net.Pipe()
		defer b.Close()
		c, err := Open(a, Options{Format: f, WriteTimeout: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		err = c.Send(format.New("1804").Set(11, "000001"))
		if err == nil || Unsent(err) || time.Since(begun) != time.Second {
			t.Errorf("after %v: %v", time.Since(begun), err)
		}
		<-c.Done()
	})
}

func TestUnreadableIsReportedAndTheLineGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, err := format.Named("ascii-binary")
		if err != nil {
			t.Fatal(err)
		}
		a, b := net.Pipe()
		var faults []error
		var read int
		to, err := Open(b, Options{
			Format:     f,
			Received:   func(*Conn, *format.Message) { read++ },
			Unreadable: func(_ *Conn, _ []byte, err error) { faults = append(faults, err) },
		})
		if err != nil {
			t.Fatal(err)
		}
		from, err := Open(a, Options{Format: f})
		if err != nil {
			t.Fatal(err)
		}
		err = errors.Join(from.SendBytes([]byte("1210 no message")),
			from.Send(format.New("1804").Set(11, "000001")))
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if read != 1 || len(faults) != 1 {
			t.Errorf("read %d, faults %v", read, faults)
		}
		if _, ok := errors.AsType[*format.Fault](faults[0]); !ok {
			t.Errorf("%v", faults[0])
		}
		if err := from.SendFrame([]byte{0xff}); err != nil && !errors.Is(err, io.EOF) {
			t.Error(err)
		}
		from.Close()
		<-to.Done()
	})
}
