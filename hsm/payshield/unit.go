package payshield

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"
)

// unit is one HSM with its connections. Each has a goroutine, keep, which dials, serves, and dials
// again.
type unit struct {
	Unit
	config *Config
	group  *group
	queue  chan *question
	counts *counts

	mu       sync.Mutex
	live     int           // connections that count
	gone     chan struct{} // closed when the last of them has ended
	rest     time.Time     // until then others are asked first
	misses   int           // time-outs in a row
	firmware string
	last     error // why a connection last ended or didn't stand
}

func newUnit(u Unit, config *Config, g *group) *unit {
	return &unit{Unit: u, config: config, group: g, counts: newCounts(),
		queue: make(chan *question, config.Limits.Queue), gone: make(chan struct{})}
}

func (u *unit) logger() *slog.Logger { return u.config.Logger.With("unit", u.Name) }

func (u *unit) recognize(id identity) error {
	if err := u.group.recognize(id.lmkCheck); err != nil {
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.firmware = id.firmware
	return nil
}

// keep holds one connection until ctx ends. The pauses between dials double until a connection has
// stood for as long as the pause before it.
func (u *unit) keep(ctx context.Context) {
	limits := u.config.Limits
	pause := limits.RedialFirst
	for ctx.Err() == nil {
		stood, err := u.connect(ctx)
		if ctx.Err() != nil {
			return
		}
		u.note(err)
		if stood >= pause {
			pause = limits.RedialFirst
		}
		select {
		case <-time.After(pause/2 + rand.N(pause/2+1)):
		case <-ctx.Done():
			return
		}
		pause = min(2*pause, limits.RedialMost)
	}
}

// connect dials, greets, and serves until the connection has ended. It gives how long that stood.
func (u *unit) connect(ctx context.Context) (stood time.Duration, err error) {
	until := time.Now().Add(u.config.Limits.Connect)
	dialing, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	raw, err := u.config.Dial(dialing, u.Address)
	if err != nil {
		return 0, err
	}
	defer raw.Close()
	if u.TLS != nil {
		secure := tls.Client(raw, u.TLS)
		if err := secure.HandshakeContext(dialing); err != nil {
			return 0, err
		}
		raw = secure
	}
	closed := context.AfterFunc(dialing, func() { raw.Close() })
	c := newConnection(u, raw)
	id, err := c.greet(until)
	if !closed() && err == nil {
		err = context.Cause(dialing)
	}
	if err == nil {
		err = u.recognize(id)
	}
	if err != nil {
		return 0, err
	}
	u.joined()
	defer u.left()
	up := time.Now()
	err = c.run(ctx)
	return time.Since(up), err
}

// joined counts a connection as up.
func (u *unit) joined() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.live++
	u.misses = 0
	u.last = nil
	if u.live == 1 {
		u.logger().Info("security module is up", "firmware", u.firmware)
	}
	u.group.first()
}

// left counts it off. With the last, what waits is set free: its askers withdraw it, or had it
// taken and have its outcome.
func (u *unit) left() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.live--
	if u.live > 0 {
		return
	}
	u.rest = time.Now().Add(u.config.Limits.Rest)
	close(u.gone)
	u.gone = make(chan struct{})
	for {
		select {
		case <-u.queue:
		default:
			return
		}
	}
}

// note keeps and logs why a connection ended.
func (u *unit) note(err error) {
	if err == nil || orderly(err) {
		return
	}
	u.counts.add("", "connection", 0)
	u.mu.Lock()
	again := u.last != nil && u.last.Error() == err.Error()
	u.last = err
	live := u.live
	u.mu.Unlock()
	hint := "see that the unit listens there, and lets this host in"
	if errors.Is(err, errLMK) {
		hint = "no key of ours works there"
	}
	level := slog.LevelWarn
	if again { // by every connection at every dial: once is enough
		level = slog.LevelDebug
	}
	u.logger().Log(context.Background(), level, "connection to the security module failed",
		"error", err.Error(), "connections", live, "hint", hint)
}

// up says whether the unit may be asked now, whether it is to be asked before others, and what is
// closed when it no longer may.
func (u *unit) up(now time.Time) (up, rested bool, gone <-chan struct{}) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.live > 0, !now.Before(u.rest), u.gone
}

// ask puts a question to the unit and waits for the outcome: an answer, or errUnsent, errFull,
// errCrowded, errLate or errBroken.
func (u *unit) ask(ctx context.Context, c command, fields []byte, patience time.Duration) outcome {
	up, _, gone := u.up(time.Now())
	if !up {
		return outcome{err: errUnsent}
	}
	q := newQuestion(c, fields)
	select {
	case u.queue <- q:
	default:
		return outcome{err: errFull}
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		select {
		case o := <-q.reply:
			return o
		case <-gone:
			if q.withdraw() {
				return outcome{err: errUnsent}
			}
			gone = nil // it was taken, so its outcome is there or near
			continue
		case <-timer.C:
		case <-ctx.Done():
		}
		if q.withdraw() {
			return outcome{err: errCrowded}
		}
		if q.forsake() {
			return outcome{err: errLate}
		}
		return <-q.reply
	}
}

// learn draws the conclusions from an outcome. A wait that was cut short says little.
func (u *unit) learn(o outcome, took time.Duration) {
	u.mu.Lock()
	defer u.mu.Unlock()
	missed := o.err == errLate || o.err == errCrowded
	switch {
	case o.err == nil && !sick(o.result):
		u.misses = 0
		return
	case o.err == nil, missed && took >= u.config.Limits.Timeout/4:
		u.misses++
	default:
		return // connections that end are counted where they do
	}
	if u.misses >= u.config.Limits.Misses {
		u.misses = 0
		u.rest = time.Now().Add(u.config.Limits.Rest)
		u.logger().Warn("security module rests", "hint", "see its load and its error log")
	}
}
