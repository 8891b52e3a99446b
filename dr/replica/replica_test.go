package replica

import (
	"bytes"
	"testing"
	"time"

	"cardswitch/store"
	"cardswitch/store/journal"
)

var testKey = bytes.Repeat([]byte{42}, journal.KeySize)

func openStore(t testing.TB, disk store.FS) *store.Store {
	t.Helper()
	s, err := store.Open(store.Options{Dir: "data", FS: disk, Key: testKey})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// alone starts a cluster of one.
func alone(t testing.TB, s *store.Store) *Replica {
	t.Helper()
	r, err := Start(Config{Cluster: "tokyo", Node: 1, Members: []Member{{ID: 1, Kind: Data}}}, s,
		Nobody{})
	if err != nil {
		t.Fatal(err)
	}
	s.AgreeBy(r)
	return r
}

func lead(t testing.TB, r *Replica, s *store.Store) {
	t.Helper()
	role := <-r.Roles()
	for !role.Leading {
		role = <-r.Roles()
	}
	if err := s.Lead(role.Term); err != nil {
		t.Fatal(err)
	}
}

func note(s *store.Store, text string) error {
	b := s.NewBatch()
	b.Append(&journal.Record{At: 1, Kind: journal.Event, Text: text})
	return s.Commit(b)
}

// TestAlone: a cluster of one leads at once, also on a directory that was written without one, and
// nothing acknowledged is lost when the power is. Its terms rise.
func TestAlone(t *testing.T) {
	disk := store.Memory()
	s := openStore(t, disk)
	for range 3 {
		if err := note(s, "before there was a cluster"); err != nil {
			t.Fatal(err)
		}
	}
	term := uint64(time.Now().Unix()) // of whatever cluster the journal was of before
	for life := range 5 {
		r := alone(t, s)
		began := time.Now()
		lead(t, r, s)
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("life %d: it took %s to lead", life, took)
		}
		if is := s.Epoch(); is <= term {
			t.Errorf("life %d: term %d after %d", life, is, term)
		}
		term = s.Epoch()
		if !r.Lease().Valid() {
			t.Error("a leader without a lease")
		}
		for range 100 {
			if err := note(s, "agreed"); err != nil {
				t.Fatal(err)
			}
		}
		if want := uint64(3 + (life+1)*100); s.LastSeq() != want {
			t.Fatalf("life %d: %d records, not %d", life, s.LastSeq(), want)
		}
		disk = store.Crashed(disk, uint64(life))
		r.Close()
		if r.Lease().Valid() {
			t.Error("a lease after the end")
		}
		if err := note(s, "too late"); err == nil {
			t.Error("a commit after the end")
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = openStore(t, disk)
		if want := uint64(3 + (life+1)*100); s.LastSeq() != want {
			t.Fatalf("after the power cut there are %d records, not %d", s.LastSeq(), want)
		}
		if _, err := s.Verify(nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
