package envelope

import (
	"bytes"
	"slices"
	"testing"
)

func TestBadHellos(t *testing.T) {
	_, frame, err := Initiate(options())
	if err != nil {
		t.Fatal(err)
	}
	nonce := make([]byte, 32)
	head := frame[:headerSize]
	for name, body := range map[string][]byte{
		"no link": slices.Concat(nonce, []byte{0, 1, 1}),
		"a long link": slices.Concat(nonce, []byte{65}, bytes.Repeat([]byte("a"), 65),
			[]byte{1, 1}),
		"a blank in the link": slices.Concat(nonce, []byte("\x06SHOP 1\x01\x01")),
		"no suites":           slices.Concat(nonce, []byte("\x06SHOP-1\x00")),
		"17 suites":           slices.Concat(nonce, []byte("\x06SHOP-1\x1123456789abcdefgh")),
		"a suite twice":       slices.Concat(nonce, []byte("\x06SHOP-1\x02\x01\x01")),
		"option zero":         slices.Concat(nonce, []byte("\x06SHOP-1\x01\x01\x00\x00\x00")),
		"an option twice": slices.Concat(nonce,
			[]byte("\x06SHOP-1\x01\x01\x01\x00\x00\x01\x00\x00")),
		"descending options": slices.Concat(nonce,
			[]byte("\x06SHOP-1\x01\x01\x09\x00\x00\x01\x00\x00")),
		"padding with a value": slices.Concat(nonce, []byte("\x06SHOP-1\x01\x01\x01\x00\x01a")),
		"half an option":       slices.Concat(nonce, []byte("\x06SHOP-1\x01\x01\x09\x00")),
		"a long option":        slices.Concat(nonce, []byte("\x06SHOP-1\x01\x01\x09\x00\x02a")),
		"a term of 4 bytes":    slices.Concat(nonce, []byte("\x06SHOP-1\x01\x01\x03\x00\x04aaaa")),
		"a share of one byte":  slices.Concat(nonce, []byte("\x06SHOP-1\x01\x01\x02\x00\x01a")),
		"too long": slices.Concat(nonce, []byte("\x06SHOP-1\x01\x01\x09\x07\xbd"),
			make([]byte, 0x7bd)),
	} {
		a, err := Accept(options())
		if err != nil {
			t.Fatal(err)
		}
		e, err := a.Receive(slices.Concat(head, body))
		if err == nil {
			t.Errorf("%s: taken", name)
		}
		if len(e.Send) != 1 || !bytes.Equal(e.Send[0], clearAlert(1)) {
			t.Errorf("%s: answered %x", name, e.Send)
		}
	}
	a, err := Accept(options())
	if err != nil {
		t.Fatal(err)
	}
	unknown := slices.Concat(frame, []byte{9, 0, 1, 'a'}) // an option of a later version
	if _, err := a.Receive(unknown); err != nil {
		t.Errorf("an unknown option: %v", err)
	}
}

// Fuzz: no frame makes either end panic, in any phase, and none is taken that wasn't sealed.
func FuzzReceive(f *testing.F) {
	_, frame, err := Initiate(options())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(byte(0), frame)
	f.Add(byte(1), frame)
	f.Add(byte(2), clearAlert(1))
	f.Add(byte(3), make([]byte, 100))
	termed := options()
	termed.Terms, termed.Term = new(Terms), 5
	if _, frame, err = Initiate(termed); err != nil {
		f.Fatal(err)
	}
	f.Add(byte(8), frame)
	f.Fuzz(func(t *testing.T, phase byte, frame []byte) {
		i, a := options(), options()
		i.Share, a.Share = phase&4 > 0, phase&4 > 0
		if phase&8 > 0 {
			i.Terms, i.Term, a.Terms, a.Term = new(Terms), 5, new(Terms), 6
		}
		var s *Session
		switch phase % 4 {
		case 0:
			s, _ = Accept(a)
		case 1:
			s, _, _ = Initiate(i)
		case 2:
			_, s, _ = shake(i, a, nil)
		case 3:
			s, _, _ = shake(i, a, nil)
		}
		e, err := s.Receive(frame)
		if err == nil && phase%4 > 0 {
			t.Errorf("taken: %q", e.Message)
		}
	})
}
