package payshield

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cardswitch/hsm"
	"cardswitch/hsm/keyblock"
	"cardswitch/spec"
)

// The keys of these tests: blocks that public programs print, of a unit that nobody has.
const (
	zoneA     = "S00072P0TB00E0001EA421618B34F5FA1A77F7CF6480111B97CF0FAE7BD77D589EC921EF9"
	zoneB     = "S00072P0TB00E00010D869FE84C1F77AE64E0019151533363D4CCE7E1C3F89F3D86115EE8"
	baseKey   = "S00072B0TN00E0001566678078B5337915F4860C92F3FF2D6A6B11E8786F22DC8032EB758"
	sharedKey = "S00072K0TB00E0001DB045F29C053EEFF7B9425B3A88C7258EB7EA7E40E2C47878647072A"
	codeKey   = "S00072M1TN00E0001FFE01E95CF21BDD0D74B6BEB70E3D90842C137DCA39C1B162C6238D5"
	someLMK   = "0123456789ABCDEF"
	firmware  = "1500-0023"
)

// said is one command as a played unit got it.
type said struct {
	unit    string
	header  string
	command string
	fields  string
}

// player is the units at the other end, with answers by the test. It lives in a bubble.
type player struct {
	t  *testing.T
	mu sync.Mutex

	// answer gives the answers of commands other than NC; nil means "00" and nothing.
	answer func(p *line, s said)
	// greet gives those of NC; nil: the LMK and the firmware.
	greet func(p *line, s said)
	// down are the units that nobody can dial.
	down  map[string]bool
	dials []time.Time
	heard []said
	lines []*line
	log   bytes.Buffer
}

// line is the far end of one connection.
type line struct {
	net.Conn
	player *player
	unit   string
	mu     sync.Mutex
}

func (p *player) dial(_ context.Context, address string) (net.Conn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dials = append(p.dials, time.Now())
	if p.down[address] {
		return nil, errors.New("refused")
	}
	near, far := net.Pipe()
	l := &line{Conn: far, player: p, unit: address}
	p.lines = append(p.lines, l)
	go l.serve()
	return near, nil
}

func (l *line) serve() {
	defer l.Close()
	for {
		message, err := readMessage(l)
		if err != nil {
			return
		}
		s := said{l.unit, string(message[:4]), string(message[4:6]), string(message[6:])}
		p := l.player
		p.mu.Lock()
		answer, greet := p.answer, p.greet
		if s.command != "NC" {
			p.heard = append(p.heard, s)
		}
		p.mu.Unlock()
		switch {
		case s.command == "NC" && greet != nil:
			greet(l, s)
		case s.command == "NC":
			l.say(s, "00"+someLMK+firmware)
		case answer != nil:
			answer(l, s)
		default:
			l.say(s, "00")
		}
	}
}

func readMessage(from io.Reader) ([]byte, error) {
	var length [2]byte
	if _, err := io.ReadFull(from, length[:]); err != nil {
		return nil, err
	}
	message := make([]byte, binary.BigEndian.Uint16(length[:]))
	_, err := io.ReadFull(from, message)
	return message, err
}

// say sends a right answer: result and fields.
func (l *line) say(s said, rest string) { l.send(s.header + next(s.command) + rest) }

func next(c string) string { return string([]byte{c[0], c[1] + 1}) }

// send sends any message.
func (l *line) send(message string) {
	l.raw(string(binary.BigEndian.AppendUint16(nil, uint16(len(message)))) + message)
}

func (l *line) raw(b string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = io.WriteString(l.Conn, b)
}

func (p *player) set(answer func(*line, said)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer = answer
}

// cut ends all connections of a unit, and lets nobody dial it.
func (p *player) cut(unit string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down[unit] = true
	for _, l := range p.lines {
		if l.unit == unit {
			l.Close()
		}
	}
}

func (p *player) mend(unit string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down[unit] = false
}

// asked is which units got a command, in order.
func (p *player) asked(command string) (units []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.heard {
		if s.command == command {
			units = append(units, s.unit)
		}
	}
	return units
}

// scene is a module with played units "a" and "b", or those given, in a bubble.
func scene(t *testing.T, change func(*Config), play func(t *testing.T, m *Module, p *player)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := &player{t: t, down: make(map[string]bool)}
		c := Config{Units: []Unit{{Address: "a"}, {Address: "b"}}, Dial: p.dial,
			Limits: Limits{Connections: 1},
			Logger: slog.New(slog.NewTextHandler(&guarded{p: p}, &slog.HandlerOptions{
				Level: slog.LevelDebug}))}
		if change != nil {
			change(&c)
		}
		m, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		play(t, m, p)
		if err := m.Close(); err != nil {
			t.Error(err)
		}
		p.mu.Lock()
		for _, l := range p.lines {
			l.Close()
		}
		p.mu.Unlock()
	})
}

// guarded collects a log.
type guarded struct{ p *player }

func (g *guarded) Write(b []byte) (int, error) {
	g.p.mu.Lock()
	defer g.p.mu.Unlock()
	return g.p.log.Write(b)
}

// load gives a key without asking a unit.
func (m *Module) load(t *testing.T, block string) *key {
	t.Helper()
	h, err := readHeader(block)
	if err != nil {
		t.Fatal(err)
	}
	s := hsm.KeySpec{Usage: h.usage, Algorithm: h.algorithm, Size: h.sizes[0], Mode: h.mode,
		Export: h.export}
	k := &key{module: m, spec: s, block: block,
		check: keyblock.CheckValue{Method: keyblock.TDESECB, Hex: "AABBCC"}}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.loaded[k] = struct{}{}
	return k
}

// blockOf is a block under an AES LMK that says it has such a key.
func blockOf(s hsm.KeySpec) string {
	characters := 2 * (8 + (2+s.Size+15)/16*16)
	return fmt.Sprintf("S1%04d%s%s%s00%s0000", headerSize+characters, s.Usage, s.Algorithm, s.Mode,
		s.Export) + strings.Repeat("A", characters)
}

func card(t *testing.T) spec.PAN {
	t.Helper()
	pan, err := spec.ParsePAN("5400085010309393")
	if err != nil {
		t.Fatal(err)
	}
	return pan
}

// count adds up counters.
func count(m *Module, unit, command, code string) (n uint64) {
	for _, c := range m.Counts() {
		if c.Unit == unit && c.Command == command && c.Code == code {
			n += c.Number
		}
	}
	return n
}

func contains(t *testing.T, what, text string, secrets ...string) {
	t.Helper()
	for _, s := range secrets {
		if strings.Contains(text, s) {
			t.Errorf("%s shows %q: %s", what, s, text)
		}
	}
}
