package payshield

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cardswitch/hsm"
	"cardswitch/hsm/pinblock"
)

// translation is one that a played unit answers with okPIN.
func translation(t *testing.T, m *Module) hsm.PINTranslation {
	return hsm.PINTranslation{From: m.load(t, zoneA), FromFormat: pinblock.Format0,
		To: m.load(t, zoneB), ToFormat: pinblock.Format0, PAN: card(t),
		Block: []byte{0xAD, 0x72, 0xF9, 0x73, 0x44, 0x6E, 0x84, 0xE7}}
}

const okPIN = "0006E614D4AFD47BD3BF01"

func answerPIN(l *line, s said) { l.say(s, okPIN) }

// after answers later, while the line takes more.
func after(d time.Duration, answer func(*line, said)) func(*line, said) {
	return func(l *line, s said) {
		go func() {
			time.Sleep(d)
			answer(l, s)
		}()
	}
}

func silent(*line, said) {}

// only lets one unit answer so, and others so.
func only(unit string, so, others func(*line, said)) func(*line, said) {
	return func(l *line, s said) {
		if l.unit == unit {
			so(l, s)
			return
		}
		others(l, s)
	}
}

func TestThePrimaryIsAsked(t *testing.T) {
	scene(t, nil, func(t *testing.T, m *Module, p *player) {
		p.set(answerPIN)
		for range 3 {
			block, err := m.TranslatePIN(t.Context(), translation(t, m))
			if err != nil || string(block) != "\xE6\x14\xD4\xAF\xD4\x7B\xD3\xBF" {
				t.Fatalf("%X, %v", block, err)
			}
		}
		if got := p.asked("CC"); !slices.Equal(got, []string{"a", "a", "a"}) {
			t.Errorf("asked %v", got)
		}
	})
}

func TestASilentPrimaryCostsOneTimeout(t *testing.T) {
	scene(t, nil, func(t *testing.T, m *Module, p *player) {
		p.set(only("a", silent, answerPIN))
		began := time.Now()
		if _, err := m.TranslatePIN(t.Context(), translation(t, m)); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took != time.Second {
			t.Errorf("it took %v", took)
		}
		if count(m, "a", "CC", "timeout") != 1 || count(m, "b", "CC", "00") != 1 {
			t.Errorf("counts %+v", m.Counts())
		}
	})
}

func TestAUnitThatMissesRests(t *testing.T) {
	scene(t, func(c *Config) { c.Limits.Outstanding = 50 }, func(t *testing.T, m *Module, p *player) {
		p.set(only("a", silent, answerPIN))
		for range 3 {
			if _, err := m.TranslatePIN(t.Context(), translation(t, m)); err != nil {
				t.Fatal(err)
			}
		}
		if s := m.Status()[0]; !s.Resting || !s.Up {
			t.Errorf("status %+v", s)
		}
		began := time.Now()
		if _, err := m.TranslatePIN(t.Context(), translation(t, m)); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("asking a resting unit's fellow took %v", took)
		}
		p.set(answerPIN)
		time.Sleep(6 * time.Second)
		if _, err := m.TranslatePIN(t.Context(), translation(t, m)); err != nil {
			t.Fatal(err)
		}
		if got := p.asked("CC"); got[len(got)-1] != "a" {
			t.Error("the rested primary isn't asked again")
		}
	})
}

