package store

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"cardswitch/store/journal"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestFollowMissesNothing: followers that begin anywhere, while commits go on, get each record
// once.
func TestFollowMissesNothing(t *testing.T) {
	s := openOn(t, vfs.NewMem())
	defer closeStore(t, s)
	fill(t, s, 0, 50)
	const last = 2100
	errEnough := errors.New("enough")
	results := make(chan error)
	follow := func(from uint64) {
		next := from
		err := s.Follow(t.Context(), from, func(r *journal.Record) error {
			if r.Seq != next {
				return fmt.Errorf("from %d: %d came instead of %d", from, r.Seq, next)
			}
			if next++; r.Seq == last {
				return errEnough
			}
			return nil
		})
		results <- err
	}
	froms := []uint64{1, 30, 100, 101, 777, last}
	for _, from := range froms {
		go follow(from)
	}
	for i := range 200 {
		fill(t, s, 50+i*5, 5)
	}
	for range froms {
		if err := <-results; !errors.Is(err, errEnough) {
			t.Error(err)
		}
	}
}

func TestSlowFollowerIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openOn(t, vfs.NewMem())
		defer closeStore(t, s)
		fill(t, s, 0, 1)
		result := make(chan error, 1)
		var got uint64
		stuck := make(chan struct{})
		go func() {
			result <- s.Follow(context.Background(), 1, func(r *journal.Record) error {
				if got = r.Seq; got == 3 {
					<-stuck
				}
				return nil
			})
		}()
		synctest.Wait() // it has caught up
		b := s.NewBatch()
		for s.LastSeq() < farBehind+1000 {
			for range 2000 {
				b.Append(&journal.Record{Kind: journal.Event})
			}
			commit(t, s, b)
		}
		close(stuck)
		var slow *SlowReaderError
		if err := <-result; !errors.As(err, &slow) || slow.Resume != got+1 {
			t.Fatalf("%v after record %d", err, got)
		}
		ctx, cancel := context.WithCancel(context.Background())
		err := s.Follow(ctx, slow.Resume, func(r *journal.Record) error {
			if r.Seq != got+1 {
				t.Fatalf("resumed with %d after %d", r.Seq, got)
			}
			if got = r.Seq; got == s.LastSeq() {
				cancel()
			}
			return nil
		})
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

func TestCloseEndsFollowers(t *testing.T) {
	s := openOn(t, vfs.NewMem())
	result := make(chan error, 1)
	joined := make(chan struct{})
	fill(t, s, 0, 1)
	go func() {
		result <- s.Follow(context.Background(), 2, func(*journal.Record) error {
			close(joined)
			return nil
		})
	}()
	<-joined
	closeStore(t, s)
	if err := <-result; !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}
