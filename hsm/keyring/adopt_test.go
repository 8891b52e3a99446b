package keyring

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"cardswitch/hsm"
)

// withConsole is a module in which a KBPK can get a second place.
type withConsole struct {
	*twin
	err error
}

func (m withConsole) Adopt(_ context.Context, w hsm.Wrapped, block string) (hsm.Wrapped, error) {
	w.Block += block
	return w, m.err
}

// Load takes blocks with what was adopted.
func (m withConsole) Load(ctx context.Context, w hsm.Wrapped) (hsm.Key, error) {
	if n := len(w.Block) - len("+"); n > 0 && w.Block[n:] == "+" {
		w.Block = w.Block[:n]
	}
	return m.twin.Load(ctx, w)
}

func TestAKBPKIsAdopted(t *testing.T) {
	m := &withConsole{twin: &twin{}}
	r := openRing(t, func(o *Options) { o.Module, o.Production = m, true })
	asked, carol := By{Who: "dave", Role: "administrator"}, By{Who: "carol", Role: "approver"}
	parts := [][]byte{bytes.Repeat([]byte{0x13}, 32), bytes.Repeat([]byte{0x57, 0x9A}, 16)}
	if _, err := form(t, r, "kbpk:a", parts); err != nil {
		t.Fatal(err)
	}
	id := ID{slotOf(t, "kbpk:a"), 1}
	before, _, err := r.Sender(id.Slot)
	if err != nil {
		t.Fatal(err)
	}
	formed, _ := r.Set().Get(id)
	asked.Who = formed.Maker
	var step *StepError
	if _, err := r.Adopt(t.Context(), asked, id, "+"); !errors.As(err, &step) {
		t.Errorf("who asked for the ceremony adopts: %v", err)
	}
	m.err = hsm.ErrKey
	if _, err := r.Adopt(t.Context(), carol, id, "+"); !errors.Is(err, hsm.ErrKey) {
		t.Error(err)
	}
	m.err = nil
	if got, _ := r.Set().Get(id); got != formed {
		t.Errorf("a refused block changed it: %+v", got)
	}
	adopted, err := r.Adopt(t.Context(), carol, id, "+")
	if err != nil || adopted.Wrapped.Block != formed.Wrapped.Block+"+" || adopted.State != Sending {
		t.Errorf("%s, %v", adopted.State, err)
	}
	after, _, err := r.Sender(id.Slot)
	if err != nil || after == before {
		t.Errorf("the key from before serves: %v", err)
	}
	if !before.(*twinKey).key.IsZero() || m.loaded != 1 {
		t.Errorf("%d keys are loaded", m.loaded)
	}
	var refused *RefusedError
	if _, err := r.Adopt(t.Context(), carol, ID{id.Slot, 2}, "+"); !errors.As(err, &refused) {
		t.Errorf("a KBPK that isn't there: %v", err)
	}
}

func TestAModuleWithoutAConsoleAdoptsNothing(t *testing.T) {
	r := openRing(t, nil)
	_, err := r.Adopt(t.Context(), alice, ID{slotOf(t, "kbpk:a"), 1}, "+")
	if !errors.Is(err, hsm.ErrAbsent) {
		t.Error(err)
	}
}