func TestBothSilent(t *testing.T) {
	scene(t, nil, func(t *testing.T, m *Module, p *player) {
		p.set(silent)
		began := time.Now()
		_, err := m.TranslatePIN(t.Context(), translation(t, m))
		if !errors.Is(err, hsm.ErrUnavailable) {
			t.Errorf("error %v", err)
		}
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

func TestBothDown(t *testing.T) {
	scene(t, nil, func(t *testing.T, m *Module, p *player) {
		p.cut("a")
		p.cut("b")
		synctest.Wait()
		began := time.Now()
		for _, err := range everyCall(t, m) {
			if !errors.Is(err, hsm.ErrUnavailable) {
				t.Errorf("error %v", err)
			}
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("it took %v to know that nobody is there", took)
		}
		if s := m.Status(); s[0].Up || s[1].Up || s[0].LastError == "" {
			t.Errorf("status %+v", s)
		}
	})
}

// everyCall makes each kind of call once.
func everyCall(t *testing.T, m *Module) (errs []error) {
	ctx := t.Context()
	add := func(_ any, err error) { errs = append(errs, err) }
	add(m.Generate(ctx, m.load(t, zoneA).spec))
	add(m.TranslatePIN(ctx, translation(t, m)))
	add(nil, m.Random(ctx, make([]byte, 300)))
	add(m.Adopt(ctx, m.load(t, zoneA).spec, zoneA))
	return errs
}

func TestAMadeKeyIsNotAskedForTwice(t *testing.T) {
	for name, fault := range map[string]func(*line, said){
		"silence": silent,
		"cut":     func(l *line, _ said) { l.Close() },
		"sick":    func(l *line, s said) { l.say(s, "41") },
	} {
		t.Run(name, func(t *testing.T) {
			scene(t, nil, func(t *testing.T, m *Module, p *player) {
				p.set(only("a", fault, func(l *line, s said) { l.say(s, "00"+zoneA+"4FE9FD") }))
				_, err := m.Generate(t.Context(), m.load(t, zoneA).spec)
				if !errors.Is(err, hsm.ErrUnavailable) {
					t.Errorf("error %v", err)
				}
				if got := p.asked("A0"); !slices.Equal(got, []string{"a"}) {
					t.Errorf("asked %v", got)
				}
				p.cut("a") // now it certainly doesn't leave for a
				synctest.Wait()
				if _, err := m.Generate(t.Context(), m.load(t, zoneA).spec); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// What waits for a place when its unit goes down has not left: even a key is made by the other.
func TestWhatWaitsMovesOn(t *testing.T) {
	narrow := func(c *Config) { c.Limits = Limits{Connections: 1, Outstanding: 1} }
	scene(t, narrow, func(t *testing.T, m *Module, p *player) {
		p.set(only("a", silent, func(l *line, s said) { l.say(s, "00"+zoneA+"4FE9FD") }))
		spec := m.load(t, zoneA).spec
		first, second := make(chan error), make(chan error)
		make1 := func(to chan error) {
			_, err := m.Generate(t.Context(), spec)
			to <- err
		}
		go make1(first)
		synctest.Wait()
		go make1(second)
		synctest.Wait()
		p.cut("a")
		if err := <-first; !errors.Is(err, hsm.ErrUnavailable) {
			t.Errorf("the one that left: error %v", err)
		}
		if err := <-second; err != nil {
			t.Errorf("the one that waited: %v", err)
		}
		if got := p.asked("A0"); !slices.Equal(got, []string{"a", "b"}) {
			t.Errorf("asked %v", got)
		}
	})
}

func TestAnAnswerCutAtEveryByte(t *testing.T) {
	whole := func(s said) string {
		message := s.header + "CD" + okPIN
		return string([]byte{0, byte(len(message))}) + message
	}
	for at := range len(whole(said{header: "0000"})) {
		scene(t, nil, func(t *testing.T, m *Module, p *player) {
			p.set(only("a", func(l *line, s said) {
				l.raw(whole(s)[:at])
				l.Close()
			}, answerPIN))
			if _, err := m.TranslatePIN(t.Context(), translation(t, m)); err != nil {
				t.Errorf("cut at byte %d: %v", at, err)
			}
			if got := p.asked("CC"); !slices.Equal(got, []string{"a", "b"}) {
				t.Errorf("cut at byte %d: asked %v", at, got)
			}
		})
	}
}

func TestAnAnswerThatStopsAtEveryByte(t *testing.T) {
	const last = 28
	for at := range last {
		scene(t, nil, func(t *testing.T, m *Module, p *player) {
			p.set(only("a", func(l *line, s said) {
				message := s.header + "CD" + okPIN
				l.raw((string([]byte{0, byte(len(message))}) + message)[:at])
			}, answerPIN))
			if _, err := m.TranslatePIN(t.Context(), translation(t, m)); err != nil {
				t.Errorf("stopped at byte %d: %v", at, err)
			}
		})
	}
}

func TestWhatNoAnswerIsEndsTheConnection(t *testing.T) {
	for name, fault := range map[string]func(*line, said){
		"another header":   func(l *line, s said) { l.send("????CD" + okPIN) },
		"another command":  func(l *line, s said) { l.send(s.header + "M7" + okPIN) },
		"too short":        func(l *line, s said) { l.send(s.header + "CD0") },
		"nothing":          func(l *line, s said) { l.send("") },
		"no error code":    func(l *line, s said) { l.send(s.header + "CD\x00\xFF" + okPIN) },
		"a huge length":    func(l *line, s said) { l.raw("\xFF\xFF" + s.header); l.Close() },
		"the question":     func(l *line, s said) { l.send(s.header + s.command + s.fields) },
		"an answer before": func(l *line, s said) { l.say(s, okPIN); l.say(s, okPIN) },
	} {
		t.Run(name, func(t *testing.T) {
			scene(t, nil, func(t *testing.T, m *Module, p *player) {
				p.set(only("a", fault, answerPIN))
				if _, err := m.TranslatePIN(t.Context(), translation(t, m)); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				if m.Status()[0].Up {
					t.Error("the connection still stands")
				}
				if m.Status()[0].LastError == "" || count(m, "a", "", "connection") != 1 {
					t.Errorf("status %+v", m.Status()[0])
				}
			})
		})
	}
}

func TestASickUnitsFellowIsAsked(t *testing.T) {
	scene(t, nil, func(t *testing.T, m *Module, p *player) {
		p.set(only("a", func(l *line, s said) { l.say(s, "41") }, answerPIN))
		for range 3 {
			if _, err := m.TranslatePIN(t.Context(), translation(t, m)); err != nil {
				t.Fatal(err)
			}
		}
		if !m.Status()[0].Resting {
			t.Error("a sick unit doesn't rest")
		}
		p.set(func(l *line, s said) { l.say(s, "41") })
		_, err := m.TranslatePIN(t.Context(), translation(t, m))
		if !errors.Is(err, hsm.ErrUnavailable) {
			t.Errorf("error %v", err)
		}
	})
}

func TestOneUnitAloneIsAskedAgainAfterACut(t *testing.T) {
	alone := func(c *Config) {
		c.Units = c.Units[:1]
		c.Limits.Connections = 2
	}
	scene(t, alone, func(t *testing.T, m *Module, p *player) {
		var once bool
		p.set(func(l *line, s said) {
			if !once {
				once = true
				l.Close()
				return
			}
			answerPIN(l, s)
		})
		if _, err := m.TranslatePIN(t.Context(), translation(t, m)); err != nil {
			t.Fatal(err)
		}
		p.set(silent)
		began := time.Now()
		if _, err := m.TranslatePIN(t.Context(), translation(t, m)); err == nil {
			t.Error("silence is an answer")
		}
		if took := time.Since(began); took != time.Second {
			t.Errorf("a slow unit was asked again: %v", took)
		}
	})
}

func TestTheContextEndsTheWait(t *testing.T) {
	scene(t, nil, func(t *testing.T, m *Module, p *player) {
		p.set(silent)
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		began := time.Now()
		_, err := m.TranslatePIN(ctx, translation(t, m))
		if !errors.Is(err, hsm.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		if took := time.Since(began); took != 300*time.Millisecond {
			t.Errorf("it took %v", took)
		}
		if got := p.asked("CC"); len(got) != 2 {
			t.Errorf("asked %v", got)
		}
		if _, err := m.TranslatePIN(ctx, translation(t, m)); !errors.Is(err, hsm.ErrUnavailable) {
			t.Errorf("error %v", err)
		}
		if got := p.asked("CC"); len(got) != 2 {
			t.Error("after its context a call asks a unit")
		}
	})
}

// A caller with little time still reaches the standby, and its haste doesn't let a unit rest.
func TestHaste(t *testing.T) {
	scene(t, nil, func(t *testing.T, m *Module, p *player) {
		hasty := func(limit time.Duration) error {
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			_, err := m.TranslatePIN(ctx, translation(t, m))
			return err
		}
		p.set(only("a", silent, answerPIN))
		for range 7 {
			if err := hasty(100 * time.Millisecond); err != nil {
				t.Fatal(err)
			}
		}
		if m.Status()[0].Resting {
			t.Error("seven waits of 50 ms let the unit rest")
		}
		p.cut("a")
		p.mend("a")
		time.Sleep(20 * time.Second)
		for range 3 {
			if err := hasty(800 * time.Millisecond); err != nil {
				t.Fatal(err)
			}
		}
		if !m.Status()[0].Resting {
			t.Errorf("three waits of 400 ms don't let the unit rest: %+v", m.Status()[0])
		}
	})
}

func TestBackoff(t *testing.T) {
	alone := func(c *Config) { c.Units = c.Units[:1] }
	scene(t, alone, func(t *testing.T, m *Module, p *player) {
		p.cut("a")
		p.mu.Lock()
		p.dials = nil
		p.mu.Unlock()
		time.Sleep(time.Minute)
		p.mu.Lock()
		defer p.mu.Unlock()
		pause := 250 * time.Millisecond
		for i := 1; i < len(p.dials); i++ {
			pause = min(2*pause, 10*time.Second)
			if gap := p.dials[i].Sub(p.dials[i-1]); gap < pause/2 || gap > pause {
				t.Errorf("pause %d is %v, want %v to %v", i, gap, pause/2, pause)
			}
		}
		if n := len(p.dials); n < 9 || n > 20 {
			t.Errorf("%d dials in a minute", n)
		}
		if n := strings.Count(p.log.String(), "level=WARN"); n > 3 {
			t.Errorf("%d warnings for one outage", n)
		}
	})
}

func TestItComesBack(t *testing.T) {
	scene(t, nil, func(t *testing.T, m *Module, p *player) {
		p.set(answerPIN)
		p.cut("a")
		synctest.Wait()
		if _, err := m.TranslatePIN(t.Context(), translation(t, m)); err != nil {
			t.Fatal(err)
		}
		p.mend("a")
		time.Sleep(30 * time.Second)
		p.cut("b")
		synctest.Wait()
		if _, err := m.TranslatePIN(t.Context(), translation(t, m)); err != nil {
			t.Fatal(err)
		}
		if got := p.asked("CC"); !slices.Equal(got, []string{"b", "a"}) {
			t.Errorf("asked %v", got)
		}
	})
}

func TestReady(t *testing.T) {
	scene(t, nil, func(t *testing.T, m *Module, p *player) {
		if err := m.Ready(t.Context()); err != nil {
			t.Error(err)
		}
	})
	never := func(c *Config) {
		c.Dial = new(player{down: map[string]bool{"a": true, "b": true}}).dial
	}
	scene(t, never, func(t *testing.T, m *Module, p *player) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := m.Ready(ctx); !errors.Is(err, hsm.ErrUnavailable) {
			t.Errorf("error %v", err)
		}
	})
}
