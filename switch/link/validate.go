package link

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// The defaults and the bounds of what may be configured.
const (
	defaultMaxFrame       = 8192
	maxMaxFrame           = 1 << 20
	defaultQueueBytes     = 8 << 20
	defaultMaxConnections = 64
	defaultWindow         = 8192
	defaultShare          = 20
)

// complete fills in the defaults, on copies of what it changes.
func (c *Config) complete() {
	c.Centers = slices.Clone(c.Centers)
	for i := range c.Centers {
		c.Centers[i].complete()
	}
}

func (c *CenterConfig) complete() {
	fill(&c.Window, defaultWindow)
	fill(&c.Echo.Wait, 10*time.Second)
	fill(&c.Echo.Misses, 3)
	fill(&c.Failover.Within, 10*time.Second)
	fill(&c.Failover.Share, defaultShare)
	fill(&c.Failover.Hold, 30*time.Second)
	fill(&c.Failover.SlowStart, 10*time.Second)
	if c.SignOn == 0 {
		c.SignOn = SignOnPeer
		if c.Role == Issuer {
			c.SignOn = SignOnUs
		}
	}
	c.Links = slices.Clone(c.Links)
	for i := range c.Links {
		c.Links[i].complete()
	}
}

func (c *LinkConfig) complete() {
	fill(&c.MaxConnections, defaultMaxConnections)
	fill(&c.MaxFrame, defaultMaxFrame)
	fill(&c.QueueBytes, defaultQueueBytes)
	fill(&c.ReadTimeout, 3*time.Minute)
	fill(&c.WriteTimeout, 10*time.Second)
	fill(&c.ConnectTimeout, 10*time.Second)
	fill(&c.DrainTimeout, 30*time.Second)
	fill(&c.Redial.First, 200*time.Millisecond)
	fill(&c.Redial.Max, 30*time.Second)
	fill(&c.Redial.Stable, 30*time.Second)
	fill(&c.Framing.Length, "binary2")
}

func fill[T comparable](v *T, otherwise T) {
	var zero T
	if *v == zero {
		*v = otherwise
	}
}

// Validate names every fault of a complete configuration.
func (c *Config) Validate() error {
	var faults []error
	names := map[string]bool{}
	for i := range c.Centers {
		center := &c.Centers[i]
		if names[center.Name] {
			faults = append(faults, fmt.Errorf("center %s is there twice", center.Name))
		}
		names[center.Name] = true
		for _, err := range center.faults() {
			faults = append(faults, fmt.Errorf("center %s: %w", center.Name, err))
		}
	}
	return errors.Join(append(faults, c.shared()...)...)
}

func (c *CenterConfig) faults() (out []error) {
	say := func(format string, args ...any) { out = append(out, fmt.Errorf(format, args...)) }
	if c.Name == "" {
		say("it has no name")
	}
	if c.Role != Merchant && c.Role != Issuer {
		say("role %d is unknown", c.Role)
	}
	if c.Dialect == nil {
		say("it has no dialect")
	}
	if c.Window < 1 {
		say("a window of %d lets nothing through; use 1 or more", c.Window)
	}
	if f := &c.Failover; f.Errors < 0 || f.Within < 0 || f.Hold < 0 || f.SlowStart < 0 ||
		f.Share < 0 || f.Share > 100 {
		say("failover has a negative value, or a share over 100 percent")
	}
	if c.Echo.After < 0 || c.Echo.Wait < 0 || c.Echo.Misses < 1 {
		say("echo has a negative value")
	}
	names := map[string]bool{}
	for i := range c.Links {
		l := &c.Links[i]
		if names[l.Name] {
			say("link %s is there twice", l.Name)
		}
		names[l.Name] = true
		for _, err := range l.faults() {
			say("link %s: %w", l.Name, err)
		}
		if c.Echo.After > 0 && l.ReadTimeout <= c.Echo.After+c.Echo.Wait {
			say("link %s: silence of %v ends it before an echo after %v is answered; "+
				"use a longer read timeout", l.Name, l.ReadTimeout, c.Echo.After)
		}
	}
	return out
}

func (c *LinkConfig) faults() (out []error) {
	say := func(format string, args ...any) { out = append(out, fmt.Errorf(format, args...)) }
	if c.Name == "" {
		say("it has no name")
	}
	if (c.Listen == "") == (c.Dial == "") {
		say("give an address to listen on or one to dial")
	}
	if c.Listen != "" && len(c.From) == 0 {
		say("nobody may connect; list the sources in from, 0.0.0.0/0 is everybody")
	}
	if c.MaxFrame < 1 || c.MaxFrame > maxMaxFrame {
		say("frames of %d bytes; use 1 to %d", c.MaxFrame, maxMaxFrame)
	} else if _, err := c.framing(); err != nil {
		say("framing: %w", err)
	}
	for _, err := range c.Envelope.faults() {
		out = append(out, err)
	}
	if c.QueueBytes < c.MaxFrame+4 { // and its length
		say("a queue of %d bytes doesn't hold a frame of %d", c.QueueBytes, c.MaxFrame)
	}
	if min(c.ReadTimeout, c.WriteTimeout, c.ConnectTimeout, c.DrainTimeout) <= 0 {
		say("a time-out isn't positive")
	}
	if r := &c.Redial; r.First <= 0 || r.Max < r.First || r.Stable < 0 {
		say("redial from %v to %v; the first must be positive and the smaller", r.First, r.Max)
	}
	if c.MaxConnections < 1 {
		say("%d connections; use 1 or more", c.MaxConnections)
	}
	return out
}
