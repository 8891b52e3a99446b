package payshield

import (
	"bytes"
	"sync"
	"time"
)

// window is the questions of a connection that have no answer yet, by their headers.
type window struct {
	size int // characters of a header

	mu   sync.Mutex
	next uint64
	open map[string]pending
}

type pending struct {
	question *question
	since    time.Time
}

// digits of a header: 36^4 are enough that none comes twice in any time an answer may be late.
const headerDigits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"

func newWindow(size int, first uint64) *window {
	return &window{size: size, next: first, open: make(map[string]pending)}
}

// add gives a question a header that no other has.
func (w *window) add(q *question) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	for {
		h := w.header(w.next)
		w.next++
		if _, used := w.open[h]; !used {
			w.open[h] = pending{q, time.Now()}
			return h
		}
	}
}

// header writes a number from the right; what doesn't fit falls off.
func (w *window) header(n uint64) string {
	h := bytes.Repeat([]byte{'0'}, w.size)
	for i := w.size - 1; i >= 0 && n > 0; i-- {
		h[i] = headerDigits[n%36]
		n /= 36
	}
	return string(h)
}

// remove gives the question of a header.
func (w *window) remove(header string) (*question, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	p, ok := w.open[header]
	delete(w.open, header)
	return p.question, ok
}

// drain gives all that is open.
func (w *window) drain() []*question {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []*question
	for _, p := range w.open {
		all = append(all, p.question)
	}
	clear(w.open)
	return all
}

// length is how many are open.
func (w *window) length() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.open)
}

// oldest is since when the longest has been open.
func (w *window) oldest() (since time.Time, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.open {
		if !ok || p.since.Before(since) {
			since, ok = p.since, true
		}
	}
	return since, ok
}
