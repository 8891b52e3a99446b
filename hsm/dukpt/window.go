package dukpt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
)

const (
	// DefaultWidth is the width of a window that nobody chose.
	DefaultWidth = 64
	// MostWidth is the widest window.
	MostWidth = 256
	// WindowSize is the bytes of a window as AppendBinary writes it.
	WindowSize = 6 + MostWidth/8
)

// The two ways in which a counter is refused. A terminal that shows them is watched: one now and
// then is a message sent twice, many are someone who plays back what was recorded.
var (
	ErrSeen = errors.New("the counter of the KSN was used before")
	ErrOld  = errors.New("the counter of the KSN is older than the window, so it may have been used" +
		" before (hint: a terminal that stores and forwards much needs a wider window)")
)

var errWindow = errors.New("there is no replay window")

// Window remembers which counters of one initial key were used: the highest, and of those at most
// width-1 below it which. Each counter is taken once, in any order inside the window; what lies
// below it is refused. It's a pure value, kept under the name of the initial key: a terminal with a
// new initial key has a new window. The zero value refuses everything.
//
// Counters grow but aren't consecutive: those with too many bits set are left out, which of TDES
// are half of all and most of the high ones, and a terminal may spend some on messages that go
// elsewhere. The width is in counters as numbers, so it may span fewer transactions than it says.
//
// Take a counter only of a message that proved its key, by its MAC or by what it deciphered to. Or
// else anybody could send a KSN with the last counter and lock the terminal out. Keep the new
// window by the same commit that keeps the message.
type Window struct {
	highest uint32
	width   uint16
	seen    [MostWidth / 64]uint64 // bit i of the row: highest-i was used, or can't be any more
}

// NewWindow has seen nothing. The width is 1 to 256; 1 means that counters must only grow.
func NewWindow(width int) (Window, error) {
	if width < 1 || width > MostWidth {
		return Window{}, fmt.Errorf("a replay window has a width of 1 to %d, not %d", MostWidth, width)
	}
	return Window{width: uint16(width)}, nil
}

// IsZero tells that there is no window.
func (w Window) IsZero() bool { return w.width == 0 }

// Highest is the highest counter that was used, 0 if none was.
func (w Window) Highest() uint32 { return w.highest }

// Width is how many counters the window spans.
func (w Window) Width() int { return int(w.width) }

// Check tells whether Accept would take a counter.
func (w Window) Check(counter uint32) error {
	switch {
	case w.width == 0:
		return errWindow
	case counter == 0:
		return errors.New("the counter of a KSN is zero, which no transaction has")
	case counter > w.highest:
		return nil
	}
	back := w.highest - counter
	switch {
	case back < uint32(w.width) && w.has(back):
		return ErrSeen
	case back < uint32(w.width):
		return nil
	}
	return ErrOld
}

// Accept gives the window with a counter taken, or the same window and ErrSeen or ErrOld.
func (w Window) Accept(counter uint32) (Window, error) {
	if err := w.Check(counter); err != nil {
		return w, err
	}
	next := w
	if counter > w.highest {
		next.move(counter - w.highest)
		next.highest = counter
	}
	next.set(next.highest - counter)
	return next, nil
}

// Resized has another width. What a wider window didn't remember counts as used.
func (w Window) Resized(width int) (Window, error) {
	next, err := NewWindow(width)
	if err != nil || w.width == 0 {
		return next, err
	}
	next.highest = w.highest
	for i := range uint32(width) {
		if i < w.highest && (i >= uint32(w.width) || w.has(i)) {
			next.set(i)
		}
	}
	return next, nil
}

func (w *Window) has(back uint32) bool { return w.seen[back/64]>>(back%64)&1 == 1 }

func (w *Window) set(back uint32) { w.seen[back/64] |= 1 << (back % 64) }

// move makes room for a counter that is higher by n.
func (w *Window) move(n uint32) {
	old := w.seen
	w.seen = [len(w.seen)]uint64{}
	words, rest := n/64, n%64
	for i := words; i < uint32(len(w.seen)); i++ {
		w.seen[i] = old[i-words] << rest
		if i > words && rest > 0 {
			w.seen[i] |= old[i-words-1] >> (64 - rest)
		}
	}
	w.trim()
}

// trim forgets what lies outside the window, so that equal windows are equal values.
func (w *Window) trim() {
	for i := range w.seen {
		kept := min(max(int(w.width)-64*i, 0), 64)
		w.seen[i] &= 1<<kept - 1
	}
}

// windowVersion is the first byte of a window that is kept.
const windowVersion = 1

// AppendBinary appends WindowSize bytes: a version, the width less one, the highest counter in 4,
// and 32 of marks, where bit i of byte j is for the counter highest-8j-i.
func (w Window) AppendBinary(dst []byte) ([]byte, error) {
	if w.width == 0 {
		return nil, errWindow
	}
	dst = append(dst, windowVersion, byte(w.width-1))
	dst = binary.BigEndian.AppendUint32(dst, w.highest)
	for _, word := range w.seen {
		dst = binary.LittleEndian.AppendUint64(dst, word)
	}
	return dst, nil
}

// ParseWindow reads what AppendBinary wrote, and refuses what no window is.
func ParseWindow(b []byte) (Window, error) {
	if len(b) != WindowSize || b[0] != windowVersion {
		return Window{}, fmt.Errorf("a replay window has %d bytes, not %d, and begins with %d",
			WindowSize, len(b), windowVersion)
	}
	w := Window{width: uint16(b[1]) + 1, highest: binary.BigEndian.Uint32(b[2:])}
	for i := range w.seen {
		w.seen[i] = binary.LittleEndian.Uint64(b[6+8*i:])
	}
	trimmed := w
	trimmed.trim()
	if trimmed != w || w.has(0) != (w.highest > 0) || w.top() >= max(w.highest, 1) {
		return Window{}, errors.New("a replay window has marks where no counter is")
	}
	return w, nil
}

// top is the place of the oldest mark, 0 if there is none.
func (w *Window) top() uint32 {
	for i := len(w.seen) - 1; i >= 0; i-- {
		if w.seen[i] != 0 {
			return uint32(64*i + bits.Len64(w.seen[i]) - 1)
		}
	}
	return 0
}
