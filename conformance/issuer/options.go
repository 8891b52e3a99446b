package issuer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"time"

	"cardswitch/conformance/envelope"
	"cardswitch/conformance/format"
	"cardswitch/conformance/keyblock"
	"cardswitch/conformance/ledger"
	"cardswitch/conformance/protect"
	"cardswitch/conformance/wire"
)

// Link is one address on which the center is reached, or from which it dials.
type Link struct {
	Name   string `yaml:"name"`   // primary, standby, dr
	Listen string `yaml:"listen"` // address to listen on, or
	Dial   string `yaml:"dial"`   // address to dial

	Envelope *wire.Envelope `yaml:"envelope"` // nil: messages travel in clear

	// Idle lets connections be on which nothing is said, as those of a node that isn't the active one.
	Idle bool `yaml:"idle"`
}

// Options describe an issuer center.
type Options struct {
	Name        string       `yaml:"name"`
	Institution string       `yaml:"institution"` // its own id, element 94 of what it starts
	Peer        string       `yaml:"peer"`        // the switch's id, element 93
	Dialect     string       `yaml:"dialect"`     // default ascii-binary
	Framing     wire.Framing `yaml:"framing"`
	Links       []Link       `yaml:"links"`
	Rules       []Rule       `yaml:"rules"`
	Latency     Delay        `yaml:"latency"` // of answers whose rule states none

	Protect *protect.Options `yaml:"protect"` // codes and PINs; nil: none

	KBPKFile string              `yaml:"kbpk_file"` // of the key under which link keys travel
	KBPK     keyblock.Protection `yaml:"-"`         // of the file, unless it is given; nil: none

	SignOn          bool          `yaml:"sign_on"`          // it signs on by itself after connecting
	RequireSignOn   bool          `yaml:"require_sign_on"`  // answers 910 until signed on
	EchoAfter       time.Duration `yaml:"echo_after"`       // sends an echo test this often; 0: never
	UnknownOriginal string        `yaml:"unknown_original"` // reversal of something unseen: 400 or 914
	AdviceAction    string        `yaml:"advice_action"`    // answer to an advice, default 901
	Keep            int           `yaml:"keep"`             // bound of the ledger for endless runs

	Days     *Days    `yaml:"days"`     // business days; nil: none
	Negative Negative `yaml:"negative"` // names of the negative files
	Timed    []Timed  `yaml:"timed"`    // commands at their times, in order; see Commands

	Ledger *ledger.Postings `yaml:"-"` // shared with other processes of the same center; nil: own
	Seed   uint64           `yaml:"seed"`
	Logger *slog.Logger     `yaml:"-"`

	// OnCommand is told what came of a timed command.
	OnCommand func(command, answer string) `yaml:"-"`

	// OnReconciled is told how each comparison came out.
	OnReconciled func(Reconciliation) `yaml:"-"`

	// Observe sees every message as it comes in, before it's answered.
	Observe func(link string, m *format.Message) `yaml:"-"`

	ListenFunc func(address string) (net.Listener, error)                  `yaml:"-"`
	DialFunc   func(ctx context.Context, address string) (net.Conn, error) `yaml:"-"`
}

func (o *Options) complete() error {
	if o.Dialect == "" {
		o.Dialect = "ascii-binary"
	}
	if o.UnknownOriginal == "" {
		o.UnknownOriginal = "400"
	}
	if o.AdviceAction == "" {
		o.AdviceAction = "901"
	}
	if o.Institution == "" {
		o.Institution = "88888000001"
	}
	if o.Peer == "" {
		o.Peer = "99999000001"
	}
	if o.Ledger == nil {
		o.Ledger = ledger.NewPostings()
	}
	if o.Keep > 0 {
		o.Ledger.Keep = o.Keep
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	if o.ListenFunc == nil {
		o.ListenFunc = func(address string) (net.Listener, error) {
			return net.Listen("tcp", address)
		}
	}
	if o.DialFunc == nil {
		dialer := net.Dialer{Timeout: 5 * time.Second}
		o.DialFunc = func(ctx context.Context, address string) (net.Conn, error) {
			return dialer.DialContext(ctx, "tcp", address)
		}
	}
	if o.KBPKFile != "" && o.KBPK == nil {
		var err error
		if o.KBPK, err = keyblock.ReadProtection(o.KBPKFile); err != nil {
			return fmt.Errorf("kbpk_file: %w", err)
		}
	}
	if err := errors.Join(o.Days.complete(), o.Protect.Complete()); err != nil {
		return err
	}
	return o.checkLinks()
}

func (o *Options) checkLinks() error {
	if len(o.Links) == 0 {
		return errors.New("an issuer needs a link: give it an address to listen on or to dial")
	}
	names := make(map[string]bool)
	terms := new(envelope.Terms) // of the switch, on whatever link
	for i := range o.Links {
		l := &o.Links[i]
		if l.Name == "" {
			l.Name = []string{"primary", "standby", "dr"}[min(i, 2)]
		}
		if names[l.Name] {
			return fmt.Errorf("two links are called %s; give each its own name", l.Name)
		}
		names[l.Name] = true
		if (l.Listen == "") == (l.Dial == "") {
			return fmt.Errorf("link %s: give either listen or dial", l.Name)
		}
		if l.Envelope != nil {
			l.Envelope.Terms = terms
		}
		if err := l.Envelope.Complete(); err != nil {
			return fmt.Errorf("link %s: %w", l.Name, err)
		}
	}
	return nil
}
