package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// bar shows how far something is: on a terminal as a bar that moves, elsewhere by a line now and
// then. It is used by one goroutine at a time.
type bar struct {
	out         io.Writer
	paint       paint
	total, done int
	good        int
	before      int // done before it began
	began       time.Time
	shown       time.Time
}

const (
	barEvery   = 200 * time.Millisecond
	plainLines = 10 * time.Second
)

func newBar(out io.Writer, total, done int) *bar {
	now := time.Now()
	b := &bar{out: out, paint: painter(out), total: total, done: done, before: done, began: now,
		shown: now}
	if done > 0 {
		b.say(fmt.Sprintf("%d of %d are done already", done, total))
	}
	return b
}

// step counts one more.
func (b *bar) step(good bool) {
	b.done++
	if good {
		b.good++
	}
	every := plainLines
	if b.paint.on {
		every = barEvery
	}
	if time.Since(b.shown) >= every {
		b.show()
	}
}

func (b *bar) show() {
	b.shown = time.Now()
	rate := float64(b.done-b.before) / max(time.Since(b.began).Seconds(), 1e-3)
	left := time.Duration(float64(b.total-b.done)/max(rate, 1e-3)) * time.Second
	text := fmt.Sprintf("%3d %%  %d of %d  %.0f/s  %s left  %d approved", 100*b.done/b.total, b.done,
		b.total, rate, left.Round(time.Second), b.good)
	if !b.paint.on {
		fmt.Fprintln(b.out, text)
		return
	}
	const cells = 20
	full := cells * b.done / b.total
	fmt.Fprintf(b.out, "\r\x1b[K%s%s %s", b.paint.in(inGreen, strings.Repeat("█", full)),
		b.paint.in(inFaint, strings.Repeat("░", cells-full)), text)
}

// say prints a line of its own.
func (b *bar) say(text string) {
	if b.paint.on {
		fmt.Fprint(b.out, "\r\x1b[K")
	}
	fmt.Fprintln(b.out, text)
}

// end shows the last state.
func (b *bar) end() {
	b.show()
	if b.paint.on {
		fmt.Fprintln(b.out)
	}
}
