package link

import (
	"bytes"
	"io"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestFramingOnTheWire(t *testing.T) {
	for _, c := range []struct {
		name    string
		framing Framing
		want    string
	}{
		{"binary2", Framing{Length: "binary2"}, "\x00\x05hello"},
		{"binary2 inclusive", Framing{Length: "binary2", Inclusive: true}, "\x00\x07hello"},
		{"binary4", Framing{Length: "binary4"}, "\x00\x00\x00\x05hello"},
		{"binary4 inclusive", Framing{Length: "binary4", Inclusive: true}, "\x00\x00\x00\x09hello"},
		{"ascii4", Framing{Length: "ascii4"}, "0005hello"},
		{"ascii4 inclusive", Framing{Length: "ascii4", Inclusive: true}, "0009hello"},
		{"TPDU", Framing{Length: "binary2", TPDU: true}, "\x00\x0a\x60\x00\x00\x00\x00hello"},
		{"own TPDU", Framing{Length: "binary2", TPDU: true, Header: "6801020304"},
			"\x00\x0a\x68\x01\x02\x03\x04hello"},
		{"header", Framing{Length: "ascii4", Inclusive: true, Header: "49534f30"}, "0013ISO0hello"},
	} {
		f, err := c.framing.compile(1000, 0, false)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		got := f.append(nil, []byte("hello"), Prefix{})
		if diff := cmp.Diff(c.want, string(got)); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
		for i := range got {
			if body, size, fault := f.cut(got[:i]); body != nil || size != 0 || fault != 0 {
				t.Errorf("%s: %d of %d bytes give %q, %d, %v", c.name, i, len(got), body, size, fault)
			}
		}
		body, size, fault := f.cut(append(got, "more"...))
		if fault != 0 || size != len(got) {
			t.Errorf("%s: cut takes %d of %d bytes, %v", c.name, size, len(got), fault)
		}
		if _, frame, fault := f.split(body); string(frame) != "hello" || fault != 0 {
			t.Errorf("%s: split gives %q, %v", c.name, frame, fault)
		}
	}
}

func TestFramingThatCannotBe(t *testing.T) {
	for _, c := range []struct {
		framing Framing
		max     int
		want    string
	}{
		{Framing{Length: "ascii5"}, 100, "binary2, binary4 or ascii4"},
		{Framing{Length: ""}, 100, "binary2, binary4 or ascii4"},
		{Framing{Length: "binary2", Header: "6"}, 100, "not hex"},
		{Framing{Length: "binary2", TPDU: true, Header: "6000"}, 100, "5 bytes"},
		{Framing{Length: "binary2"}, 1 << 16, "at most 65535"},
		{Framing{Length: "binary2", Inclusive: true}, 1<<16 - 1, "at most 65533"},
		{Framing{Length: "ascii4"}, 10000, "at most 9999"},
		{Framing{Length: "ascii4", Inclusive: true}, 9999, "at most 9995"},
		{Framing{Length: "binary2", TPDU: true}, 5, "no room"},
	} {
		_, err := c.framing.compile(c.max, 0, false)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v with frames of %d: %v, want %q", c.framing, c.max, err, c.want)
		}
	}
}

var framings = []Framing{
	{Length: "binary2"}, {Length: "binary2", Inclusive: true}, {Length: "binary4"},
	{Length: "binary4", Inclusive: true}, {Length: "ascii4"}, {Length: "ascii4", Inclusive: true},
	{Length: "binary2", TPDU: true}, {Length: "ascii4", Header: "4953"},
}

func TestFramesComeBackAsTheyWereWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		config := rapid.SampledFrom(framings).Draw(t, "framing")
		f, err := config.compile(2000, 0, true)
		if err != nil {
			t.Fatal(err)
		}
		want := rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 1, 1900), 0, 100).Draw(t, "frames")
		var wire []byte
		for _, frame := range want {
			wire = f.append(wire, frame, Prefix{})
		}
		piece := rapid.IntRange(1, len(wire)+1).Draw(t, "piece")
		got, fault := cutAll(&f, wire, piece)
		if fault != 0 || len(got) != len(want) {
			t.Fatalf("%d of %d frames, %v", len(got), len(want), fault)
		}
		for i := range got {
			if !bytes.Equal(got[i], want[i]) {
				t.Fatalf("frame %d is %x, want %x", i, got[i], want[i])
			}
		}
	})
}

// cutAll reads wire through a stream, so many bytes at a time.
func cutAll(f *framing, wire []byte, piece int) (out [][]byte, fault Cause) {
	s := newStream(&pieces{left: wire, size: piece}, f)
	for {
		body, fault := s.next()
		if fault != 0 {
			return out, fault
		}
		if body == nil {
			if _, err := s.fill(); err != nil {
				return out, 0
			}
			continue
		}
		_, frame, fault := f.split(body)
		if fault != 0 {
			return out, fault
		}
		out = append(out, bytes.Clone(frame))
		if len(s.buf) > s.bound() {
			panic("the buffer is over its bound")
		}
	}
}

type pieces struct {
	net.Conn
	left []byte
	size int
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.left) == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.left[:min(p.size, len(p.left))])
	p.left = p.left[n:]
	return n, nil
}

// FuzzFrames: no input panics or grows a buffer beyond its bound, and how the bytes were split into
// reads makes no difference to what is cut.
func FuzzFrames(f *testing.F) {
	f.Add(byte(0), uint16(1), []byte("\x00\x05hello\x00\x00\x00\x01x"))
	f.Add(byte(4), uint16(3), []byte("0005hello-001"))
	f.Add(byte(3), uint16(7), []byte("\x00\x00\x00\x09hello\xff\xff\xff\xff"))
	f.Add(byte(6), uint16(2), []byte("\x00\x0a\x60\x00\x00\x00\x00hello\x00\x04\x60\x00\x00\x00"))
	f.Add(byte(7), uint16(60000), bytes.Repeat([]byte("0007IShello"), 9000))
	f.Fuzz(func(t *testing.T, which byte, piece uint16, wire []byte) {
		config := framings[int(which)%len(framings)]
		cut, err := config.compile(3000, 0, which&64 != 0)
		if err != nil {
			t.Fatal(err)
		}
		whole, faultWhole := cutAll(&cut, wire, len(wire)+1)
		split, faultSplit := cutAll(&cut, wire, int(piece)+1)
		if faultWhole != faultSplit {
			t.Fatalf("%v in one piece, %v in pieces of %d", faultWhole, faultSplit, piece)
		}
		if !slices.EqualFunc(whole, split, bytes.Equal) {
			t.Fatalf("%x in one piece, %x in pieces of %d", whole, split, piece)
		}
		// What was cut, written again, is what was read, up to the fault.
		var again []byte
		for _, frame := range whole {
			if len(frame) > 0 {
				again = cut.append(again, frame, Prefix{})
			}
		}
		if which&64 == 0 && !config.TPDU && !bytes.HasPrefix(wire, again) {
			t.Fatalf("%x was cut from %x", again, wire)
		}
	})
}
