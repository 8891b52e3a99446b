package ceremony

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"cardswitch/hsm/keyblock"
)

// Work is the key that a ceremony makes.
type Work interface {
	// Form makes it of all components, which are wiped afterwards, and keeps it inactive.
	Form(ctx context.Context, components [][]byte) (keyblock.CheckValue, error)
	// Activate puts it in service and names it.
	Activate(ctx context.Context, asked, approver, id string) (string, error)
	// Drop forgets it, if it wasn't activated.
	Drop()
}

// Request is what is asked for.
type Request struct {
	What      string
	Label     string
	Algorithm keyblock.Algorithm
	Size      int // bytes
	Count     int // components
	Work      Work
}

const (
	// MostOpen is how many ceremonies may be open at a time: people do one after the other.
	MostOpen = 8
	// mostKept is how many that are over are remembered, to be shown.
	mostKept = 32
)

// Room is where ceremonies are held: in memory only. The zero Room is empty.
type Room struct {
	mu   sync.Mutex
	open []*session // also those that are over, the oldest first
}

// session is a ceremony with what may not be shown.
type session struct {
	state      State
	request    Request
	components [][]byte
	timer      *time.Timer
}

// wipe forgets the components.
func (s *session) wipe() {
	for _, c := range s.components {
		clear(c)
	}
	s.components = nil
}

func (s *session) end(why string) {
	s.wipe()
	s.timer.Stop()
	if s.request.Work != nil {
		s.request.Work.Drop()
		s.request.Work = nil
	}
	if s.state.Phase == Entering || s.state.Phase == Formed {
		s.state = s.state.ended(why)
	}
}

// Start begins a ceremony.
func (r *Room) Start(p Person, q Request) (State, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	open := 0
	for _, s := range r.open {
		if s.state.Phase == Entering || s.state.Phase == Formed {
			open++
		}
	}
	if open >= MostOpen {
		return State{}, refuse("finish or cancel one", "%d ceremonies are open", open)
	}
	state, err := asked(p, rand.Text()[:13], q.What, q.Label, q.Count, time.Now())
	if err != nil {
		return State{}, err
	}
	state.Method = method(q.Algorithm)
	s := &session{state: state, request: q}
	s.timer = time.AfterFunc(Within, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		s.end("the time was up")
	})
	r.open = append(r.open, s)
	if over := len(r.open) - mostKept; over > 0 {
		r.forget(over)
	}
	return s.shown(), nil
}

// forget drops the oldest that are over.
func (r *Room) forget(count int) {
	r.open = slices.DeleteFunc(r.open, func(s *session) bool {
		over := s.state.Phase == Done || s.state.Phase == Ended
		if over && count > 0 {
			count--
			return true
		}
		return false
	})
}

// shown is the state for others to keep.
func (s *session) shown() State {
	state := s.state
	state.Entries = slices.Clone(state.Entries)
	return state
}

func (r *Room) find(id string) (*session, error) {
	for _, s := range r.open {
		if s.state.ID == strings.ToUpper(id) && id != "" {
			return s, nil
		}
	}
	return nil, ErrAbsent
}

// Enter takes a component from a custodian and clears it, whatever comes of it. With the last one
// the key is formed. Expect is the component's check value on the custodian's paper, zero if there
// is none.
func (r *Room) Enter(ctx context.Context, p Person, id string, component []byte,
	expect keyblock.CheckValue) (State, error) {
	defer clear(component)
	r.mu.Lock()
	defer r.mu.Unlock()
	s, err := r.find(id)
	if err != nil {
		return State{}, err
	}
	if err := s.state.mayEnter(p, time.Now()); err != nil {
		return State{}, err
	}
	check, err := s.check(component)
	if err != nil {
		return State{}, err
	}
	if expect != (keyblock.CheckValue{}) && !check.Matches(expect) {
		return State{}, refuse("enter it again",
			"the component has not the check value that was expected: it may be mistyped")
	}
	s.components = append(s.components, slices.Clone(component))
	s.state = s.state.with(Entry{p.Name, check, time.Now()})
	if !s.state.complete() {
		return s.shown(), nil
	}
	value, err := s.request.Work.Form(ctx, s.components)
	s.wipe()
	if err != nil {
		s.end("the key couldn't be formed")
		return s.shown(), fmt.Errorf("form the key: %w", err)
	}
	s.state = s.state.formed(value)
	return s.shown(), nil
}

// check gives the check value of a component, and refuses one that can't be one.
func (s *session) check(component []byte) (keyblock.CheckValue, error) {
	if len(component) != s.request.Size {
		return keyblock.CheckValue{}, refuse(fmt.Sprintf("%d hexadecimal digits", 2*s.request.Size),
			"a component of this key has %d bytes, not %d", s.request.Size, len(component))
	}
	key, err := keyblock.NewKey(s.request.Algorithm, component)
	if err != nil {
		return keyblock.CheckValue{}, err
	}
	defer key.Wipe()
	zero := byte(0)
	for _, b := range component {
		zero |= b
	}
	if zero == 0 {
		return keyblock.CheckValue{}, refuse("components are random", "the component is all zero")
	}
	if s.state.Method == keyblock.TDESECB {
		return key.CheckValue(s.state.Method, 3)
	}
	return key.CheckValue(s.state.Method, 5)
}

// method is how check values of keys of an algorithm are made: as custodians' papers have them.
func method(a keyblock.Algorithm) keyblock.CheckMethod {
	if a == keyblock.TDES {
		return keyblock.TDESECB
	}
	return keyblock.CMAC
}

// Approve activates the key. The check value is the one that the approver has read.
func (r *Room) Approve(ctx context.Context, p Person, id string,
	check keyblock.CheckValue) (State, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s, err := r.find(id)
	if err != nil {
		return State{}, err
	}
	if err := s.state.mayApprove(p, check, time.Now()); err != nil {
		return State{}, err
	}
	key, err := s.request.Work.Activate(ctx, s.state.AskedBy, p.Name, s.state.ID)
	if err != nil {
		s.end("the key couldn't be activated")
		return s.shown(), fmt.Errorf("activate the key: %w", err)
	}
	s.state = s.state.done(p.Name, key)
	s.end("")
	return s.shown(), nil
}

// Cancel ends a ceremony; its components are wiped.
func (r *Room) Cancel(p Person, id string) (State, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s, err := r.find(id)
	if err != nil {
		return State{}, err
	}
	if err := s.state.mayCancel(p); err != nil {
		return State{}, err
	}
	s.end("cancelled by " + p.Name)
	return s.shown(), nil
}

// States lists the ceremonies, the oldest first.
func (r *Room) States() []State {
	r.mu.Lock()
	defer r.mu.Unlock()
	var states []State
	for _, s := range r.open {
		states = append(states, s.shown())
	}
	return states
}

// Close ends all of them.
func (r *Room) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.open {
		s.end("the switch stopped")
	}
	return nil
}
