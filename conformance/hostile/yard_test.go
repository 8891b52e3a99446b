// Package hostile plays every peer that means harm, or is broken, against a whole switch on real
// sockets, while a good merchant trades with a good issuer beside it.
//
// Whatever the peer does, the good merchant gets every answer in time, memory and goroutines come
// back to where they were, and what happened is counted and logged without a card number.
package hostile

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"

	"cardswitch/conformance/format"
	"cardswitch/conformance/ground"
	"cardswitch/conformance/issuer"
	"cardswitch/conformance/pos"
	cardswitch "cardswitch/switch"
	"cardswitch/switch/link"
)

const (
	goodDoor = "good.test:1"
	goodID   = "10000000001" // DE 32 of the good merchant
	goodBIN  = "352812"
	badBIN   = "453912" // cards of the issuer that misbehaves

	// worst is the longest that the good merchant may wait for an answer while a peer misbehaves,
	// beside what the disk takes: a sale waits for two durable writes, each perhaps behind another;
	// and beside what the machine takes: a sale passes through some goroutines one after the other,
	// each of which may have to wait for its turn.
	worst, writes, turns = time.Second, 4, 8
	// patience is how long what must come may take on a busy machine.
	patience = 3 * time.Minute
	// moreHeap is how much more memory may be in use after a case than before, beside what the
	// store's tables hold: the record of questions grows with the journal, buffers with bursts.
	moreHeap = 48 << 20
)

// yard is the switch with its good company.
type yard struct {
	*ground.Node
	ground *ground.Ground
	config cardswitch.Config
	routes string
	log    *diary
	shop   *shop
}

// diary is a log that a test can read.
type diary struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *diary) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

// take returns what was logged since the last time.
func (j *diary) take() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := j.text.String()
	j.text.Reset()
	return s
}

func newYard(t *testing.T) *yard {
	y := &yard{ground: ground.New(), log: &diary{}}
	dir := t.TempDir()
	bank, err := issuer.Start(context.Background(), issuer.Options{Name: "sakura",
		ListenFunc: y.ground.Listen, Links: []issuer.Link{{Listen: "sakura.test:1"}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(bank.Close)
	y.routes = "ranges:\n  - {prefix: \"" + goodBIN + "\", destinations: [sakura]}\n"
	y.config = ground.Config(t, dir, y.routes)
	y.config.Centers = []cardswitch.CenterConfig{
		{Name: "good", Role: cardswitch.RoleMerchant, Acquirers: []string{goodID},
			Links: []cardswitch.LinkConfig{{Name: "a", Listen: goodDoor,
				From: []string{"127.0.0.0/8"}}}},
		{Name: "sakura", Role: cardswitch.RoleIssuer,
			Links: []cardswitch.LinkConfig{{Name: "a", Dial: "sakura.test:1"}}},
	}
	ring := y.ground.Enroll(t, y.config, secret())
	for _, link := range []string{badLink, evilLink} { // the bad ones come and go, their keys stay
		if err := secret().Enroll(t.Context(), ring, link); err != nil {
			t.Fatal(err)
		}
	}
	y.Node = y.ground.StartNode(t, y.config, slog.New(slog.NewJSONHandler(y.log,
		&slog.HandlerOptions{Level: slog.LevelDebug})))
	eventually(t, "the good issuer is signed on", func() bool {
		return y.line("sakura").State == "signed-on"
	})
	y.shop = openShop(t, y.ground, dir)
	return y
}

// merchant is the configuration of a merchant with small bounds.
func merchant(name, acquirer string) cardswitch.CenterConfig {
	return cardswitch.CenterConfig{Name: name, Role: cardswitch.RoleMerchant,
		Acquirers: []string{acquirer}, Window: 64,
		Echo: cardswitch.EchoConfig{After: 800 * time.Millisecond, Wait: 700 * time.Millisecond,
			Misses: 1},
		Links: []cardswitch.LinkConfig{{Name: "a", Listen: name + ".test:1",
			From: []string{"127.0.0.0/8"}, MaxConnections: 8, ReadTimeout: 2 * time.Second,
			WriteTimeout: 500 * time.Millisecond, MaxFrame: 2048, QueueMB: 1}}}
}

// evilBank is the configuration of an issuer with small bounds; it dials name.test:1. Every play
// leaves it a reversal that it doesn't take: sales of the same cards go on nevertheless.
func evilBank(name string) cardswitch.CenterConfig {
	return cardswitch.CenterConfig{Name: name, Role: cardswitch.RoleIssuer,
		Institution: "88888000001", AnswerTime: time.Second, Window: 64,
		Echo: cardswitch.EchoConfig{After: 800 * time.Millisecond, Wait: 700 * time.Millisecond,
			Misses: 1},
		SAF: &cardswitch.SAFConfig{First: 50 * time.Millisecond, Wait: 300 * time.Millisecond,
			BackoffMax: 500 * time.Millisecond, Overtake: true},
		Links: []cardswitch.LinkConfig{{Name: "a", Dial: name + ".test:1",
			ReadTimeout: 2 * time.Second, WriteTimeout: 500 * time.Millisecond, MaxFrame: 2048,
			QueueMB: 1}}}
}

// configure reloads the switch with these centers beside the good ones. Cards of badBIN go to
// the issuer among them.
func (y *yard) configure(t *testing.T, centers ...cardswitch.CenterConfig) {
	t.Helper()
	c, routes := y.config, y.routes
	c.Centers = slices.Concat(y.config.Centers, centers)
	for _, center := range centers {
		if center.Role == cardswitch.RoleIssuer {
			routes += fmt.Sprintf("  - {prefix: %q, destinations: [%s]}\n", badBIN, center.Name)
		}
	}
	if err := os.WriteFile(c.Routing.Files[0], []byte(routes), 0o600); err != nil {
		t.Fatal(err)
	}
	c.Complete()
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	if err := y.Reload(c); err != nil {
		t.Fatal(err)
	}
}

// line is the state of the first link of a center.
func (y *yard) line(center string) link.LineStatus {
	for _, c := range y.Links().Centers {
		if c.Name == center {
			return c.Lines[0]
		}
	}
	return link.LineStatus{}
}

// refused is how many connections a center's address turned away, by cause.
func (y *yard) refused(center string) map[string]uint64 {
	for _, p := range y.Links().Ports {
		if p.Address == center+".test:1" {
			return p.Refused
		}
	}
	return nil
}

// metric is a counter of a center with this label value, over all its other labels.
func (y *yard) metric(t *testing.T, name, center, value string) float64 {
	t.Helper()
	families, err := y.Metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			has := func(v string) bool {
				return slices.ContainsFunc(m.GetLabel(),
					func(l *dto.LabelPair) bool { return l.GetValue() == v })
			}
			if has(center) && has(value) {
				sum += m.GetCounter().GetValue()
			}
		}
	}
	return sum
}

// eventually waits until something holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it never came to this: %s", what)
		}
	}
}

