package keyring

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var noon = time.Date(2026, 4, 1, 12, 0, 0, 0, time.UTC)

const window = 5 * time.Minute

// Every state and step: what is not in the table is refused.
func TestStepsOfAKey(t *testing.T) {
	legal := map[State]map[Step]State{
		Received:  {Confirm: Confirmed, Destroy: Destroyed},
		Confirmed: {Activate: Accepting, Destroy: Destroyed},
		Accepting: {Send: Sending, Retire: Retiring},
		Sending:   {Retire: Retiring},
		Retiring:  {Destroy: Destroyed},
		Destroyed: {},
	}
	slots := []string{"zpk:sakura:out", "zpk:sakura:in", "zek:sakura/a", "kek"}
	for _, name := range slots {
		id := ID{slotOf(t, name), 1}
		for _, state := range States() {
			for _, what := range Steps() {
				got, err := step(recordAt(id, state, noon, "AABBCCDDEE"), what, noon, window)
				want, ok := legal[state][what]
				if ok && what == Send && id.Slot.Direction == In {
					ok = false
				}
				if ok != (err == nil) || ok && got.State != want {
					t.Errorf("%s %s: %s gives %s, %v", name, state, what, got.State, err)
				}
				var se *StepError
				if err != nil && (!errors.As(err, &se) || se.Hint == "") {
					t.Errorf("%s %s: %v has no hint", state, what, err)
				}
				if err == nil && got.Validate() != nil {
					t.Errorf("%s %s: %v", state, what, got.Validate())
				}
			}
		}
	}
}

