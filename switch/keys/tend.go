package keys

import (
	"context"
	"log/slog"
	"time"

	"cardswitch/hsm/keyring"
)

// tendEvery is how often dates of keys are looked at; windows are of minutes.
const tendEvery = 30 * time.Second

// Tend retires and destroys keys when their dates come, and says what people must do, until ctx
// ends.
func (k *Keys) Tend(ctx context.Context, log *slog.Logger) {
	ticker := time.NewTicker(tendEvery)
	defer ticker.Stop()
	said := map[keyring.Task]bool{}
	for {
		left, err := k.Ring.Tend(ctx, keyring.By{Who: "cardswitch", Role: "system"})
		if err != nil && ctx.Err() == nil {
			log.Error("keys can't be tended", "error", err)
		}
		for _, task := range left {
			if !said[task] {
				log.Warn("a key needs attention", "key", task.ID.String(), "due", string(task.What),
					"why", task.Why, "hint", "see `cardswitch key list`")
			}
			said[task] = true
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}