// ended waits until a link of the center has ended for one of these causes.
func (y *yard) ended(t *testing.T, center string, causes ...string) {
	t.Helper()
	eventually(t, center+" ended by "+strings.Join(causes, " or "), func() bool {
		n := y.line(center).Counters.Ended
		return slices.ContainsFunc(causes, func(c string) bool { return n[c] > 0 })
	})
}

// play runs one case and holds the switch to what it promises. A burst leaves buffers behind that
// are as large as it was, on a slow disk tens of megabytes; they are used again. So where memory
// grew, the case is played a second time: what grows each time is a leak. A short run, as that with
// the race detector is, isn't judged: there pools drop at will what they hold.
func (y *yard) play(t *testing.T, act func(t *testing.T)) {
	y.log.take()
	if grown := y.once(t, act); grown > moreHeap && !t.Failed() && !testing.Short() {
		if grown = y.once(t, act); grown > moreHeap {
			t.Errorf("each time %d MB more are in use, tables of the store not counted", grown>>20)
		}
	}
	said := y.log.take()
	if t.Failed() {
		t.Logf("the log says:\n%s", said[max(0, len(said)-8<<10):])
	}
	for _, c := range cards() {
		if strings.Contains(said, c) {
			t.Errorf("the log shows the card %s", format.Mask(c))
		}
	}
	keyless(t, said)
	for _, bad := range []string{"panic", "goroutine "} {
		if strings.Contains(said, bad) {
			t.Errorf("the log says %q:\n%s", bad, said)
		}
	}
	if len(said) > 4<<20 {
		t.Errorf("a log of %d bytes", len(said))
	}
}

// once runs a case, and tells how much more memory is in use after it.
func (y *yard) once(t *testing.T, act func(t *testing.T)) (grown int64) {
	y.shop.mark()
	heap, goroutines := y.heapInUse(), runtime.NumGoroutine()
	t.Run("play", act)
	y.configure(t) // the bad ones go
	y.shop.check(t)
	settled := func() bool { return runtime.NumGoroutine() <= goroutines+2 }
	for end := time.Now().Add(patience); !settled() && time.Now().Before(end); {
		time.Sleep(20 * time.Millisecond)
	}
	if !settled() {
		all := make([]byte, 1<<20)
		t.Errorf("%d goroutines before, %d after:\n%s", goroutines, runtime.NumGoroutine(),
			all[:runtime.Stack(all, true)])
	}
	return y.heapInUse() - heap
}

// heapInUse is the memory that the process uses, less what the store holds in tables not flushed
// yet: those come and go by tens of megabytes whenever they please, and their size is configured.
// A build with cgo has them outside of Go's heap, so there the figure may be below zero.
func (y *yard) heapInUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse) - int64(y.Journal().Held())
}

// cards are those of this suite: the good one, and the one at the issuer that misbehaves.
func cards() []string {
	return []string{pos.WithCheckDigit(goodBIN + "770198234"),
		pos.WithCheckDigit(badBIN + "881276345")}
}

// sale is a sale of a card.
func sale(stan int, card, acquirer string) *format.Message {
	return format.New("1200").Set(2, card).Set(3, "000000").Set(4, "000000001200").
		Set(11, fmt.Sprintf("%06d", stan)).Set(12, time.Now().Format("060102150405")).
		Set(22, "210101213140").Set(24, "200").Set(26, "5411").Set(32, acquirer).
		Set(37, fmt.Sprintf("%s%06d", acquirer[5:], stan)).Set(41, "TERM0001").
		Set(42, "MERCHANT0000001").Set(43, `SHOP\STREET\TOKYO\1500001    JPN`).Set(49, "392")
}
