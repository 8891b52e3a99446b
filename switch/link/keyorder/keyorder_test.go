package keyorder

import (
	"bufio"
	"bytes"
	"errors"
	"net"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWhatIsSaidIsHeard(t *testing.T) {
	a, b := net.Pipe()
	one, two := New(a), New(b)
	order := Order{Round: 3, Version: 9, Coming: map[string][]uint16{"shop/a": {2, 3}}}
	var standing []Standing
	for _, link := range []string{"shop/b", "shop/a", "shop/b"} {
		standing = Count(standing, Standing{link, 1, 2, 1})
	}
	report := Report{Round: 3, Standing: standing}
	go func() { _ = one.Send(order) }()
	var heard Order
	if err := two.Receive(&heard); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(order, heard); diff != "" {
		t.Error(diff)
	}
	go func() { _ = two.Send(report) }()
	var back Report
	if err := one.Receive(&back); err != nil {
		t.Fatal(err)
	}
	want := []Standing{{"shop/a", 1, 2, 1}, {"shop/b", 1, 2, 2}}
	if diff := cmp.Diff(want, back.Standing); diff != "" {
		t.Error(diff)
	}
}

// A message that never ends takes no more memory than the largest.
func TestLongMessagesAreRefused(t *testing.T) {
	a, b := net.Pipe()
	go func() {
		for line := bytes.Repeat([]byte("x"), 64<<10); ; {
			if _, err := a.Write(line); err != nil {
				return
			}
		}
	}()
	c := New(b)
	var o Order
	if err := c.Receive(&o); !errors.Is(err, bufio.ErrTooLong) {
		t.Error(err)
	}
	_ = c.Close()
	if err := New(a).Send(Report{Standing: make([]Standing, mostMessage/32)}); err == nil {
		t.Error("it is said")
	}
}

func FuzzReceive(f *testing.F) {
	f.Add([]byte(`{"round":1,"version":2,"coming":{"a/b":[1]}}` + "\n"))
	f.Add([]byte(`{"round":-1}` + "\n\n[]\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		a, b := net.Pipe()
		go func() {
			_, _ = a.Write(text)
			_ = a.Close()
		}()
		c := New(b)
		for {
			var o Order
			if c.Receive(&o) != nil {
				_ = c.Close()
				return
			}
		}
	})
}
