package ceremony

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"cardswitch/hsm/keyblock"
	"cardswitch/hsm/vectors"
)

// bench makes keys in the open and remembers what became of them.
type bench struct {
	algorithm keyblock.Algorithm
	seen      [][]byte // the room's own slices
	key       keyblock.Key
	active    int
	dropped   int
	fail      error
}

func (b *bench) Drop() { b.dropped++ }

func (b *bench) Form(_ context.Context, components [][]byte) (keyblock.CheckValue, error) {
	b.seen = slices.Clone(components)
	if b.fail != nil {
		return keyblock.CheckValue{}, b.fail
	}
	var keys []keyblock.Key
	for _, c := range components {
		key, err := keyblock.NewKey(b.algorithm, c)
		if err != nil {
			return keyblock.CheckValue{}, err
		}
		keys = append(keys, key)
	}
	var err error
	if b.key, err = keyblock.Combine(false, keys...); err != nil {
		return keyblock.CheckValue{}, err
	}
	if b.algorithm == keyblock.TDES {
		return b.key.CheckValue(keyblock.TDESECB, 3)
	}
	return b.key.CheckValue(keyblock.CMAC, 5)
}

func (b *bench) Activate(context.Context, string, string, string) (string, error) {
	if b.fail != nil {
		return "", b.fail
	}
	b.active++
	return "kbpk:sakura@1", nil
}

var (
	alice = Person{Name: "alice", Asks: true, Custodian: true}
	bob   = Person{Name: "bob", Asks: true, Custodian: true}
	carol = Person{Name: "carol", Approver: true}
	dave  = Person{Name: "dave", Asks: true}
)

func request(b *bench) Request {
	if b.algorithm == "" {
		b.algorithm = keyblock.AES
	}
	return Request{What: "kbpk:sakura", Algorithm: b.algorithm, Size: 32, Count: 2, Work: b}
}

func component() []byte {
	c := make([]byte, 32)
	rand.Read(c)
	return c
}

