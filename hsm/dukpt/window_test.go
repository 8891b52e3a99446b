package dukpt

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"
)

func newWindow(t testing.TB, width int) Window {
	t.Helper()
	w, err := NewWindow(width)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestWindowSizes(t *testing.T) {
	for width, ok := range map[int]bool{-1: false, 0: false, 1: true, 64: true, 256: true, 257: false,
		65536 + 64: false} {
		w, err := NewWindow(width)
		if (err == nil) != ok || w.IsZero() == ok || ok && w.Width() != width {
			t.Errorf("width %d: %v", width, err)
		}
	}
	var none Window
	if _, err := none.Accept(1); err == nil || none.Check(1) == nil {
		t.Error("no window takes a counter")
	}
	if _, err := none.AppendBinary(nil); err == nil {
		t.Error("no window is written")
	}
}

// A story told counter by counter.
func TestWindowStory(t *testing.T) {
	w := newWindow(t, 4)
	for i, c := range []struct {
		counter uint32
		want    error
		highest uint32
	}{
		{10, nil, 10}, {10, ErrSeen, 10}, {9, nil, 10}, {7, nil, 10}, {6, ErrOld, 10}, {8, nil, 10},
		{8, ErrSeen, 10}, {9, ErrSeen, 10}, {11, nil, 11}, {7, ErrOld, 11}, {13, nil, 13},
		{12, nil, 13}, {12, ErrSeen, 13}, {10, ErrSeen, 13}, {9, ErrOld, 13}, {500, nil, 500},
		{499, nil, 500}, {13, ErrOld, 500}, {math.MaxUint32, nil, math.MaxUint32},
		{math.MaxUint32, ErrSeen, math.MaxUint32}, {1, ErrOld, math.MaxUint32},
		{math.MaxUint32 - 3, nil, math.MaxUint32}, {math.MaxUint32 - 4, ErrOld, math.MaxUint32},
	} {
		before := w
		if err := w.Check(c.counter); err != c.want || w != before {
			t.Errorf("%d: Check of %d: %v", i, c.counter, err)
		}
		next, err := w.Accept(c.counter)
		if err != c.want || next.Highest() != c.highest || w != before || err != nil && next != w {
			t.Errorf("%d: Accept of %d: %v, highest %d", i, c.counter, err, next.Highest())
		}
		w = next
	}
	if _, err := w.Accept(0); err == nil || err == ErrSeen || err == ErrOld {
		t.Errorf("the counter 0: %v", err)
	}
}

// plainWindow is the same in the plainest way: it remembers everything.
type plainWindow struct {
	width, highest uint32
	used           map[uint32]bool
}

func (p *plainWindow) accept(counter uint32) bool {
	if counter == 0 || p.used[counter] || uint64(counter)+uint64(p.width) <= uint64(p.highest) {
		return false
	}
	p.used[counter] = true
	p.highest = max(p.highest, counter)
	return true
}

// together gives a counter to both windows and compares.
func together(t *testing.T, w Window, p *plainWindow, counter uint32) Window {
	t.Helper()
	repeated := p.used[counter]
	next, err := w.Accept(counter)
	if taken := p.accept(counter); taken != (err == nil) || repeated && err == nil {
		t.Fatalf("width %d, highest %d: the counter %d: %v", w.Width(), w.Highest(), counter, err)
	}
	if next.Highest() != p.highest {
		t.Fatalf("the highest is %d, not %d", next.Highest(), p.highest)
	}
	b, err := next.AppendBinary([]byte("x"))
	if err != nil || len(b) != 1+WindowSize {
		t.Fatal(err)
	}
	if back, err := ParseWindow(b[1:]); err != nil || back != next {
		t.Fatalf("the window comes back as another, %v", err)
	}
	return next
}

// Any order inside the window is taken, each counter once.
func TestWindowAnyOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, width := range []int{1, 2, 63, 64, 65, 127, 128, 129, 255, 256} {
		for range 20 {
			w, p := newWindow(t, width), &plainWindow{width: uint32(width), used: map[uint32]bool{}}
			first := 1 + r.Uint32N(1<<21)
			w = together(t, w, p, first+uint32(width)-1) // the last one comes first
			for _, i := range r.Perm(width - 1) {
				counter := first + uint32(i)
				if err := w.Check(counter); err != nil {
					t.Fatalf("width %d: %d in the window: %v", width, i, err)
				}
				w = together(t, w, p, counter)
			}
			for back := range min(uint32(width)+3, w.Highest()) {
				want := ErrSeen
				if back >= uint32(width) {
					want = ErrOld
				}
				if err := w.Check(w.Highest() - back); err != want {
					t.Fatalf("width %d: %d below the highest: %v", width, back, err)
				}
			}
		}
	}
}

func TestWindowByChance(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, width := range []int{1, 7, 64, 100, 256} {
		w, p := newWindow(t, width), &plainWindow{width: uint32(width), used: map[uint32]bool{}}
		for range 5000 {
			counter := p.highest - min(p.highest, r.Uint32N(uint32(2*width)+2))
			switch r.IntN(4) {
			case 0:
				counter = p.highest + r.Uint32N(5)
			case 1:
				counter = p.highest + r.Uint32N(uint32(width)*2)
			}
			w = together(t, w, p, counter)
		}
		if len(p.used) < 1000 {
			t.Errorf("only %d were taken: the draw tells little", len(p.used))
		}
	}
}

