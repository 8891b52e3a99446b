package payshield

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"cardswitch/hsm"
)

func alone(c *Config) { c.Units = c.Units[:1] }

// echo answers N0 with bytes that only that question gets.
func echo(l *line, s said) { l.say(s, "00"+strings.Repeat(s.fields[2:3], 3)) }

// Answers come in any order, and each finds its question.
func TestAnswersFindTheirQuestions(t *testing.T) {
	scene(t, alone, func(t *testing.T, m *Module, p *player) {
		random := rand.New(rand.NewPCG(1, 2))
		var mu sync.Mutex
		p.set(func(l *line, s said) {
			mu.Lock()
			wait := time.Duration(random.IntN(50)) * time.Millisecond
			mu.Unlock()
			after(wait, func(l *line, s said) {
				n := number(s.fields)
				l.say(s, "00"+strings.Repeat(string(rune('0'+n%10)), n))
			})(l, s)
		})
		var asking sync.WaitGroup
		for i := range 200 {
			asking.Go(func() {
				n := 1 + i%100
				b := make([]byte, n)
				if err := m.Random(t.Context(), b); err != nil {
					t.Error(err)
				}
				if want := strings.Repeat(string(rune('0'+n%10)), n); string(b) != want {
					t.Errorf("the answer to %d is %s", n, b)
				}
			})
		}
		asking.Wait()
	})
}

func TestTheWindowIsKept(t *testing.T) {
	few := func(c *Config) {
		alone(c)
		c.Limits = Limits{Connections: 2, Outstanding: 3}
	}
	scene(t, few, func(t *testing.T, m *Module, p *player) {
		var mu sync.Mutex
		open, most := make(map[*line]int), 0
		p.set(func(l *line, s said) {
			mu.Lock()
			open[l]++
			most = max(most, open[l])
			mu.Unlock()
			after(10*time.Millisecond, func(l *line, s said) {
				mu.Lock()
				open[l]--
				mu.Unlock()
				echo(l, s)
			})(l, s)
		})
		began := time.Now()
		var asking sync.WaitGroup
		for range 60 {
			asking.Go(func() {
				if err := m.Random(t.Context(), make([]byte, 3)); err != nil {
					t.Error(err)
				}
			})
		}
		asking.Wait()
		if most != 3 {
			t.Errorf("%d commands were outstanding on a connection, not 3", most)
		}
		if took := time.Since(began); took != 100*time.Millisecond {
			t.Errorf("60 commands, six at once, of 10 ms each took %v", took)
		}
	})
}

func TestTheQueueIsBounded(t *testing.T) {
	small := func(c *Config) {
		alone(c)
		c.Limits = Limits{Connections: 1, Outstanding: 2, Queue: 5}
	}
	scene(t, small, func(t *testing.T, m *Module, p *player) {
		p.set(silent)
		var asking sync.WaitGroup
		for i := range 7 {
			asking.Go(func() { _ = m.Random(t.Context(), make([]byte, 3)) })
			if i == 1 {
				synctest.Wait() // these two fill the window
			}
		}
		synctest.Wait()
		began := time.Now()
		err := m.Random(t.Context(), make([]byte, 3))
		if !errors.Is(err, hsm.ErrUnavailable) || !errors.Is(err, errFull) {
			t.Errorf("error %v", err)
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("a full queue takes %v to say so", took)
		}
		if s := m.Status()[0]; s.Waiting != 5 {
			t.Errorf("status %+v", s)
		}
		asking.Wait()
		if got := p.asked("N0"); len(got) != 2 {
			t.Errorf("%d questions left, the window is 2", len(got))
		}
		if count(m, "a", "N0", "full") != 1 || count(m, "a", "N0", "unsent") != 5 ||
			count(m, "a", "N0", "timeout") != 2 {
			t.Errorf("counts %+v", m.Counts())
		}
	})
}

// A late answer is dropped, and its header isn't another question's meanwhile.
func TestLateAnswers(t *testing.T) {
	lone := func(c *Config) {
		alone(c)
		c.Limits = Limits{Connections: 1, Outstanding: 20, Misses: 100}
	}
	scene(t, lone, func(t *testing.T, m *Module, p *player) {
		headers := make(map[string]int)
		p.set(func(l *line, s said) {
			headers[s.header]++
			if s.fields == "004" {
				after(1500*time.Millisecond, func(l *line, s said) { l.say(s, "00LATE") })(l, s)
				return
			}
			echo(l, s)
		})
		for range 5 {
			if err := m.Random(t.Context(), make([]byte, 4)); !errors.Is(err, errLate) {
				t.Errorf("error %v", err)
			}
			b := make([]byte, 3)
			if err := m.Random(t.Context(), b); err != nil || string(b) != "333" {
				t.Errorf("%s, %v", b, err)
			}
		}
		time.Sleep(2 * time.Second)
		if !m.Status()[0].Up {
			t.Error("late answers end the connection")
		}
		if n := count(m, "a", "N0", "late"); n != 5 {
			t.Errorf("%d late answers counted", n)
		}
		for h, n := range headers {
			if n > 1 {
				t.Errorf("header %s was used %d times", h, n)
			}
		}
	})
}

