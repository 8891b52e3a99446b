package backup

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"cardswitch/store"
)

// Claims keep a prune from removing what a backup on its way counts on: each writes its own into
// the target, then looks for those of others; of two at once at least one sees the other and gives
// way. A claim is renewed while its owner works, and one that isn't any more is void.
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

// claim takes a claim until release is called.
func (r *Repository) claim(ctx context.Context, c claim) (release func(), err error) {
	name := claimFolder + string(c) + "-" + randomHex(8)
	put := func() error {
		return r.target.Put(ctx, name, []byte(time.Now().UTC().Format(time.RFC3339)+"\n"))
	}
	if err := put(); err != nil {
		return nil, fmt.Errorf("write to %s: %w", r.target, err)
	}
	remove := func() { _ = r.target.Remove(context.WithoutCancel(ctx), name) } // else it gets void
	if err := r.alone(ctx, name, c); err != nil {
		remove()
		return nil, err
	}
	ended, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		ticker := time.NewTicker(claimRenew)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				_ = put() // the next one is in time as well
			case <-ended:
				return
			}
		}
	}()
	return func() { close(ended); <-done; remove() }, nil
}

// alone tells whether no claim of others stands against one's own.
func (r *Repository) alone(ctx context.Context, own string, c claim) error {
	return r.target.List(ctx, claimFolder, func(l Listed) error {
		others := strings.HasPrefix(l.Name, claimFolder+string(sharing)+"-")
		if l.Name == own || c == sharing && others || time.Since(l.Modified) > claimVoid {
			return nil
		}
		return &store.Error{Op: "use " + r.target.String(), Err: fmt.Errorf("%w: %s", ErrBusy, l.Name),
			Hint: fmt.Sprintf("try again when it is done; what was killed counts for %s more",
				(claimVoid - time.Since(l.Modified)).Round(time.Minute))}
	})
}
