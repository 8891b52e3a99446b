package linktest

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

func TestBytesArriveInOrderThroughASmallBuffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := Pipe(10)
		want := bytes.Repeat([]byte("0123456789abcdef"), 100)
		go func() {
			for i := 0; i < len(want); i += 7 {
				a.Write(want[i:min(i+7, len(want))])
			}
			a.Close()
		}()
		got, err := io.ReadAll(b)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d of %d bytes, %v", len(got), len(want), err)
		}
	})
}

func TestDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _ := Pipe(10)
		start := time.Now()
		a.SetReadDeadline(start.Add(time.Second))
		if _, err := a.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) ||
			time.Since(start) != time.Second {
			t.Errorf("read: %v after %v", err, time.Since(start))
		}
		a.SetWriteDeadline(start.Add(3 * time.Second))
		n, err := a.Write(make([]byte, 11))
		if n != 10 || !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != 3*time.Second {
			t.Errorf("write: %d, %v after %v", n, err, time.Since(start))
		}
		var timeout net.Error
		if !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Errorf("%v is no time-out to package net", err)
		}
		go func() {
			time.Sleep(time.Second)
			a.SetReadDeadline(time.Now()) // wakes who reads
		}()
		a.SetReadDeadline(time.Time{})
		if _, err := a.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("read: %v", err)
		}
	})
}

func TestDelayKeepsTheOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := Pipe(1000)
		delays := []time.Duration{3 * time.Second, time.Second, 5 * time.Second}
		a.Delay(func(int) time.Duration {
			d := delays[0]
			delays = delays[1:]
			return d
		})
		start := time.Now()
		for _, s := range []string{"one", "two", "three"} {
			a.Write([]byte(s))
		}
		a.CloseWrite()
		buf := make([]byte, 100)
		for _, want := range []struct {
			text string
			at   time.Duration
		}{{"onetwo", 3 * time.Second}, {"three", 5 * time.Second}, {"", 5 * time.Second}} {
			n, err := b.Read(buf)
			if string(buf[:n]) != want.text || time.Since(start) != want.at ||
				(err == io.EOF) != (want.text == "") {
				t.Errorf("%q, %v after %v, want %+v", buf[:n], err, time.Since(start), want)
			}
		}
	})
}

func TestCutAfterIsExact(t *testing.T) {
	for cut := range 12 {
		synctest.Test(t, func(t *testing.T) {
			a, b := Pipe(1000)
			a.CutAfter(cut)
			n1, err1 := a.Write(make([]byte, 5))
			n2, err2 := a.Write(make([]byte, 5))
			if n1 != min(cut, 5) || n2 != min(max(cut-5, 0), 5) {
				t.Errorf("cut after %d: %d and %d bytes left", cut, n1, n2)
			}
			if (err1 == nil) != (cut >= 5) || (err2 == nil) != (cut >= 10) {
				t.Errorf("cut after %d: %v, %v", cut, err1, err2)
			}
			if cut < 10 {
				if _, err := b.Read(make([]byte, 1)); !errors.Is(err, ErrCut) {
					t.Errorf("the other end sees %v", err)
				}
			}
		})
	}
}

func TestCloseAndListen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(100)
		l, err := n.Listen("10.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := n.Listen(l.Addr().String()); err == nil {
			t.Error("two listen on one address")
		}
		c, err := n.DialFrom(t.Context(), "10.0.0.2", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		s, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if s.RemoteAddr().String() != c.LocalAddr().String() ||
			s.LocalAddr().String() != c.RemoteAddr().String() {
			t.Errorf("%v-%v at one end, %v-%v at the other", s.LocalAddr(), s.RemoteAddr(),
				c.LocalAddr(), c.RemoteAddr())
		}
		c.Write([]byte("bye"))
		c.Close()
		if got, err := io.ReadAll(s); string(got) != "bye" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
		if _, err := s.Write([]byte("x")); !errors.Is(err, ErrCut) {
			t.Errorf("writing to a closed end: %v", err)
		}
		if _, err := c.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
			t.Errorf("writing on a closed connection: %v", err)
		}
		l.Close()
		if _, err := n.Dial(t.Context(), l.Addr().String()); err == nil {
			t.Error("a closed listener takes connections")
		}
		if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("accept: %v", err)
		}
	})
}
