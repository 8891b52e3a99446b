package link

import "context"

// Network is all centers with their lines.
type Network struct{}

// New checks the configuration and reads the certificates. Centers and lines are there from now on,
// connections from Start on.
func New(config Config, handler Handler) (*Network, error) { return nil, nil }

// Start listens and dials until ctx ends. An address that can't be listened on is an error.
func (n *Network) Start(ctx context.Context) error { return nil }

// Wait returns when every goroutine has ended after the end of the context.
func (n *Network) Wait() {}

// Centers are those configured; Center is the one of that name, nil if there is none.
func (n *Network) Centers() []*Center         { return nil }
func (n *Network) Center(name string) *Center { return nil }

// Links are all live connections, those of removed centers included.
func (n *Network) Links() []*Link { return nil }

// Reconfigure takes the new centers. Lines that are the same stay untouched, new ones start, those
// gone are drained. On an error nothing has changed.
func (n *Network) Reconfigure(centers []CenterConfig) error { return nil }

// Drain drains every link, and closes those left when ctx ends. Nothing connects afterwards.
func (n *Network) Drain(ctx context.Context) error { return nil }

// Status is for the operators.
func (n *Network) Status() Status { return Status{} }

// Validate checks the configuration without opening anything.
func (c *Config) Validate() error { return nil }
