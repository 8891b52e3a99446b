package payshield

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"
)

// Config is what a Module must know. Zero values mean the defaults.
type Config struct {
	// Units are the primary and, if there is one, the standby. Both hold the same LMK.
	Units []Unit

	// Header is the characters of the message header, 2 to 32, as the units are configured; 4.
	Header int
	// LMK is the identifier of the key block LMK, "00" to "99"; "" is that of the units' port.
	LMK string
	// LMKCheck is the check value of the LMK, 16 hexadecimal digits as NC shows it. A unit with
	// another isn't used. Without it the first unit that answers says what it is.
	LMKCheck string
	// KSNDescriptor says how a KSN of 20 digits is divided: into the digits that name the BDK, the
	// sub-key, and the device. "" is "A05", which is common.
	KSNDescriptor string

	Limits Limits
	Logger *slog.Logger // nil: slog.Default

	// Dial is where connections come from; nil is TCP. Simulations bring their own.
	Dial func(ctx context.Context, address string) (net.Conn, error)
}

// Unit is one HSM.
type Unit struct {
	Name    string // for operators and counters; "" is its address
	Address string
	TLS     *tls.Config // nil: plain
}

// Limits bound what a Module does. Zero values mean the defaults.
type Limits struct {
	Connections int // to each unit; 4
	Outstanding int // commands of a connection that may be unanswered; 8
	Queue       int // commands that wait for a place at a unit; 256

	Timeout    time.Duration // for an answer to a command of a transaction; 1 s
	KeyTimeout time.Duration // for one to a command that makes or moves keys; 5 s
	Connect    time.Duration // for a connection to stand and answer NC; 3 s
	Health     time.Duration // a connection that was silent so long is asked NC; 2 s
	Lost       time.Duration // a question unanswered so long ends its connection; 10 s

	Misses int           // so many time-outs in a row let a unit rest; 3
	Rest   time.Duration // so long, and after each failure; 5 s

	RedialFirst time.Duration // pause before connecting again, doubled each time ...; 250 ms
	RedialMost  time.Duration // ... up to this; 10 s
}

const (
	leastHeader, mostHeader = 2, 32
	mostConnections         = 64
	mostOutstanding         = 256
)

// complete fills in the defaults and says what is wrong.
func (c Config) complete() (Config, error) {
	c.Header = cmp.Or(c.Header, 4)
	c.KSNDescriptor = cmp.Or(c.KSNDescriptor, "A05")
	c.Limits = c.Limits.complete()
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Dial == nil {
		c.Dial = dialTCP
	}
	if n := len(c.Units); n < 1 || n > 2 {
		return c, fmt.Errorf("payshield: there are %d units (hint: a primary and maybe a standby)", n)
	}
	c.Units = append([]Unit(nil), c.Units...)
	for i := range c.Units {
		if c.Units[i].Address == "" {
			return c, errors.New("payshield: a unit has no address (hint: host:port, often port 1500)")
		}
		c.Units[i].Name = cmp.Or(c.Units[i].Name, c.Units[i].Address)
	}
	if len(c.Units) == 2 && c.Units[0].Name == c.Units[1].Name {
		return c, errors.New("payshield: both units have the same name")
	}
	switch {
	case c.Header < leastHeader || c.Header > mostHeader:
		return c, fmt.Errorf("payshield: a message header has %d to %d characters, not %d", leastHeader,
			mostHeader, c.Header)
	case c.LMK != "" && (len(c.LMK) != 2 || !decimal(c.LMK)):
		return c, errors.New(`payshield: an LMK identifier has two digits (hint: "00")`)
	case c.LMKCheck != "" && (len(c.LMKCheck) != lmkCheckSize || !hexadecimal(c.LMKCheck)):
		return c, errors.New("payshield: the check value of an LMK has 16 digits 0 to F in capitals " +
			"(hint: command NC, or VR at the console, shows it)")
	case len(c.KSNDescriptor) != 3 || !hexadecimal(c.KSNDescriptor):
		return c, errors.New(`payshield: a KSN descriptor has three digits 0 to F (hint: "A05")`)
	}
	return c, c.Limits.validate()
}

func (l Limits) complete() Limits {
	l.Connections = cmp.Or(l.Connections, 4)
	l.Outstanding = cmp.Or(l.Outstanding, 8)
	l.Queue = cmp.Or(l.Queue, 256)
	l.Timeout = cmp.Or(l.Timeout, time.Second)
	l.KeyTimeout = cmp.Or(l.KeyTimeout, 5*time.Second)
	l.Connect = cmp.Or(l.Connect, 3*time.Second)
	l.Health = cmp.Or(l.Health, 2*time.Second)
	l.Lost = cmp.Or(l.Lost, 10*time.Second)
	l.Misses = cmp.Or(l.Misses, 3)
	l.Rest = cmp.Or(l.Rest, 5*time.Second)
	l.RedialFirst = cmp.Or(l.RedialFirst, 250*time.Millisecond)
	l.RedialMost = cmp.Or(l.RedialMost, 10*time.Second)
	return l
}

func (l Limits) validate() error {
	switch {
	case l.Connections < 1 || l.Connections > mostConnections:
		return fmt.Errorf("payshield: 1 to %d connections to a unit, not %d", mostConnections,
			l.Connections)
	case l.Outstanding < 1 || l.Outstanding > mostOutstanding:
		return fmt.Errorf("payshield: 1 to %d outstanding commands, not %d", mostOutstanding,
			l.Outstanding)
	case l.Queue < 1 || l.Misses < 1:
		return errors.New("payshield: the queue and the misses are at least 1")
	case min(l.Timeout, l.KeyTimeout, l.Connect, l.Health, l.Lost, l.Rest, l.RedialFirst) <= 0:
		return errors.New("payshield: a time is negative")
	case l.RedialMost < l.RedialFirst:
		return errors.New("payshield: the most time to redial is less than the first")
	}
	return nil
}

func dialTCP(ctx context.Context, address string) (net.Conn, error) {
	d := net.Dialer{KeepAlive: 15 * time.Second}
	return d.DialContext(ctx, "tcp", address)
}
