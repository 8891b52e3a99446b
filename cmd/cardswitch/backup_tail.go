package main

import (
	"context"
	"errors"
	"time"

	"cardswitch/dr/backup"
	"cardswitch/store"
)

const (
	// tailLook is how often it is thought over whether a tail is due.
	tailLook = time.Second
	// tailBytes of the log are copied before their time: the node keeps so much that it can still.
	tailBytes = 64 << 20
	// tailRetry is how long a failed one waits.
	tailRetry = 15 * time.Second
)

// tendTails copies what changed, so that any moment can be brought back, while this node is the
// active one. Where the log no longer reaches back to what is at the target, a backup begins anew.
func (n *node) tendTails(ctx context.Context) {
	ticker := time.NewTicker(tailLook)
	defer ticker.Stop()
	defer n.endTails()
	var next time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		every, a := n.config.Load().Backup.Tail, n.archiver.Load()
		if every == 0 {
			n.endTails()
			continue
		}
		full := a != nil && n.store.Log().Bytes(a.After()) > tailBytes
		if time.Now().Before(next) && !full {
			continue
		}
		next = time.Now().Add(every)
		if err := n.makeTail(ctx); err != nil && ctx.Err() == nil {
			next = time.Now().Add(max(every, tailRetry))
			n.archiver.Store(nil)
			n.backupMetrics.failures.Inc()
			n.log.Warn("what changed couldn't be copied to the backups", "error", err)
		}
	}
}

// endTails lets the log go.
func (n *node) endTails() {
	if a := n.archiver.Swap(nil); a != nil {
		a.Release()
	}
}

// makeTail copies what changed since.
func (n *node) makeTail(ctx context.Context) error {
	config, begun := n.config.Load(), time.Now()
	a := n.archiver.Load()
	if a == nil {
		r, err := openBackups(ctx, config, false)
		if err != nil {
			return err
		}
		a = backup.NewArchiver(r, n.store)
		n.archiver.Store(a)
	}
	source := backupSource(config, n.store)
	_, err := a.Archive(ctx, source)
	if errors.Is(err, backup.ErrNoBase) || errors.Is(err, store.ErrGone) {
		n.log.Info("a backup is made, for tails to follow on", "because", err)
		if _, err = n.makeBackup(ctx, false, nil); err == nil {
			_, err = a.Archive(ctx, source)
		}
	}
	if err == nil {
		n.backupMetrics.tail.Set(float64(begun.Unix()))
	}
	return err
}