// A change of the width never lets a used counter through again.
func TestWindowResized(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for range 300 {
		from, to := 1+r.IntN(256), 1+r.IntN(256)
		w, used := newWindow(t, from), map[uint32]bool{}
		for range 200 {
			counter := w.Highest() + r.Uint32N(4) - min(w.Highest(), r.Uint32N(40))
			if next, err := w.Accept(counter); err == nil {
				w, used[counter] = next, true
			}
		}
		next, err := w.Resized(to)
		if err != nil || next.Width() != to || next.Highest() != w.Highest() {
			t.Fatal(err)
		}
		for counter := range w.Highest() {
			if used[counter] && next.Check(counter) == nil {
				t.Fatalf("%d to %d: the used counter %d is taken", from, to, counter)
			}
			inBoth := int(w.Highest()-counter) < min(from, to)
			if inBoth && (next.Check(counter) == nil) != (w.Check(counter) == nil) {
				t.Fatalf("%d to %d: the counter %d is forgotten", from, to, counter)
			}
		}
		b, err := next.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := ParseWindow(b); err != nil || back != next {
			t.Fatalf("%d to %d: the window comes back as another, %v", from, to, err)
		}
	}
	if _, err := newWindow(t, 64).Resized(257); err == nil {
		t.Error("a window too wide")
	}
}

func TestParseWindowRefuses(t *testing.T) {
	w := newWindow(t, 3)
	empty, err := w.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, counter := range []uint32{2, 1} {
		if w, err = w.Accept(counter); err != nil {
			t.Fatal(err)
		}
	}
	good, err := w.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	if good[0] != 1 || good[1] != 2 || good[5] != 2 || good[6] != 3 {
		t.Errorf("the window is written as %X", good)
	}
	for name, change := range map[string]func(b []byte) []byte{
		"short":           func(b []byte) []byte { return b[:len(b)-1] },
		"long":            func(b []byte) []byte { return append(b, 0) },
		"nothing":         func(b []byte) []byte { return nil },
		"version":         func(b []byte) []byte { b[0] = 2; return b },
		"outside":         func(b []byte) []byte { b[6] |= 8; return b },
		"far outside":     func(b []byte) []byte { b[len(b)-1] = 0x80; return b },
		"highest unseen":  func(b []byte) []byte { b[6] = 2; return b },
		"counter of zero": func(b []byte) []byte { b[6] |= 4; return b },
		"highest of zero": func(b []byte) []byte { b[5] = 0; return b },
		"marks of empty":  func(b []byte) []byte { copy(b, empty[:6]); return b },
	} {
		if got, err := ParseWindow(change(append([]byte(nil), good...))); err == nil || !got.IsZero() {
			t.Errorf("%s: is taken", name)
		}
	}
	if w, err = newWindow(t, 3).Accept(100); err != nil {
		t.Fatal(err)
	}
	if good, err = w.AppendBinary(nil); err != nil {
		t.Fatal(err)
	}
	good[6] |= 8
	if got, err := ParseWindow(good); err == nil {
		t.Errorf("a mark outside the window is taken: %v", got)
	}
	if got, err := ParseWindow(empty); err != nil || got != newWindow(t, 3) {
		t.Errorf("an empty window: %v", err)
	}
}

// FuzzWindow gives counters in any order, and reads windows of any bytes.
func FuzzWindow(f *testing.F) {
	f.Add(uint8(63), []byte{0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 70, 0, 0, 0, 7, 0xFF, 0xFF, 0xFF, 0xFF})
	f.Add(uint8(0), []byte{0, 0, 0, 9, 0, 0, 0, 8})
	f.Add(uint8(255), make([]byte, WindowSize))
	f.Add(uint8(2), append([]byte{1, 2, 0, 0, 0, 2, 3}, make([]byte, WindowSize-7)...))
	f.Fuzz(func(t *testing.T, width uint8, b []byte) {
		w := newWindow(t, int(width)+1)
		p := &plainWindow{width: uint32(width) + 1, used: map[uint32]bool{}}
		if read, err := ParseWindow(b); err == nil {
			again, err := read.AppendBinary(nil)
			if err != nil || string(again) != string(b) {
				t.Fatalf("the window comes back as %X, %v", again, err)
			}
			w, p = read, remembered(read)
		}
		for range min(len(b)/4, 500) {
			counter := binary.BigEndian.Uint32(b)
			w = together(t, w, p, counter)
			w = together(t, w, p, w.Highest()-min(w.Highest(), counter%300))
			b = b[4:]
		}
	})
}

// remembered is a plain window with the marks of a read one.
func remembered(w Window) *plainWindow {
	p := &plainWindow{uint32(w.Width()), w.Highest(), map[uint32]bool{}}
	for back := range min(uint32(w.Width()), w.Highest()) {
		if counter := w.Highest() - back; w.Check(counter) == ErrSeen {
			p.used[counter] = true
		}
	}
	return p
}
