package main

import (
	"context"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"cardswitch/dr/backup"
	"cardswitch/store/audit"
	"cardswitch/switch/admin"
)

const (
	// backupLook is how often the time of the next backup is thought over: the configuration may have
	// changed, and another node may have made one.
	backupLook = 20 * time.Second
	// backupRetry is how long a failed one waits for the next try, if backups don't come more often.
	backupRetry = 5 * time.Minute
	pruneEvery  = 24 * time.Hour
)

// tendBackups makes backups when they are due, by the newest that is at the target, and prunes once
// a day. Several nodes may do so with one target: who comes first makes it.
func (n *node) tendBackups(ctx context.Context) {
	n.removeScratch()
	ticker := time.NewTicker(backupLook)
	defer ticker.Stop()
	var tried, pruned time.Time
	for {
		config := n.config.Load()
		every := config.Backup.Every
		if every > 0 && time.Since(tried) >= min(every, backupRetry) {
			if due, err := n.backupDue(ctx, every); err != nil || due {
				tried = time.Now()
				n.tendBackup(ctx, err)
			}
			if time.Since(pruned) >= pruneEvery {
				pruned = time.Now()
				n.tendPrune(ctx)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// removeScratch removes what a backup that was killed has left: it holds old files.
func (n *node) removeScratch() {
	if !n.backing.TryLock() {
		return // one is on its way
	}
	defer n.backing.Unlock()
	left := backupScratch(n.config.Load())
	if err := os.RemoveAll(left); err != nil {
		n.log.Warn("what a backup left couldn't be removed", "folder", left, "error", err)
	}
}

// backupDue looks at the target for the newest backup.
func (n *node) backupDue(ctx context.Context, every time.Duration) (bool, error) {
	r, err := openBackups(ctx, n.config.Load(), false)
	if err != nil {
		return false, err
	}
	newest, ok, err := r.Newest(ctx)
	if err != nil || !ok {
		return !ok, err
	}
	n.backupMetrics.newest.Set(float64(newest.Unix()))
	if proven, err := r.Proven(ctx); err == nil && len(proven) > 0 {
		n.backupMetrics.verified.Set(float64(proven[len(proven)-1].At.Unix()))
	}
	return time.Since(newest) >= every, nil
}

// tendBackup makes one, unless it is known that it can't be made.
func (n *node) tendBackup(ctx context.Context, err error) {
	if err == nil {
		_, err = n.makeBackup(ctx, false, nil)
	}
	if ctx.Err() != nil {
		return
	}
	result, what := audit.Done, "by itself"
	if err != nil {
		n.backupMetrics.failures.Inc()
		n.log.Error("no backup could be made", "error", err)
		result = audit.Failed
	}
	if err := n.tell(ctx, audit.BackupTaken, result, what, ""); err != nil {
		n.log.Error("a backup couldn't be recorded", "error", err)
	}
}

func (n *node) tendPrune(ctx context.Context) {
	config := n.config.Load()
	r, err := openBackups(ctx, config, false)
	var p backup.Pruned
	if err == nil {
		p, err = r.Prune(ctx, keepOf(&config.Backup.Keep), false)
	}
	if err != nil && ctx.Err() == nil {
		n.log.Warn("old backups couldn't be removed", "error", err)
		return
	}
	n.log.Info("old backups were removed", "backups", len(p.Removed), "objects", p.Objects,
		"bytes", p.Bytes)
}

// backupMetrics are what monitoring sees of backups.
type backupMetrics struct {
	newest, bytes, copied, seconds, record prometheus.Gauge
	tail, verified                         prometheus.Gauge
	failures                               prometheus.Counter
}

func (n *node) newBackupMetrics() {
	gauge := func(name, help string) prometheus.Gauge {
		g := prometheus.NewGauge(prometheus.GaugeOpts{Name: "cardswitch_backup_" + name, Help: help})
		n.metrics.MustRegister(g)
		return g
	}
	n.backupMetrics = backupMetrics{
		newest:  gauge("newest_time_seconds", "Unix time of the newest backup known; 0: none."),
		bytes:   gauge("bytes", "Size of the files in the last backup that this node made."),
		copied:  gauge("copied_bytes", "Of these, what wasn't at the target before."),
		seconds: gauge("duration_seconds", "How long it took."),
		record:  gauge("record", "The newest record in it."),
		verified: gauge("verified_time_seconds",
			"Unix time at which the newest backup that was verified was found sound; 0: none was."),
		tail: gauge("tail_time_seconds",
			"Unix time at which all that had changed was at the target; 0: never."),
		failures: prometheus.NewCounter(prometheus.CounterOpts{Name: "cardswitch_backup_failures_total",
			Help: "Backups that failed."}),
	}
	n.metrics.MustRegister(n.backupMetrics.failures, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "cardswitch_backup_every_seconds", Help: "How often a backup is due; 0: never."},
		func() float64 { return n.config.Load().Backup.Every.Seconds() }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "cardswitch_backup_tail_every_seconds",
			Help: "How often what changed is copied; 0: never."},
			func() float64 { return n.config.Load().Backup.Tail.Seconds() }))
}

// made notes a backup.
func (m *backupMetrics) made(b *admin.BackupMade, at time.Time) {
	m.newest.Set(float64(at.Unix()))
	m.bytes.Set(float64(b.Bytes))
	m.copied.Set(float64(b.Copied))
	m.seconds.Set(float64(b.MS) / 1000)
	m.record.Set(float64(b.Last))
}
