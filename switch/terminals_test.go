package cardswitch

import (
	"errors"
	"fmt"
	"testing"

	"cardswitch/hsm/dukpt"
	"cardswitch/store"
	"cardswitch/switch/security"
)

func openStore(t *testing.T) *store.Store {
	t.Helper()
	s, err := store.Open(store.Options{Dir: "data", FS: store.Memory(), CreateKey: true,
		KeyFile: t.TempDir() + "/key", RetentionDays: 30})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func terminalOf(n int) terminalKey {
	return terminalKey{7, security.TerminalNamed([]byte(fmt.Sprintf("%010d", n)))}
}

// However many terminals there are, so many are in memory; of the others the disk knows what they
// have used, and none in use is let go.
func TestTerminalsAreBounded(t *testing.T) {
	st := openStore(t)
	list := newTerminals(st, 10)
	held, err := list.hold(terminalOf(0))
	if err != nil {
		t.Fatal(err)
	}
	batch := st.NewBatch()
	for i := range 100 {
		one, err := list.hold(terminalOf(i))
		if err != nil {
			t.Fatal(err)
		}
		if err := list.use(batch, one, 5, 64); err != nil {
			t.Fatal(err)
		}
		list.release(one)
		if i%3 == 0 {
			if err := st.Commit(batch); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := st.Commit(batch); err != nil {
		t.Fatal(err)
	}
	for i := range 1000 {
		list.failure(terminalOf(1000 + i))
	}
	if n := list.len(); n > 11 {
		t.Errorf("%d terminals are in memory", n)
	}
	if again, err := list.hold(terminalOf(0)); err != nil || again != held {
		t.Errorf("a terminal in use was let go: %v", err)
	}
	for i := range 100 {
		one, err := list.hold(terminalOf(i))
		if err != nil {
			t.Fatal(err)
		}
		if err := list.fresh(one, 5, 64); !errors.Is(err, dukpt.ErrSeen) {
			t.Errorf("terminal %d: %v", i, err)
		}
		if err := list.fresh(one, 6, 64); err != nil {
			t.Errorf("terminal %d: %v", i, err)
		}
		list.release(one)
	}
}

// Until it is durable, a terminal's window stays in memory, whatever the bound.
func TestPendingTerminalsStay(t *testing.T) {
	st := openStore(t)
	list := newTerminals(st, 1)
	batch := st.NewBatch()
	for i := range 20 {
		one, err := list.hold(terminalOf(i))
		if err != nil {
			t.Fatal(err)
		}
		if err := list.use(batch, one, 1, 8); err != nil {
			t.Fatal(err)
		}
		list.release(one)
	}
	for i := range 20 {
		one, _ := list.hold(terminalOf(i))
		if err := list.fresh(one, 1, 8); !errors.Is(err, dukpt.ErrSeen) {
			t.Errorf("terminal %d: %v", i, err)
		}
		list.release(one)
	}
	if err := st.Commit(batch); err != nil {
		t.Fatal(err)
	}
	list.failure(terminalOf(99))
	if n := list.len(); n > 2 {
		t.Errorf("%d terminals are in memory", n)
	}
}