// With headers of two characters there are 1,296: those that are open are passed over.
func TestOpenHeadersArePassedOver(t *testing.T) {
	w := newWindow(2, 36*36-1)
	if h := w.add(newQuestion(random, nil)); h != "ZZ" {
		t.Fatal(h)
	}
	for i := range 36*36 - 1 {
		h := w.add(newQuestion(random, nil))
		if i > 0 {
			w.remove(h)
		}
	}
	if h := w.add(newQuestion(random, nil)); h != "01" {
		t.Errorf("the header after a round is %s; ZZ and 00 are open", h)
	}
	if w.length() != 3 {
		t.Errorf("%d are open", w.length())
	}
}

func TestAQuestionNeverAnsweredEndsTheConnection(t *testing.T) {
	scene(t, alone, func(t *testing.T, m *Module, p *player) {
		p.set(func(l *line, s said) {
			if s.fields != "004" {
				echo(l, s)
			}
		})
		if err := m.Random(t.Context(), make([]byte, 4)); err == nil {
			t.Fatal("an answer")
		}
		for range 8 {
			time.Sleep(time.Second)
			if err := m.Random(t.Context(), make([]byte, 3)); err != nil {
				t.Fatal(err)
			}
		}
		if count(m, "a", "", "connection") != 0 {
			t.Error("the connection ended early")
		}
		time.Sleep(4 * time.Second)
		if count(m, "a", "", "connection") != 1 {
			t.Error("the connection stands though a question was lost on it")
		}
	})
}

func TestASilentConnectionIsProbed(t *testing.T) {
	scene(t, alone, func(t *testing.T, m *Module, p *player) {
		var probes atomic.Int32
		p.mu.Lock()
		p.greet = func(l *line, s said) {
			probes.Add(1)
			l.say(s, "00"+someLMK+firmware)
		}
		p.mu.Unlock()
		time.Sleep(21 * time.Second)
		if n := probes.Load(); n < 5 || n > 11 {
			t.Errorf("%d probes in 21 s", n)
		}
		p.mu.Lock()
		p.greet = silent
		p.mu.Unlock()
		time.Sleep(7 * time.Second)
		if m.Status()[0].Up {
			t.Error("a unit that doesn't answer NC is up")
		}
		p.mu.Lock()
		p.greet = nil
		p.mu.Unlock()
		time.Sleep(15 * time.Second)
		if !m.Status()[0].Up {
			t.Errorf("it doesn't come back: %+v", m.Status())
		}
	})
}

func TestAUnitThatDoesNotRead(t *testing.T) {
	scene(t, alone, func(t *testing.T, m *Module, p *player) {
		stuck := make(chan struct{})
		defer close(stuck)
		p.set(func(*line, said) { <-stuck })
		first := make(chan error)
		go func() { first <- m.Random(t.Context(), make([]byte, 3)) }()
		time.Sleep(100 * time.Millisecond)
		began := time.Now()
		if err := m.Random(t.Context(), make([]byte, 3)); !errors.Is(err, hsm.ErrUnavailable) {
			t.Errorf("error %v", err)
		}
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("it took %v", took)
		}
		<-first
		synctest.Wait()
		if count(m, "a", "", "connection") != 1 {
			t.Error("the connection stands though nobody reads there")
		}
	})
}

func TestAnotherLMK(t *testing.T) {
	other := func(l *line, s said) {
		if l.unit == "b" {
			l.say(s, "00FEDCBA9876543210"+firmware)
			return
		}
		l.say(s, "00"+someLMK+firmware)
	}
	known := func(c *Config) { c.LMKCheck = someLMK }
	scene(t, known, func(t *testing.T, m *Module, p *player) {
		p.mu.Lock()
		p.greet = other
		p.mu.Unlock()
		p.set(answerPIN)
		time.Sleep(10 * time.Second) // the next probe tells
		s := m.Status()
		if s[1].Up || !strings.Contains(s[1].LastError, errLMK.Error()) || !s[0].Up {
			t.Errorf("status %+v", s)
		}
		p.cut("a")
		synctest.Wait()
		_, err := m.TranslatePIN(t.Context(), translation(t, m))
		if !errors.Is(err, hsm.ErrUnavailable) || len(p.asked("CC")) != 0 {
			t.Errorf("a unit with another LMK was asked: %v", err)
		}
	})
}

