package keyring

import (
	"context"
	"fmt"
)

// By is who does something, in which role, and why.
type By struct{ Who, Role, Why string }

// Event is something that was done to a key, or was to be done and failed.
type Event struct {
	By
	What string // "generate", "step", "export", ...
	Key  string // "zek:sakura/primary@3", or the slot of one that isn't there yet
	Err  error  // nil: it was done
}

// Auditor writes events down. An error stops what was to be done.
type Auditor interface {
	Audit(ctx context.Context, e Event) error
}

// tell writes an event to the audit log.
func (r *Ring) tell(ctx context.Context, e Event, failed error) error {
	if r.options.Audit == nil {
		return nil
	}
	e.Err = failed
	if err := r.options.Audit.Audit(ctx, e); err != nil {
		return fmt.Errorf("the audit log doesn't take it: %w", err)
	}
	return nil
}