func TestAnExpiredKeyGoesNoFurther(t *testing.T) {
	id := ID{slotOf(t, "zpk:sakura:out"), 1}
	late := noon.Add(time.Hour)
	for state, what := range map[State]Step{Received: Confirm, Confirmed: Activate, Accepting: Send} {
		if _, err := step(recordAt(id, state, noon, "AABBCCDDEE"), what, late, window); err == nil {
			t.Errorf("%s: %s after the crypto-period", state, what)
		}
	}
	set, err := NewSet([]Record{recordAt(id, Sending, noon, "AABBCCDDEE")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := set.Sender(id.Slot, late.Add(-1)); err != nil {
		t.Error(err)
	}
	if _, err := set.Sender(id.Slot, late); err == nil {
		t.Error("an expired key protects")
	}
	if _, err := set.Opener(id.Slot, 1, late); err != nil {
		t.Error("an expired key can't open what is still under way:", err)
	}
	link := ID{slotOf(t, "zek:sakura/a"), 1}
	if set, err = NewSet([]Record{recordAt(link, Sending, noon, "AABBCCDDEE")}); err != nil {
		t.Fatal(err)
	}
	if _, err := set.Opener(link.Slot, 1, late.Add(-1)); err != nil {
		t.Error(err)
	}
	if _, err := set.Opener(link.Slot, 1, late); err == nil {
		t.Error("a session begins under an expired link key")
	}
}

// What a partner may use is told by its state and date alone.
func TestOpeners(t *testing.T) {
	slot := slotOf(t, "zek:sakura/a")
	var records []Record
	for i, state := range States() {
		records = append(records, recordAt(ID{slot, uint16(i + 1)}, state, noon,
			fmt.Sprintf("AABBCC%04X", i)))
	}
	set, err := NewSet(records)
	if err != nil {
		t.Fatal(err)
	}
	open := func(at time.Time) (states []State) {
		for _, r := range set.Openers(slot, at) {
			states = append(states, r.State)
		}
		return states
	}
	if diff := cmp.Diff([]State{Accepting, Sending, Retiring}, open(noon)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]State{Accepting, Sending}, open(noon.Add(time.Minute))); diff != "" {
		t.Error("after the window", diff)
	}
	if _, err := set.Opener(slot, 99, noon); err == nil {
		t.Error("a generation that isn't there opens")
	}
}

func TestTheSameKeyTwiceIsRefused(t *testing.T) {
	a, b := ID{slotOf(t, "zek:sakura/a"), 1}, ID{slotOf(t, "zpk:fuji:in"), 1}
	for _, state := range States() {
		set, err := NewSet([]Record{recordAt(a, state, noon, "AABBCCDDEE")})
		if err != nil {
			t.Fatal(err)
		}
		var twice *DuplicateError
		if _, err = set.Add(recordAt(b, Received, noon, "AABBCCDDEE")); !errors.As(err, &twice) {
			t.Errorf("%s: %v", state, err)
		}
		// A shorter value, as a partner may give, is one of the same key.
		if _, err = set.Add(recordAt(b, Received, noon, "AABBCC")); !errors.As(err, &twice) {
			t.Errorf("%s, a short value: %v", state, err)
		}
	}
}

// A partner that never got generation 2 still has 1 when 3 comes: the order holds.
func TestGenerationsGoInOrder(t *testing.T) {
	slot := slotOf(t, "zek:sakura/a")
	set, err := NewSet([]Record{
		recordAt(ID{slot, 1}, Sending, noon, "AABBCCDD01"),
		recordAt(ID{slot, 2}, Accepting, noon, "AABBCCDD02"),
		recordAt(ID{slot, 3}, Confirmed, noon, "AABBCCDD03"),
	})
	if err != nil {
		t.Fatal(err)
	}
	set, err = set.Step(ID{slot, 3}, Activate, noon, window)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = set.Step(ID{slot, 3}, Send, noon, window); err == nil {
		t.Fatal("generation 3 sends before 2 did")
	}
	for _, n := range []uint16{2, 3} {
		if set, err = set.Step(ID{slot, n}, Send, noon, window); err != nil {
			t.Fatal(err)
		}
	}
	if got := len(set.Openers(slot, noon)); got != 3 {
		t.Errorf("%d generations are accepted, want all 3 during the window", got)
	}
	if r, err := set.Sender(slot, noon); err != nil || r.ID.Generation != 3 {
		t.Errorf("sends with %v, %v", r.ID, err)
	}
}

// A partner that numbers the keys may pass some over, but never go back.
func TestGenerationsOnlyGrow(t *testing.T) {
	slot := slotOf(t, "zek:sakura/a")
	set, err := Set{}.Add(recordAt(ID{slot, 5}, Received, noon, "AABBCCDDEE"))
	if err != nil {
		t.Fatal(err)
	}
	for n := range uint16(6) {
		if _, err := set.Add(recordAt(ID{slot, n}, Received, noon, "AABBCCDDFF")); err == nil {
			t.Errorf("generation %d is added after 5", n)
		}
	}
}

func TestFewGenerationsWait(t *testing.T) {
	slot := slotOf(t, "zek:sakura/a")
	var set Set
	for n := range uint16(MostPending) {
		var err error
		check := fmt.Sprintf("AABBCCDD%02X", n)
		if set, err = set.Add(recordAt(ID{slot, n + 1}, Received, noon, check)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := set.Next(slot); err == nil {
		t.Error("more may wait than MostPending")
	}
}

func TestWhatIsDue(t *testing.T) {
	slot, in := slotOf(t, "zek:sakura/a"), slotOf(t, "zpk:sakura:in")
	policy := func(Purpose) Policy {
		return Policy{Rotate: 30 * time.Minute, Uses: 1000, Window: window, Keep: time.Minute}
	}
	one := func(state State) []Record { return []Record{recordAt(ID{slot, 1}, state, noon, "AABBCC")} }
	two := func(slot Slot, old, young State) []Record {
		return []Record{recordAt(ID{slot, 1}, old, noon, "AABBCC"),
			recordAt(ID{slot, 2}, young, noon, "DDEEFF")}
	}
	for _, c := range []struct {
		name    string
		records []Record
		after   time.Duration
		uses    uint64
		want    Duty
	}{
		{"a young key", one(Sending), time.Minute, 0, ""},
		{"an old key", one(Sending), 30 * time.Minute, 0, Rotate},
		{"a key that is used often", one(Sending), time.Minute, 1000, Rotate},
		{"a key at its end", one(Sending), time.Hour, 0, Expired},
		{"an old key whose successor waits", two(slot, Sending, Received), 30 * time.Minute, 0, Rotate},
		{"a key whose successor is accepted", two(slot, Sending, Accepting), 0, 0, ""},
		{"the same of a key of direction in", two(in, Accepting, Accepting), 0, 0, RetireNow},
		{"a key that retires", one(Retiring), time.Minute, 0, ""},
		{"a key that has retired", one(Retiring), 2 * time.Minute, 0, DestroyNow},
		{"a key that was never used", one(Received), time.Hour, 0, DestroyNow},
		{"a key that is no more", one(Destroyed), 99 * time.Hour, 9999, ""},
	} {
		set, err := NewSet(c.records)
		if err != nil {
			t.Fatal(err)
		}
		got := Duty("")
		tasks := set.Due(noon.Add(c.after), policy, func(ID) uint64 { return c.uses })
		if len(tasks) > 0 && tasks[0].ID.Generation == 1 {
			got = tasks[0].What
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// Whatever is done in whatever order: at most one generation of a slot sends, what is destroyed
// stays so, states never go back, and old values of the set don't change.
func TestSetHoldsTogether(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		slots := []Slot{{Purpose: ZEK, Center: "a", Link: "b"}, {Purpose: ZPK, Center: "a",
			Direction: In}}
		var set Set
		now := noon
		for n := range rapid.IntRange(1, 40).Draw(t, "steps") {
			before := set.Records()
			slot := rapid.SampledFrom(slots).Draw(t, "slot")
			if next, err := set.Next(slot); err == nil && rapid.Bool().Draw(t, "add") {
				r := recordAt(ID{slot, next}, Received, now, fmt.Sprintf("%010X", n+1))
				if grown, err := set.Add(r); err == nil {
					set = grown
				}
			}
			id := ID{slot, rapid.Uint16Range(1, 6).Draw(t, "generation")}
			old := set
			after, err := set.Step(id, rapid.SampledFrom(Steps()).Draw(t, "step"), now, window)
			if err == nil {
				set = after
			}
			now = now.Add(time.Duration(rapid.IntRange(0, 600).Draw(t, "seconds")) * time.Second)
			for _, r := range before {
				then, _ := old.Get(r.ID)
				later, ok := set.Get(r.ID)
				if then.State != r.State || !ok || later.State.rank() < r.State.rank() {
					t.Fatalf("%s went from %s to %s", r.ID, r.State, later.State)
				}
			}
			for _, slot := range slots {
				sending := 0
				for _, r := range set.Generations(slot) {
					if r.State == Sending {
						sending++
					}
				}
				if sending > 1 {
					t.Fatalf("%d generations of %s send", sending, slot)
				}
			}
		}
	})
}
