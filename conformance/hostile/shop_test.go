package hostile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"cardswitch/conformance/ground"
)

// shop is the good merchant: one sale after the other, all the time.
type shop struct {
	mu     sync.Mutex
	took   []time.Duration
	disk   time.Duration // the longest that it took to make a few bytes durable
	turn   time.Duration // the longest that a goroutine that could go on didn't
	failed error
}

// enough is how many of its sales must fall into a case, so that the case says something.
const enough = 30

func openShop(t *testing.T, g *ground.Ground, dir string) *shop {
	t.Helper()
	p, err := g.Call(goodDoor, "ascii-binary")
	if err != nil {
		t.Fatal(err)
	}
	if err := p.SignOn(goodID); err != nil {
		t.Fatal(err)
	}
	s := &shop{}
	stop := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		defer p.Close()
		s.trade(p, stop)
	})
	running.Go(func() { s.probe(filepath.Join(dir, "probe"), stop) })
	t.Cleanup(func() { close(stop); running.Wait() })
	s.mark()
	s.check(t) // it works before anybody misbehaves
	return s
}

func (s *shop) trade(p *ground.Peer, stop <-chan struct{}) {
	for stan := 1; ; stan++ {
		began := time.Now()
		a, err := p.Ask(sale(stan%1000000, cards()[0], goodID), patience)
		if err == nil && a.Get(39) != "000" {
			err = fmt.Errorf("answered %s", a.Get(39))
		}
		s.mu.Lock()
		s.took = append(s.took, time.Since(began))
		if err != nil {
			s.failed = fmt.Errorf("sale %d: %w", stan, err)
		}
		s.mu.Unlock()
		select {
		case <-stop:
			return
		case <-time.After(3 * time.Millisecond):
		}
		if err != nil {
			return
		}
	}
}

// probe asks the disk and the processor, so that slow ones aren't blamed on a peer. What holds a
// lock, or has the switch wait in vain, makes neither slow.
func (s *shop) probe(file string, stop <-chan struct{}) {
	f, err := os.Create(file)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	for {
		began := time.Now()
		_, err := f.Write(make([]byte, 4096)) // at its end, as a journal is
		err = errors.Join(err, f.Sync())
		s.mu.Lock()
		s.disk = max(s.disk, time.Since(began))
		if err != nil {
			s.failed = err
		}
		s.mu.Unlock()
		const pause = 20 * time.Millisecond
		began = time.Now()
		select {
		case <-stop:
			return
		case <-time.After(pause):
		}
		s.mu.Lock()
		s.turn = max(s.turn, time.Since(began)-pause)
		s.mu.Unlock()
	}
}

// mark begins a new count.
func (s *shop) mark() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.took, s.disk, s.turn = nil, 0, 0
}

// check demands that the merchant got an answer to all that it asked since mark, in time.
func (s *shop) check(t *testing.T) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); {
		s.mu.Lock()
		n, err := len(s.took), s.failed
		s.mu.Unlock()
		if n >= enough || err != nil {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed != nil {
		t.Fatalf("the good merchant is harmed: %v", s.failed)
	}
	if len(s.took) < enough {
		t.Fatalf("the good merchant made %d sales only", len(s.took))
	}
	slices.Sort(s.took)
	last := s.took[len(s.took)-1]
	t.Logf("%d sales beside it, median %v, longest %v, disk %v, turn %v", len(s.took),
		s.took[len(s.took)/2].Round(time.Microsecond), last.Round(time.Microsecond),
		s.disk.Round(time.Microsecond), s.turn.Round(time.Microsecond))
	if most := worst + writes*s.disk + turns*s.turn; last > most {
		t.Errorf("the good merchant waited %v, longer than %v", last, most)
	}
}
