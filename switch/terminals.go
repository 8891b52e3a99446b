package cardswitch

import (
	"container/list"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"cardswitch/hsm/dukpt"
	"cardswitch/store"
	"cardswitch/switch/security"
)

// terminals remembers which counters of their keys terminals have used, and how often in a row
// what they sent couldn't be taken. The windows are beside the journal, written by the batch that
// has the transaction's first record: after a crash both are there, or neither is.
//
// In memory are the terminals of late, so many at most. Of one beyond, the window is read again
// when it comes back, outside the switch's lock. One in use or not yet durable is never let go. A
// terminal that encrypts card data proves its key before it gets a row on the disk; whether a PIN
// is under the right key shows only when it has been taken.
type terminals struct {
	store *store.Store
	most  int

	mu     sync.Mutex
	list   map[terminalKey]*list.Element
	recent list.List // of *terminal, the latest in front
}

type terminalKey struct {
	center uint16
	id     security.Terminal
}

type terminal struct {
	key    terminalKey
	loaded bool
	window dukpt.Window
	users  int // messages on their way through the doors, and batches that aren't durable yet
	failed int // in a row
}

// familyTerminal begins the keys of the windows, among those beside the journal.
const familyTerminal = 'w'

func newTerminals(st *store.Store, most int) *terminals {
	return &terminals{store: st, most: most, list: make(map[terminalKey]*list.Element)}
}

func (k *terminalKey) bytes() []byte {
	return k.id.AppendTo(binary.BigEndian.AppendUint16([]byte{familyTerminal}, k.center))
}

// of finds a terminal or makes it. t.mu is held.
func (t *terminals) of(k terminalKey) *terminal {
	if e := t.list[k]; e != nil {
		t.recent.MoveToFront(e)
		return e.Value.(*terminal)
	}
	one := &terminal{key: k}
	t.list[k] = t.recent.PushFront(one)
	for e := t.recent.Back(); e != nil && len(t.list) > t.most; {
		oldest, next := e.Value.(*terminal), e.Prev()
		if oldest.users == 0 && oldest != one {
			t.recent.Remove(e)
			delete(t.list, oldest.key)
		}
		e = next
	}
	return one
}

// hold gets a terminal with its window, which may be read from the disk. Whoever holds it gives it
// back.
func (t *terminals) hold(k terminalKey) (*terminal, error) {
	t.mu.Lock()
	one := t.of(k)
	one.users++
	loaded := one.loaded
	t.mu.Unlock()
	if loaded {
		return one, nil
	}
	var window dukpt.Window
	value, ok, err := t.store.Get(k.bytes())
	if err == nil && ok {
		window, err = dukpt.ParseWindow(value)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil {
		one.users--
		return nil, fmt.Errorf("the replay window of terminal %s: %w", k.id, err)
	}
	if !one.loaded { // two may have read it; nothing was used before one of them had
		one.loaded, one.window = true, window
	}
	return one, nil
}

func (t *terminals) release(one *terminal) {
	t.mu.Lock()
	one.users--
	t.mu.Unlock()
}

// fresh tells whether a counter can be used, in a window of a width.
func (t *terminals) fresh(one *terminal, counter uint32, width int) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, err := one.next(counter, width)
	return err
}

func (one *terminal) next(counter uint32, width int) (dukpt.Window, error) {
	w, err := one.window, error(nil)
	if w.Width() != width { // a new terminal, or another configuration
		if w, err = w.Resized(width); err != nil {
			return w, err
		}
	}
	return w.Accept(counter)
}

// use takes a counter, by a batch. A message that may use one again, for it goes on with what was
// begun with it, changes nothing if it was used.
func (t *terminals) use(b *store.Batch, one *terminal, counter uint32, width int) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	w, err := one.next(counter, width)
	if err != nil {
		return err
	}
	value, err := w.AppendBinary(nil)
	if err != nil {
		return err
	}
	one.window = w
	one.users++
	b.Set(one.key.bytes(), value)
	b.Then(func() { t.release(one) })
	return nil
}

// proved takes note that a terminal has the right key, after failures or not.
func (t *terminals) proved(k terminalKey) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e := t.list[k]; e != nil {
		e.Value.(*terminal).failed = 0
	}
}

// failure counts one that couldn't be taken, and tells how many there were in a row.
func (t *terminals) failure(k terminalKey) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	one := t.of(k)
	one.failed++
	return one.failed
}

// len is how many are in memory.
func (t *terminals) len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.list)
}

// replayed tells whether an error is that of a counter.
func replayed(err error) bool {
	return errors.Is(err, dukpt.ErrSeen) || errors.Is(err, dukpt.ErrOld)
}