func enter(t *testing.T, r *Room, p Person, id string) State {
	t.Helper()
	s, err := r.Enter(t.Context(), p, id, component(), keyblock.CheckValue{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestThreePeopleMakeAKey(t *testing.T) {
	var r Room
	b := &bench{}
	s, err := r.Start(dave, request(b))
	if err != nil {
		t.Fatal(err)
	}
	typed := component()
	if s, err = r.Enter(t.Context(), alice, s.ID, typed, keyblock.CheckValue{}); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(typed, make([]byte, 32)) {
		t.Error("the component that was handed over isn't cleared")
	}
	if s.Phase != Entering || len(s.Entries) != 1 || s.Entries[0].Check.Validate() != nil {
		t.Errorf("after one component: %+v", s)
	}
	s = enter(t, &r, bob, s.ID)
	if s.Phase != Formed || s.Check.Validate() != nil || b.active != 0 {
		t.Errorf("after all components: %+v", s)
	}
	for _, c := range b.seen {
		if !slices.Equal(c, make([]byte, 32)) {
			t.Error("a component isn't wiped once the key is formed")
		}
	}
	wrong := s.Check
	wrong.Hex = "0000000000"
	if _, err := r.Approve(t.Context(), carol, s.ID, wrong); err == nil {
		t.Error("approved with another check value")
	}
	check := s.Check
	if s, err = r.Approve(t.Context(), carol, s.ID, check); err != nil || s.Phase != Done ||
		s.Key != "kbpk:sakura@1" || s.Approver != "carol" {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := r.Approve(t.Context(), carol, s.ID, check); err == nil || b.active != 1 {
		t.Errorf("an approval counts twice: %v, %d", err, b.active)
	}
	if _, err := r.Cancel(dave, s.ID); err == nil {
		t.Error("cancelled after the end")
	}
}

func TestWhoMayDoWhat(t *testing.T) {
	var r Room
	s, err := r.Start(alice, request(&bench{}))
	if err != nil {
		t.Fatal(err)
	}
	refused := func(what string, err error) {
		t.Helper()
		var f *Refusal
		if !errors.As(err, &f) || f.Hint == "" {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err = r.Start(carol, request(&bench{}))
	refused("an approver asks", err)
	_, err = r.Start(Person{Asks: true}, request(&bench{}))
	refused("nobody asks", err)
	for _, p := range []Person{carol, dave, {Custodian: true},
		{Name: "eve", Custodian: true, Approver: true}} {
		_, err = r.Enter(t.Context(), p, s.ID, component(), keyblock.CheckValue{})
		refused(p.Name+" enters", err)
	}
	enter(t, &r, alice, s.ID)
	_, err = r.Enter(t.Context(), alice, s.ID, component(), keyblock.CheckValue{})
	refused("the same person enters both", err)
	_, err = r.Approve(t.Context(), carol, s.ID, keyblock.CheckValue{})
	refused("approved before all is there", err)
	s = enter(t, &r, bob, s.ID)
	for _, p := range []Person{alice, bob, dave, {Approver: true},
		{Name: "bob", Approver: true}, {Name: "alice", Approver: true}, // roles changed in between
		{Name: "eve", Custodian: true, Approver: true}} {
		_, err = r.Approve(t.Context(), p, s.ID, s.Check)
		refused(p.Name+" approves", err)
	}
	if _, err = r.Approve(t.Context(), carol, "OTHER", s.Check); !errors.Is(err, ErrAbsent) {
		t.Errorf("approved in another ceremony: %v", err)
	}
	_, err = r.Cancel(Person{Name: "eve"}, s.ID)
	refused("somebody cancels", err)
}

func TestWhoAsksDoesntApprove(t *testing.T) {
	var r Room
	b := &bench{}
	s, _ := r.Start(dave, request(b))
	enter(t, &r, alice, s.ID)
	s = enter(t, &r, bob, s.ID)
	promoted := Person{Name: dave.Name, Approver: true}
	if _, err := r.Approve(t.Context(), promoted, s.ID, s.Check); err == nil || b.active > 0 {
		t.Error("who asked for the key approves it")
	}
}

func TestComponentsThatCantBe(t *testing.T) {
	var r Room
	s, _ := r.Start(dave, request(&bench{}))
	for name, c := range map[string][]byte{
		"short": make([]byte, 31), "none": nil, "zero": make([]byte, 32)} {
		if _, err := r.Enter(t.Context(), alice, s.ID, c, keyblock.CheckValue{}); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	other := keyblock.CheckValue{Method: keyblock.CMAC, Hex: "0011223344"}
	if _, err := r.Enter(t.Context(), alice, s.ID, component(), other); err == nil {
		t.Error("a mistyped component is taken")
	}
	if got := r.States()[0]; len(got.Entries) != 0 {
		t.Errorf("what was refused counts: %+v", got)
	}
}

func TestAFailedFormingEndsIt(t *testing.T) {
	var r Room
	b := &bench{fail: errors.New("no module")}
	s, _ := r.Start(dave, request(b))
	enter(t, &r, alice, s.ID)
	s, err := r.Enter(t.Context(), bob, s.ID, component(), keyblock.CheckValue{})
	if !errors.Is(err, b.fail) || s.Phase != Ended {
		t.Errorf("%+v, %v", s, err)
	}
	for _, c := range b.seen {
		if !slices.Equal(c, make([]byte, 32)) {
			t.Error("a component isn't wiped")
		}
	}
}

func TestTimeIsUp(t *testing.T) {
	for _, formed := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var r Room
			b := &bench{}
			s, _ := r.Start(dave, request(b))
			enter(t, &r, alice, s.ID)
			r.mu.Lock() // the timer has it too
			mine := r.open[0].components[0]
			r.mu.Unlock()
			if formed {
				s = enter(t, &r, bob, s.ID)
			}
			time.Sleep(Within)
			synctest.Wait()
			if !slices.Equal(mine, make([]byte, 32)) {
				t.Error("the component isn't wiped when the time is up")
			}
			if got := r.States()[0]; got.Phase != Ended || got.Why == "" || b.dropped != 1 {
				t.Errorf("%+v, dropped %d times", got, b.dropped)
			}
			if _, err := r.Enter(t.Context(), bob, s.ID, component(), keyblock.CheckValue{}); err == nil {
				t.Error("entered after the time")
			}
			if _, err := r.Approve(t.Context(), carol, s.ID, s.Check); err == nil || b.active > 0 {
				t.Error("approved after the time")
			}
		})
	}
}

func TestCancelAndCloseWipe(t *testing.T) {
	var r Room
	for _, end := range []func(id string){
		func(id string) { _, _ = r.Cancel(carol, id) },
		func(string) { _ = r.Close() },
	} {
		s, _ := r.Start(dave, request(&bench{}))
		enter(t, &r, alice, s.ID)
		session := r.open[len(r.open)-1]
		mine := session.components[0]
		end(s.ID)
		if !slices.Equal(mine, make([]byte, 32)) || session.components != nil {
			t.Error("a component isn't wiped")
		}
	}
}

func TestRoomIsBounded(t *testing.T) {
	var r Room
	for range MostOpen {
		if _, err := r.Start(dave, request(&bench{})); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.Start(dave, request(&bench{})); err == nil {
		t.Error("more are open than MostOpen")
	}
	for range 3 * mostKept {
		id := r.States()[len(r.open)-1].ID
		if _, err := r.Cancel(carol, id); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Start(dave, request(&bench{})); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(r.open); n > mostKept {
		t.Errorf("%d ceremonies are kept", n)
	}
}

// The published components of PayEx give its published keys.
func TestPublishedComponents(t *testing.T) {
	for _, v := range vectors.Load(t, "key_components") {
		var r Room
		b := &bench{algorithm: keyblock.TDES}
		s, err := r.Start(dave, Request{Algorithm: keyblock.TDES, Size: 16, Count: 2, Work: b})
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range []Person{alice, bob} {
			expect := keyblock.CheckValue{Method: keyblock.TDESECB,
				Hex: v.Text(fmt.Sprint("kcv", i+1))[:6]}
			c := v.Hex(fmt.Sprint("component", i+1))
			if s, err = r.Enter(t.Context(), p, s.ID, c, expect); err != nil {
				t.Fatal(err)
			}
		}
		if s.Phase != Formed || s.Check.Hex != v.Text("kcv") {
			t.Errorf("%s: check value %s, want %s", v.ID(), s.Check, v.Text("kcv"))
		}
	}
}

// Whatever one or two people do, in whatever order, with whatever roles at each call, in however
// many ceremonies: no key becomes active. Three with the right roles make one.
func TestFewerThanThreeNeverFinish(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		people := rapid.IntRange(1, 2).Draw(t, "people")
		made := walk(people, func(n int, what string) int {
			return rapid.IntRange(0, n-1).Draw(t, what)
		})
		if made > 0 {
			t.Fatalf("%d people made %d keys", people, made)
		}
	})
	made, chance := 0, mathrand.New(mathrand.NewPCG(1, 2))
	for range 200 {
		made += walk(3, func(n int, _ string) int { return chance.IntN(n) })
	}
	if made == 0 {
		t.Error("three people never made a key either: the test shows nothing")
	}
}

// walk lets so many people do what is picked, and gives the keys that came of it.
func walk(count int, pick func(n int, what string) int) int {
	people := []string{"alice", "bob", "carol"}[:count]
	var r Room
	defer r.Close()
	b := &bench{}
	roles := []Person{{}, {Asks: true}, {Asks: true, Custodian: true}, {Custodian: true},
		{Approver: true}, {Asks: true, Approver: true}, {"", true, true, true}}
	calls := []string{"enter", "enter", "enter", "approve", "approve", "start", "cancel"}
	for range 150 {
		p := roles[pick(len(roles), "roles")]
		p.Name = people[pick(len(people), "who")]
		id, check := "", keyblock.CheckValue{}
		if states := r.States(); len(states) > 0 {
			last := states[max(0, len(states)-2):]
			s := last[pick(len(last), "which")]
			id, check = s.ID, s.Check
		}
		switch calls[pick(len(calls), "call")] {
		case "start":
			_, _ = r.Start(p, request(b))
		case "enter":
			_, _ = r.Enter(context.Background(), p, id, component(), keyblock.CheckValue{})
		case "approve":
			_, _ = r.Approve(context.Background(), p, id, check)
		case "cancel":
			_, _ = r.Cancel(p, id)
		}
	}
	return b.active
}
