// Package payshield simulates a payment HSM that takes payShield host commands.
//
// It is the other end of package hsm/payshield, written from the same public descriptions and
// sharing no code of the wire with it: framing, fields, key blocks and error codes are its own. The
// cryptography below the wire is that of hsm/keyblock, mac, pinblock and dukpt. It has commands NC,
// N0, A0, A4, A6, A8, BU, CC, G0, M0, M2, M6 and M8 with a key block LMK of AES, and answers in
// whatever order it gets done. It is stricter than a unit may be: a field too many is error 15.
//
// How a unit derives keys from its LMK isn't public, so its key blocks have a unit's form and
// nothing else: no block of a unit opens here. Its LMK is for tests, and known to everybody.
//
// It misbehaves where a Fault says so.
package payshield

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// Options are what a simulator is started with.
type Options struct {
	Listen string // address; "" is a free port of the loopback
	Header int    // characters of the message header; 0 is 4
	LMK    []byte // 32 bytes; nil is TestLMK
	LMKID  string // two digits; "" is "00"
	TLS    *tls.Config

	Latency Delay // before each answer
	Faults  []Fault
	Threads int    // commands worked on at once; 0 is 16
	Seed    uint64 // of the random choices
	Logger  *slog.Logger

	// ListenFunc opens Listen; nil is TCP. Tests bring a network in memory.
	ListenFunc func(address string) (net.Listener, error)
}

// TestLMK is the LMK that nobody keeps secret.
func TestLMK() []byte { return []byte("cardswitch payShield simulator: ") }

// Simulator is a running unit.
type Simulator struct {
	options  Options
	lmk      lmk
	listener net.Listener
	threads  chan struct{}
	stop     chan struct{} // closed by Close
	running  sync.WaitGroup

	mu      sync.Mutex
	random  *rand.Rand
	latency Delay
	faults  []Fault
	lines   map[*line]bool // nil: closed
	counts  map[string]int
}

// Start listens.
func Start(ctx context.Context, o Options) (*Simulator, error) {
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	if o.Header == 0 {
		o.Header = 4
	}
	if o.LMK == nil {
		o.LMK = TestLMK()
	}
	if o.LMKID == "" {
		o.LMKID = "00"
	}
	if o.Threads == 0 {
		o.Threads = 16
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Header < 0 || o.Header > 255 || len(o.LMKID) != 2 || !digits(o.LMKID) || o.Threads < 1 {
		return nil, errors.New("a header has 1 to 255 characters, an LMK identifier two digits, and " +
			"there is at least one thread")
	}
	master, err := newLMK(o.LMK, o.LMKID)
	if err != nil {
		return nil, err
	}
	if o.ListenFunc == nil {
		o.ListenFunc = func(address string) (net.Listener, error) {
			return new(net.ListenConfig).Listen(ctx, "tcp", address)
		}
	}
	listener, err := o.ListenFunc(o.Listen)
	if err != nil {
		return nil, err
	}
	if o.TLS != nil {
		listener = tls.NewListener(listener, o.TLS)
	}
	s := &Simulator{options: o, lmk: master, listener: listener, latency: o.Latency, faults: o.Faults,
		random:  rand.New(rand.NewPCG(o.Seed, 0x9AC7)),
		threads: make(chan struct{}, o.Threads), stop: make(chan struct{}),
		lines: make(map[*line]bool), counts: make(map[string]int)}
	s.running.Go(s.accept)
	return s, nil
}

// Address is where it listens.
func (s *Simulator) Address() string { return s.listener.Addr().String() }

// LMKCheck is the check value of its LMK, as NC shows it.
func (s *Simulator) LMKCheck() string { return s.lmk.check }

// SetFaults replaces the faults.
func (s *Simulator) SetFaults(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = faults
}

// SetLatency replaces the time before each answer.
func (s *Simulator) SetLatency(d Delay) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.latency = d
}

// Cut ends all connections. New ones are taken.
func (s *Simulator) Cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for l := range s.lines {
		l.conn.Close()
	}
}

// Counts is how often which command had which error code, as "CC 00", and which fault, as
// "CC silent".
func (s *Simulator) Counts() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make(map[string]int, len(s.counts))
	for k, n := range s.counts {
		all[k] = n
	}
	return all
}

func (s *Simulator) count(command, what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(command) != 2 || !printable(command) {
		command = "??"
	}
	s.counts[command+" "+what]++
}

// Close ends everything.
func (s *Simulator) Close() {
	s.listener.Close()
	s.Cut()
	s.mu.Lock()
	if s.lines != nil {
		close(s.stop)
	}
	s.lines = nil
	s.mu.Unlock()
	s.running.Wait()
}

func (s *Simulator) accept() {
	for {
		conn, err := s.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			s.options.Logger.Warn("accept failed", "error", err.Error())
			time.Sleep(10 * time.Millisecond)
			continue
		}
		l := &line{simulator: s, conn: conn}
		s.mu.Lock()
		if s.lines == nil {
			s.mu.Unlock()
			conn.Close()
			continue
		}
		s.lines[l] = true
		s.mu.Unlock()
		s.running.Go(l.serve)
	}
}

// draw gives what is to be done to the answer of a command.
func (s *Simulator) draw(command string) (wait time.Duration, f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	wait = s.latency.draw(s.random)
	for i := range s.faults {
		f := &s.faults[i]
		if f.Command != "" && f.Command != command || f.spent() ||
			f.Chance > 0 && s.random.Float64() >= f.Chance {
			continue
		}
		f.happened++
		return wait + f.Delay.draw(s.random), *f
	}
	return wait, Fault{}
}

// garbage is bytes that mean nothing.
func (s *Simulator) garbage(n int) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(s.random.Uint32())
	}
	return b
}

// String is where it listens.
func (s *Simulator) String() string { return fmt.Sprintf("payShield simulator at %s", s.Address()) }
