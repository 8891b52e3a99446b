package txn

import (
	"testing"

	"pgregory.net/rapid"
)

// Every deadline falls due once, not before its time and at most two ticks after it, whatever the
// order of setting, lifting and turning, also beyond one turn of the ring and after a long sleep.
func TestWheel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const tick = 10
		w := NewWheel(tick, 8, 0)
		waiting := map[*Row]int64{}
		now := int64(0)
		for range rapid.IntRange(1, 100).Draw(t, "steps") {
			switch rapid.IntRange(0, 3).Draw(t, "step") {
			case 0, 1:
				r := &Row{bucket: noBucket}
				at := now + int64(rapid.IntRange(-5, 300).Draw(t, "deadline"))
				w.Set(r, at)
				waiting[r] = at
			case 2:
				for r := range waiting {
					w.Lift(r)
					delete(waiting, r)
					break
				}
			case 3:
				now += int64(rapid.IntRange(0, 400).Draw(t, "sleep"))
				for _, r := range w.Turn(nil, now, 1000) {
					at, ok := waiting[r]
					if !ok || at > now {
						t.Fatalf("deadline %d fell due at %d (known: %v)", at, now, ok)
					}
					delete(waiting, r)
				}
				for _, at := range waiting {
					if at+2*tick <= now {
						t.Fatalf("deadline %d has not fallen due at %d", at, now)
					}
				}
			}
			if w.Len() != len(waiting) {
				t.Fatalf("the wheel holds %d, want %d", w.Len(), len(waiting))
			}
		}
	})
}

// A turn that is bounded gives the rest at the next turns.
func TestWheelBounded(t *testing.T) {
	w := NewWheel(10, 8, 0)
	for range 100 {
		w.Set(&Row{bucket: noBucket}, 50)
	}
	seen := 0
	for range 20 {
		seen += len(w.Turn(nil, 200, 7))
	}
	if seen != 100 {
		t.Fatalf("%d of 100 fell due", seen)
	}
}