// A unit that has another LMK from the start never counts as up.
func TestAnotherLMKFromTheStart(t *testing.T) {
	wrong := func(c *Config) {
		alone(c)
		c.LMKCheck = "FEDCBA9876543210"
	}
	scene(t, wrong, func(t *testing.T, m *Module, p *player) {
		if s := m.Status()[0]; s.Up || !strings.Contains(s.LastError, errLMK.Error()) {
			t.Errorf("status %+v", s)
		}
	})
}

func TestTheFirstUnitSaysTheLMK(t *testing.T) {
	g := &group{ready: make(chan struct{})}
	if err := g.recognize(someLMK); err != nil {
		t.Error(err)
	}
	if err := g.recognize("0000000000000000"); !errors.Is(err, errLMK) {
		t.Errorf("error %v", err)
	}
	if err := g.recognize(someLMK); err != nil {
		t.Error(err)
	}
}

func TestTheLMKIdentifierIsSaid(t *testing.T) {
	second := func(c *Config) {
		alone(c)
		c.LMK = "02"
	}
	scene(t, second, func(t *testing.T, m *Module, p *player) {
		p.mu.Lock()
		p.greet = func(l *line, s said) {
			if s.fields != "%02" {
				t.Errorf("NC has fields %q", s.fields)
			}
			l.say(s, "00"+someLMK+firmware)
		}
		p.mu.Unlock()
		p.set(func(l *line, s said) {
			if !strings.HasSuffix(s.fields, "%02") {
				t.Errorf("%s doesn't end with the LMK identifier", s.command)
			}
			answerPIN(l, s)
		})
		if _, err := m.TranslatePIN(t.Context(), translation(t, m)); err != nil {
			t.Error(err)
		}
		time.Sleep(5 * time.Second)
	})
}

func TestCloseEndsWhatWaits(t *testing.T) {
	scene(t, nil, func(t *testing.T, m *Module, p *player) {
		p.set(silent)
		k := m.load(t, zoneA)
		errs := make(chan error)
		for range 20 {
			go func() { errs <- m.Random(t.Context(), make([]byte, 3)) }()
		}
		synctest.Wait()
		began := time.Now()
		if err := m.Close(); err != nil {
			t.Error(err)
		}
		for range 20 {
			if err := <-errs; !errors.Is(err, hsm.ErrUnavailable) {
				t.Errorf("error %v", err)
			}
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("it took %v", took)
		}
		if err := m.Random(t.Context(), make([]byte, 3)); !errors.Is(err, hsm.ErrUnavailable) {
			t.Errorf("error %v", err)
		}
		if _, err := m.own(k); !errors.Is(err, hsm.ErrKey) {
			t.Errorf("a key of a closed module: %v", err)
		}
		if _, err := m.Load(t.Context(), hsm.Wrapped{Spec: k.spec, Block: zoneA}); !errors.Is(err,
			hsm.ErrUnavailable) {
			t.Errorf("error %v", err)
		}
	})
}

// Units come and go under load; each call ends with its own answer or an ErrUnavailable.
func TestUnitsComeAndGoUnderLoad(t *testing.T) {
	load := func(c *Config) { c.Limits = Limits{Connections: 3, Outstanding: 4} }
	scene(t, load, func(t *testing.T, m *Module, p *player) {
		p.set(func(l *line, s said) {
			after(5*time.Millisecond, func(l *line, s said) {
				n := number(s.fields)
				l.say(s, "00"+strings.Repeat(string(rune('a'+n%26)), n))
			})(l, s)
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		asking := new(sync.WaitGroup)
		asking.Go(func() {
			for ctx.Err() == nil {
				for _, unit := range []string{"a", "b"} {
					time.Sleep(700 * time.Millisecond)
					p.cut(unit)
					time.Sleep(300 * time.Millisecond)
					p.mend(unit)
				}
			}
		})
		var mu sync.Mutex
		right, failed := 0, 0
		for i := range 20 {
			asking.Go(func() {
				n := 1 + i
				want := strings.Repeat(string(rune('a'+n%26)), n)
				for ctx.Err() == nil {
					b := make([]byte, n)
					err := m.Random(t.Context(), b)
					mu.Lock()
					switch {
					case err == nil && string(b) == want:
						right++
					case errors.Is(err, hsm.ErrUnavailable):
						failed++
					default:
						t.Errorf("%s, not %s; %v", b, want, err)
					}
					mu.Unlock()
					time.Sleep(20 * time.Millisecond)
				}
			})
		}
		asking.Wait()
		if right < 10000 || failed > right/5 {
			t.Errorf("%d right answers, %d failures", right, failed)
		}
	})
}
