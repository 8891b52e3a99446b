package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"cardswitch/dr/backup"
	"cardswitch/dr/drill"
)

// restoreSays is how often a restore tells how far it is.
const restoreSays = 2 * time.Second

// Restore is drill's: the newest backup and the tails behind it, into a scratch folder, checked as
// `backup verify` does.
func (n ground) Restore(ctx context.Context, say func(string)) (out drill.Restored, err error) {
	config, last := n.config.Load(), n.store.LastSeq()
	r, err := openBackups(ctx, config, false)
	if err != nil {
		return out, err
	}
	m, err := r.Find(ctx, "")
	if err != nil {
		return out, err
	}
	out.Backup = m.ID
	key := backup.DataKey{File: config.Data.KeyFile}
	if err := key.Opens(&m); err != nil {
		return out, err
	}
	in := config.Path(config.Drills.Scratch)
	if config.Drills.Scratch == "" {
		in = config.Data.Dir
		free := n.store.Health().FreeBytes
		if kept := uint64(config.Data.MinFreeMB) << 20; free < 2*kept+uint64(m.Bytes) {
			return out, fmt.Errorf("%d MB are free beside the journal, %d MB are needed and %d MB stay "+
				"free; name another folder in drills.scratch", free>>20, m.Bytes>>20, 2*kept>>20)
		}
	}
	scratch := filepath.Join(in, "drill.part")
	if err := os.RemoveAll(scratch); err != nil { // one that was interrupted
		return out, err
	}
	if err := os.MkdirAll(scratch, 0o700); err != nil {
		return out, err
	}
	said := time.Now()
	report, err := r.VerifyTo(ctx, backup.Point{}, filepath.Join(scratch, "data"), key,
		func(p backup.Progress) {
			if time.Since(said) >= restoreSays {
				said = time.Now()
				say(megabytes(p.Done) + " of " + megabytes(p.Of))
			}
		})
	if err = errors.Join(err, os.RemoveAll(scratch)); err != nil {
		return out, err
	}
	out = drill.Restored{Backup: report.ID, Files: report.Files, Bytes: report.Bytes,
		Records: report.Journal.Records, Newest: report.At, Behind: time.Since(report.At),
		Owed: report.Owed, Shelved: report.Shelved, Totals: report.Totals, Restored: report.Restored,
		Took: report.Took}
	if last > report.Journal.Last {
		out.Lacks = last - report.Journal.Last
	}
	if report.Redone != nil && report.Redone.Gap != "" {
		out.Note = "the tails end early, as " + report.Redone.Gap
	}
	return out, r.Prove(ctx, report.ID)
}
