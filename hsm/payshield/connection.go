package payshield

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"time"
)

// connection is one live connection to a unit. Two goroutines have it: run, which writes, and
// listen, which reads. What they share is the window.
type connection struct {
	unit   *unit
	raw    net.Conn
	frames *frames
	window *window

	heard atomic.Bool   // since run last looked
	room  chan struct{} // of one: there is room in the window again
	ended chan error    // of one: why listen ended
	probe *question     // NC that has no answer yet; of run
}

func newConnection(u *unit, raw net.Conn) *connection {
	return &connection{unit: u, raw: raw, frames: newFrames(raw),
		window: newWindow(u.config.Header, rand.Uint64()),
		room:   make(chan struct{}, 1), ended: make(chan error, 1)}
}

// greet asks NC before the connection counts: whether anybody is there, and with which LMK.
func (c *connection) greet(until time.Time) (identity, error) {
	if err := c.raw.SetDeadline(until); err != nil {
		return identity{}, err
	}
	q := newQuestion(diagnose, lmk(nil, c.unit.config.LMK))
	q.take()
	if err := c.write(q); err != nil {
		return identity{}, err
	}
	message, err := c.frames.next()
	if err != nil {
		return identity{}, err
	}
	if err := c.deliver(message); err != nil {
		return identity{}, err
	}
	if err := c.raw.SetDeadline(time.Time{}); err != nil {
		return identity{}, err
	}
	return identify(<-q.reply)
}

// identify reads the outcome of NC.
func identify(o outcome) (identity, error) {
	switch {
	case o.err != nil:
		return identity{}, o.err
	case o.result != done:
		return identity{}, refusal(diagnose, o.result)
	}
	return readIdentity(o.rest)
}

// run serves the unit's queue until the connection ends, and says why it did. All questions that it
// took have an outcome then.
func (c *connection) run(ctx context.Context) error {
	closed := context.AfterFunc(ctx, func() { c.raw.Close() })
	go func() { c.ended <- c.listen() }()
	err := c.serve(ctx)
	closed()
	c.raw.Close()
	<-c.ended
	for _, q := range c.window.drain() {
		q.answer(outcome{err: errBroken})
	}
	c.frames.wipe()
	return err
}

// serve takes questions while there is room, and sees that the unit still answers. It gives
// listen's reason when that ends.
func (c *connection) serve(ctx context.Context) error {
	limits := c.unit.config.Limits
	look := time.NewTicker(limits.Health)
	defer look.Stop()
	for {
		queue := c.unit.queue
		if c.window.length() >= limits.Outstanding {
			queue = nil
		}
		var answer chan outcome
		if c.probe != nil {
			answer = c.probe.reply
		}
		select {
		case q := <-queue:
			if !q.take() {
				continue
			}
			if err := c.send(q); err != nil {
				return err
			}
		case <-c.room:
		case o := <-answer:
			c.probe = nil
			if err := c.checkProbe(o); err != nil {
				return err
			}
		case <-look.C:
			if err := c.look(); err != nil {
				return err
			}
		case err := <-c.ended:
			c.ended <- err
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// send writes a question, with a deadline: a unit that doesn't read is no unit.
func (c *connection) send(q *question) error {
	if err := c.raw.SetWriteDeadline(time.Now().Add(c.unit.config.Limits.Timeout)); err != nil {
		q.answer(outcome{err: errUnsent})
		return err
	}
	return c.write(q)
}

func (c *connection) write(q *question) error {
	header := c.window.add(q)
	message, err := appendMessage(nil, header, q.command, q.fields)
	defer clear(message)
	defer clear(q.fields)
	if err != nil { // bounded before, so not reached
		c.window.remove(header)
		q.answer(outcome{err: err})
		return nil
	}
	_, err = c.raw.Write(message)
	return err
}

// look is what is done now and then: a silent connection is asked NC, and one whose NC, or any
// question, stays unanswered for too long has ended.
func (c *connection) look() error {
	limits := c.unit.config.Limits
	if since, ok := c.window.oldest(); ok && time.Since(since) >= limits.Lost {
		return fmt.Errorf("%w for %v", errLate, limits.Lost)
	}
	if c.heard.Swap(false) {
		return nil
	}
	if c.probe != nil {
		return fmt.Errorf("%w to NC", errLate)
	}
	c.probe = newQuestion(diagnose, lmk(nil, c.unit.config.LMK))
	c.probe.take()
	return c.send(c.probe)
}

func (c *connection) checkProbe(o outcome) error {
	id, err := identify(o)
	if err != nil {
		return err
	}
	return c.unit.recognize(id)
}

// listen delivers answers until the connection ends.
func (c *connection) listen() error {
	for {
		message, err := c.frames.next()
		if err != nil {
			return err
		}
		if err := c.deliver(message); err != nil {
			return err
		}
		select {
		case c.room <- struct{}{}:
		default:
		}
	}
}

// deliver gives an answer to its question. One that nobody waits for is dropped. One to nothing, or
// of another command, means that nothing on this connection can be trusted any more.
func (c *connection) deliver(message []byte) error {
	a, err := parseAnswer(c.window.size, message)
	if err != nil {
		return err
	}
	q, ok := c.window.remove(a.header)
	if !ok {
		return errDisorder
	}
	if a.code != q.command.answer() {
		q.answer(outcome{err: errBroken})
		return errDisorder
	}
	c.heard.Store(true)
	if !q.answer(outcome{result: a.result, rest: a.rest}) {
		c.unit.counts.add(q.command, "late", 0)
	}
	return nil
}

// orderly tells that a connection ended because the module was closed.
func orderly(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, net.ErrClosed)
}
