package scenario

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"

	"cardswitch/conformance/format"
	"cardswitch/conformance/keyblock"
	"cardswitch/conformance/wire"
)

// Target is the host under test, and the values that its side has agreed on.
//
//	dialect: ascii-binary
//	merchants: {shop: {dial: "127.0.0.1:7101"}}
//	issuers:   {bank: {listen: "127.0.0.1:7201", envelope: {id: bank/a, key_file: bank.key}}}
//	values:    {pan: "...", acquirer: "12345678901"}
//	does:      [days, negative, partial]
type Target struct {
	Name      string            `yaml:"name"`
	Dialect   string            `yaml:"dialect"` // of doors that name none
	Framing   wire.Framing      `yaml:"framing"` // of doors that name none
	Merchants map[string]Door   `yaml:"merchants"`
	Issuers   map[string]Door   `yaml:"issuers"`
	Values    map[string]string `yaml:"values"`
	Does      []string          `yaml:"does"`     // what not every host does, as days or negative
	Patience  time.Duration     `yaml:"patience"` // for an expected message, default 5 s

	ListenFunc func(address string) (net.Listener, error)                  `yaml:"-"`
	DialFunc   func(ctx context.Context, address string) (net.Conn, error) `yaml:"-"`
}

// Door is where the host is met in one role: dialled, or waited for.
type Door struct {
	Dial    string        `yaml:"dial"`
	Listen  string        `yaml:"listen"`
	Dialect string        `yaml:"dialect"`
	Framing *wire.Framing `yaml:"framing"`

	Envelope *wire.Envelope `yaml:"envelope"` // nil: messages travel in clear

	KBPKFile string              `yaml:"kbpk_file"` // of the key under which link keys travel
	KBPK     keyblock.Protection `yaml:"-"`         // of the file, unless it is given; nil: none
}

// ReadTarget reads a target file.
func ReadTarget(r io.Reader) (Target, error) {
	var t Target
	d := yaml.NewDecoder(r)
	d.KnownFields(true)
	if err := d.Decode(&t); err != nil {
		return t, fmt.Errorf("target: %w", err)
	}
	return t, nil
}

func (t *Target) complete() error {
	if t.Dialect == "" {
		t.Dialect = "ascii-binary"
	}
	if t.Patience == 0 {
		t.Patience = 5 * time.Second
	}
	if t.ListenFunc == nil {
		t.ListenFunc = func(address string) (net.Listener, error) {
			return net.Listen("tcp", address)
		}
	}
	if t.DialFunc == nil {
		dialer := net.Dialer{Timeout: 5 * time.Second}
		t.DialFunc = func(ctx context.Context, address string) (net.Conn, error) {
			return dialer.DialContext(ctx, "tcp", address)
		}
	}
	for name, d := range t.Merchants {
		if d.Dial == "" || d.Listen != "" {
			return fmt.Errorf("merchant %s: give the address to dial", name)
		}
		if err := d.completeKeys(); err != nil {
			return fmt.Errorf("merchant %s: %w", name, err)
		}
		t.Merchants[name] = t.filled(d)
	}
	for name, d := range t.Issuers {
		if (d.Dial == "") == (d.Listen == "") {
			return fmt.Errorf("issuer %s: give either dial or listen", name)
		}
		if err := d.completeKeys(); err != nil {
			return fmt.Errorf("issuer %s: %w", name, err)
		}
		t.Issuers[name] = t.filled(d)
	}
	return nil
}

func (d *Door) completeKeys() (err error) {
	if d.KBPKFile != "" && d.KBPK == nil {
		if d.KBPK, err = keyblock.ReadProtection(d.KBPKFile); err != nil {
			return fmt.Errorf("kbpk_file: %w", err)
		}
	}
	return d.Envelope.Complete()
}

func (t *Target) filled(d Door) Door {
	if d.Dialect == "" {
		d.Dialect = t.Dialect
	}
	if d.Framing == nil {
		d.Framing = &t.Framing
	}
	return d
}

// choose finds a door: by the name given, by the party's own, or the first there is.
func choose(doors map[string]Door, name, party string) (string, bool) {
	if name != "" {
		_, ok := doors[name]
		return name, ok
	}
	if _, ok := doors[party]; ok {
		return party, true
	}
	names := slices.Sorted(maps.Keys(doors))
	if len(names) == 0 {
		return "", false
	}
	return names[0], true
}

// open makes a connection of a door out of an established one.
func (d Door) open(
	nc net.Conn, received func(*wire.Conn, arrival), closed func(*wire.Conn),
) (*wire.Conn, error) {
	f, err := format.Named(d.Dialect)
	if err != nil {
		nc.Close()
		return nil, err
	}
	return wire.Open(nc, wire.Options{
		Format:   f,
		Framing:  *d.Framing,
		Envelope: d.Envelope,
		Dialed:   d.Dial != "",
		Received: func(c *wire.Conn, m *format.Message) {
			received(c, arrival{message: m, conn: c})
		},
		Unreadable: func(c *wire.Conn, _ []byte, err error) {
			received(c, arrival{conn: c, fault: err})
		},
		Closed: closed,
	})
}
