package backup

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"cardswitch/store"
)

// Claims keep a prune from removing what a backup on its way counts on: each writes its own into
// the target, then looks for those of others; of two at once at least one sees the other and gives
// way. A claim is renewed while its owner works, and one that isn't any more is void. Ages are by
// the target's clock; an owner that couldn't renew in time takes its own for void early enough.
const (
	claimFolder = "claims/"
	claimRenew  = time.Minute
	claimVoid   = 15 * time.Minute
)

// claim is what one wants of a target.
type claim string

const (
	sharing claim = "backup" // adds
	sole    claim = "prune"  // removes
)

// ErrBusy is a target on which somebody else works.
var ErrBusy = errors.New("somebody else works on it")

// held is a claim that somebody has.
type held struct {
	renewed atomic.Pointer[time.Time]
	ended   chan struct{}
	done    sync.WaitGroup
	remove  func()
}

// claim takes a claim.
func (r *Repository) claim(ctx context.Context, c claim) (*held, error) {
	name := claimFolder + string(c) + "-" + randomHex(8)
	h := &held{ended: make(chan struct{})}
	put := func() error {
		now := time.Now()
		err := r.target.Put(ctx, name, []byte(now.UTC().Format(time.RFC3339)+"\n"))
		if err == nil {
			h.renewed.Store(&now)
		}
		return err
	}
	if err := put(); err != nil {
		return nil, fmt.Errorf("write to %s: %w", r.target, err)
	}
	h.remove = func() { _ = r.target.Remove(context.WithoutCancel(ctx), name) } // else it gets void
	if err := r.alone(ctx, name, c); err != nil {
		h.remove()
		return nil, err
	}
	h.done.Go(func() {
		ticker := time.NewTicker(claimRenew)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				_ = put() // the next one is in time as well
			case <-h.ended:
				return
			}
		}
	})
	return h, nil
}

// release gives it back.
func (h *held) release() {
	close(h.ended)
	h.done.Wait()
	h.remove()
}

// lasts tells that nobody else takes the claim for void, nor will soon.
func (h *held) lasts() error {
	if since := time.Since(*h.renewed.Load()); since > claimVoid/2 {
		return fmt.Errorf("the claim on the target wasn't renewed for %s, others may have begun",
			since.Round(time.Second))
	}
	return nil
}

// alone tells whether no claim of others stands against one's own.
func (r *Repository) alone(ctx context.Context, own string, c claim) error {
	var now time.Time // by the target's clock
	var all []Listed
	err := r.target.List(ctx, claimFolder, func(l Listed) error {
		if all = append(all, l); l.Name == own {
			now = l.Modified
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, l := range all {
		left := claimVoid - now.Sub(l.Modified)
		shared := c == sharing && strings.HasPrefix(l.Name, claimFolder+string(sharing)+"-")
		if l.Name == own || shared || left < 0 {
			continue
		}
		return &store.Error{Op: "use " + r.target.String(), Err: fmt.Errorf("%w: %s", ErrBusy, l.Name),
			Hint: fmt.Sprintf("try again when it is done; what was killed counts for %s more",
				left.Round(time.Minute))}
	}
	return nil
}
