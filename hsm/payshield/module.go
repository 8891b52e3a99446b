package payshield

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"cardswitch/hsm"
)

// Module is one or two payment HSMs.
type Module struct {
	config Config
	group  *group
	units  []*unit
	stop   context.CancelFunc
	ended  sync.WaitGroup

	mu     sync.Mutex
	loaded map[*key]struct{} // nil: closed
}

var _ hsm.Module = (*Module)(nil)

// New makes a module and begins to connect. It doesn't wait for the units: until one is up, what
// asks them is an ErrUnavailable.
func New(c Config) (*Module, error) {
	config, err := c.complete()
	if err != nil {
		return nil, err
	}
	m := &Module{config: config, loaded: make(map[*key]struct{}),
		group: &group{lmkCheck: config.LMKCheck, ready: make(chan struct{})}}
	ctx, stop := context.WithCancel(context.Background())
	m.stop = stop
	for _, u := range config.Units {
		u := newUnit(u, &m.config, m.group)
		m.units = append(m.units, u)
		for range config.Limits.Connections {
			m.ended.Go(func() { u.keep(ctx) })
		}
	}
	return m, nil
}

// Ready waits until a unit is up, or has been; after ctx it is an ErrUnavailable.
func (m *Module) Ready(ctx context.Context) error {
	select {
	case <-m.group.ready:
		return nil
	case <-ctx.Done():
		return unavailable(diagnose, errNobody)
	}
}

// Name is "payshield" with the units.
func (m *Module) Name() string {
	names := make([]string, len(m.units))
	for i, u := range m.units {
		names[i] = u.Name
	}
	return "payshield " + strings.Join(names, ", ")
}

// String is the same as Name.
func (m *Module) String() string { return m.Name() }

// Caps says that keys and PINs stay inside the units, that a terminal's card data comes out in
// clear, and what is absent; the package comment says why.
func (m *Module) Caps() hsm.Caps {
	return hsm.Caps{
		hsm.Generate:             hsm.Inside,
		hsm.Import:               hsm.Inside,
		hsm.Export:               hsm.Inside,
		hsm.TranslateZonePIN:     hsm.Inside,
		hsm.TranslateTerminalPIN: hsm.Inside,
		hsm.MakeMAC:              hsm.Inside,
		hsm.OpenCard:             hsm.KeyInside,
	}
}

// start says why an operation isn't begun.
func (m *Module) start(ctx context.Context, o hsm.Operation) error {
	if err := hsm.Ended(ctx); err != nil {
		return err
	}
	if err := hsm.Production.Check(o, m.Caps()); err != nil {
		return fmt.Errorf("payshield: %w", err)
	}
	return nil
}

func (m *Module) open() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.loaded == nil {
		return fmt.Errorf("payshield: %w: it is closed", hsm.ErrUnavailable)
	}
	return nil
}

// Close ends all connections and forgets all keys.
func (m *Module) Close() error {
	m.mu.Lock()
	keys := m.loaded
	m.loaded = nil
	m.mu.Unlock()
	for k := range keys {
		k.gone.Store(true)
	}
	m.stop()
	m.ended.Wait()
	return nil
}

// UnitStatus is how a unit is.
type UnitStatus struct {
	Name        string
	Address     string
	Up          bool
	Resting     bool // up, but others are asked first
	Connections int
	Waiting     int // commands without a place
	Firmware    string
	LastError   string // why a connection last ended or didn't stand; "" since one stands
}

// Status shows the units in order of preference.
func (m *Module) Status() []UnitStatus {
	list := make([]UnitStatus, len(m.units))
	for i, u := range m.units {
		list[i] = u.status(time.Now())
	}
	return list
}

func (u *unit) status(now time.Time) UnitStatus {
	u.mu.Lock()
	defer u.mu.Unlock()
	s := UnitStatus{Name: u.Name, Address: u.Address, Up: u.live > 0, Connections: u.live,
		Waiting: len(u.queue), Firmware: u.firmware}
	s.Resting = s.Up && now.Before(u.rest)
	if u.last != nil {
		s.LastError = u.last.Error()
	}
	return s
}

// Counts gives what the commands of all units came to since the start.
func (m *Module) Counts() []Count {
	var list []Count
	for _, u := range m.units {
		list = append(list, u.counts.list(u.Name)...)
	}
	return list
}
