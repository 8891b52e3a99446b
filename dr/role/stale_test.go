package role

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"cardswitch/dr/replica"
	"cardswitch/store"
)

// nobody owns a node that must not lead.
type nobody struct{}

func (nobody) Lead(context.Context, uint64, func() bool) (Duty, error) {
	return nil, errors.New("a duty was made")
}
func (nobody) Leads(context.Context, Duty, uint64, time.Time) error { return nil }
func (nobody) Follows(context.Context, uint64, bool) error          { return nil }

// A node that was deposed between the moment that it was told that it leads and the moment that it
// would, makes no duty: the store would go on in a term that is over, and wait for its lease for
// ever, as the word that it follows has come before.
func TestTheWordThatItLeadsIsLate(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	s, err := store.Open(store.Options{Dir: "data", FS: store.Memory(), Logger: log,
		Key: []byte("0123456789abcdef0123456789abcdef")})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	r, err := replica.Start(replica.Config{Cluster: "town", Node: 1,
		Members: []replica.Member{{ID: 1, Kind: replica.Data}}}, s, replica.Nobody{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	s.AgreeBy(r)
	l := New(Loop{Replica: r, Store: s, Owner: nobody{}, Logger: log})
	over := (<-r.Roles()).Term - 1
	if err := l.follow(t.Context(), replica.Role{Leading: true, Term: over}); err != nil {
		t.Error(err)
	}
	if l.turn != nil || s.Epoch() != 0 {
		t.Errorf("it leads in term %d, which is over", s.Epoch())
	}
}
