package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"cardswitch/dr/backup"
	"cardswitch/dr/drill"
	"cardswitch/dr/replica"
	"cardswitch/dr/role"
	"cardswitch/hsm/keyring"
	"cardswitch/spec"
	"cardswitch/store"
	"cardswitch/store/journal"
	cardswitch "cardswitch/switch"
	"cardswitch/switch/evidence"
	"cardswitch/switch/link/warm"
)

// A rehearsal promotes a copy of this node's journal as two people would promote the node, and does
// all that the node would do then, up to the moment at which something would leave. The copy lies
// in a folder of the data directory, as links; it has no connection with any node or center, keys
// and audit log of its own beside it, and is removed whatever comes.

const (
	// rehearsalTime bounds one, whoever waits for it.
	rehearsalTime = 30 * time.Minute
	// rehearsalSample is how many tokens are tried.
	rehearsalSample = 10_000
	// rehearsalDoubts is how many transactions in doubt are named.
	rehearsalDoubts = 50
)

// rehearsal is one under way.
type rehearsal struct {
	of     *node // that is rehearsed, and goes on meanwhile
	copy   *node // that is promoted
	config cardswitch.Config
	dir    string // of the copy's data
	active *active
	log    *slog.Logger
	out    drill.Rehearsed
}

func (n *node) rehearsalFolder() string {
	return filepath.Join(n.config.Load().Data.Dir, "rehearsal.part")
}

// removeRehearsal removes what a process left that ended in the middle of one.
func (n *node) removeRehearsal() {
	n.practice.rehearsing.Lock()
	defer n.practice.rehearsing.Unlock()
	if err := os.RemoveAll(n.rehearsalFolder()); err != nil {
		n.log.Warn("the copy of a drill can't be removed", "error", err)
	}
}

// Rehearse is drill's.
func (n ground) Rehearse(ctx context.Context, node uint64, h drill.Harm) (out drill.Rehearsed,
	err error) {
	return out, n.askNode(ctx, node, "rehearse", h, &out)
}

// rehearse is what a drill asks of a node of the other site.
func (n *node) rehearse(ctx context.Context, h *drill.Harm) (out *drill.Rehearsed, err error) {
	if n.store.Log().Member(n.number()).Kind != replica.Learner {
		return nil, errors.New("this node has a vote: only one of another site is rehearsed")
	}
	if err := n.evidenceOf(ctx, h.Drill+" here", h.Who+": "+h.Why); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, rehearsalTime)
	defer cancel()
	if err := n.holds(&harm{h.Drill, cancel}); err != nil {
		return nil, err
	}
	defer n.heal(h.Drill)
	n.practice.rehearsing.Lock() // one that was ended may still remove its copy
	defer n.practice.rehearsing.Unlock()
	folder := n.rehearsalFolder()
	r := &rehearsal{of: n, dir: filepath.Join(folder, "data"), log: n.log.With("drill", h.Drill),
		out: drill.Rehearsed{Node: n.number()}}
	n.log.Warn("a drill promotes a copy of this node's journal", "drill", h.Drill, "who", h.Who,
		"why", h.Why)
	if err = os.RemoveAll(folder); err == nil { // of one that was interrupted
		err = r.goes(ctx)
		err = errors.Join(err, r.close(), os.RemoveAll(folder))
	}
	_, left := os.Lstat(folder)
	r.out.Removed = errors.Is(left, fs.ErrNotExist)
	if now := n.store.LastSeq(); r.out.Last > 0 {
		r.out.Meanwhile = now - r.out.Last
	}
	if err != nil {
		r.out.Fault = strings.TrimSpace(err.Error())
	}
	return &r.out, ctx.Err()
}

// goes does all of it.
func (r *rehearsal) goes(ctx context.Context) error {
	if err := r.hasRoom(); err != nil {
		return err
	}
	p, err := r.of.nextPromotion()
	if err != nil {
		return err
	}
	r.asks(ctx)
	if err := errors.Join(r.step(ctx, "copied in", r.take), r.isolate()); err != nil {
		return err
	}
	open := func() error { return r.open(ctx) }
	if err := r.step(ctx, "its index made in", open); err != nil {
		return err
	}
	p.At, r.out.Generation = time.Now(), p.Generation
	err = r.step(ctx, "promoted in", func() error {
		return errors.Join(r.copy.store.Promote(p), r.shut())
	})
	if err == nil {
		err = r.step(ctx, "opened in", open)
	}
	if err == nil {
		err = r.step(ctx, "recovered in", func() error { return r.lead(ctx) })
	}
	if err != nil {
		return err
	}
	r.out.Ready = time.Since(p.At)
	found := r.active.Found()
	r.out.Replayed, r.out.InDoubt = found.Records, found.Reversed
	if err := r.step(ctx, "books checked in", r.check); err != nil {
		return err
	}
	return r.looksBack()
}

// step does a part, unless the rehearsal has been ended, and notes what it took.
func (r *rehearsal) step(ctx context.Context, name string, do func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	began := time.Now()
	err := do()
	took := time.Since(began)
	r.out.Steps = append(r.out.Steps, drill.Step{Name: name, Took: took})
	r.log.Info("rehearsal", "step", name, "took", took.String())
	return err
}

// hasRoom refuses a copy that might take the space that this node's own journal needs: it may be
// compacted meanwhile, so that all of it is there twice, and the copy makes an index of its own.
func (r *rehearsal) hasRoom() error {
	config := r.of.config.Load()
	journal, err := sizeOf(filepath.Join(config.Data.Dir, "journal"))
	index, errIndex := sizeOf(filepath.Join(config.Data.Dir, "index"))
	if err := errors.Join(err, errIndex); err != nil {
		return err
	}
	r.out.Bytes = journal
	return roomFor(uint64(journal+index), r.of.store.Health().FreeBytes,
		uint64(config.Data.MinFreeMB)<<20)
}

func roomFor(need, free, kept uint64) error {
	if free >= need+2*kept || free == 0 { // 0: the disk can't say
		return nil
	}
	return fmt.Errorf("%d MB are free in the data folder; a copy of the journal may need %d MB, and "+
		"%d MB stay free", free>>20, need>>20, 2*kept>>20)
}

// sizeOf is how many bytes the files of a folder have. Some may go meanwhile.
func sizeOf(dir string) (bytes int64, err error) {
	files, err := os.ReadDir(dir)
	for _, f := range files {
		if info, err := f.Info(); err == nil {
			bytes += info.Size()
		}
	}
	return bytes, err
}

// take copies the journal as it is at this moment, and the files beside it.
func (r *rehearsal) take() error {
	mark, err := r.of.store.Checkpoint(filepath.Join(r.dir, "journal"))
	if err != nil {
		return err
	}
	r.out.Last, r.out.LastAt = mark.Last, mark.At
	config := r.of.config.Load()
	negative := filepath.Join(r.dir, backup.NegativePart)
	if err := os.Mkdir(negative, 0o700); err != nil {
		return err
	}
	files, err := companions(config)
	if err != nil {
		return err
	}
	for _, f := range files {
		if f.Name != vaultName { // they never change
			name := negativeFile(config, f.Name)
			if err := os.Link(name, filepath.Join(negative, filepath.Base(name))); err != nil {
				return err
			}
		}
	}
	return errors.Join(copyFile(config.Keys.Store, filepath.Join(r.dir, backup.KeyStorePart)),
		copyFile(config.Vault.KeyFile, filepath.Join(r.dir, backup.VaultPart)))
}

// copyFile copies a small file, if it is there.
func copyFile(from, to string) error {
	text, err := os.ReadFile(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	defer clear(text)
	if err != nil {
		return err
	}
	return os.WriteFile(to, text, 0o600)
}

var errIsolated = errors.New("nothing leaves a rehearsal")

// isolate makes the node of the copy: no door, no center, no other node, and nothing of this one's
// is written.
func (r *rehearsal) isolate() (err error) {
	r.config = *r.of.config.Load()
	c := &r.config
	c.Data.Dir, c.Data.CreateKey = r.dir, false
	c.Keys.Store = filepath.Join(r.dir, backup.KeyStorePart)
	c.Vault.KeyFile = filepath.Join(r.dir, backup.VaultPart)
	c.Audit = cardswitch.AuditConfig{Dir: filepath.Join(r.dir, "audit"),
		KeyFile: filepath.Join(r.dir, "audit.key")}
	r.copy = &node{log: r.log, deps: r.of.deps, module: r.of.module, site: newSite(),
		metrics: prometheus.NewRegistry(), warm: warm.New(r.log)}
	r.copy.deps.Log = r.log
	r.copy.deps.Listen = func(string) (net.Listener, error) { return nil, errIsolated }
	r.copy.deps.Dial = func(context.Context, string) (net.Conn, error) { return nil, errIsolated }
	r.copy.config.Store(c)
	r.copy.evidence, err = evidence.Open(&c.Audit, r.log)
	return err
}

// asks the active node how much this one lacks at this moment.
func (r *rehearsal) asks(ctx context.Context) {
	w, err := r.of.askWord(ctx, r.of.replica.Status().Leader)
	if err != nil {
		w = r.of.site.word.Load() // of some time ago
	}
	if w != nil {
		r.out.Lacks, r.out.LackBytes = w.Records, w.Bytes
		r.out.Behind = time.Duration(w.MS) * time.Millisecond
	}
}

func (r *rehearsal) open(ctx context.Context) (err error) {
	o := r.config.StoreOptions()
	o.FS, o.Logger, o.Until = r.of.deps.Disk, r.log, ctx
	r.copy.store, err = store.Open(o)
	return err
}

func (r *rehearsal) shut() (err error) {
	if r.copy.store != nil {
		err = r.copy.store.Close()
		r.copy.store = nil
	}
	return err
}

// lead has the copy lead its cluster of one, and make its switch.
func (r *rehearsal) lead(ctx context.Context) (err error) {
	c := r.config.Cluster
	r.copy.replica, err = replica.Start(replica.Config{Cluster: c.Group(), Node: c.Node,
		Heartbeat: c.Heartbeat, Election: c.Election, Tick: c.Tick, DiskHang: c.DiskHang,
		Logger: r.log}, r.copy.store, replica.Nobody{})
	if err != nil {
		return err
	}
	r.copy.store.AgreeBy(r.copy.replica)
	return role.New(role.Loop{Replica: r.copy.replica, Store: r.copy.store, Owner: r, Logger: r.log,
		Alone: true, Deposed: cardswitch.Deposed}).Await(ctx)
}

// Lead is role's. Whatever the switch would say, it may not.
func (r *rehearsal) Lead(ctx context.Context, term uint64, _ func() bool) (role.Duty, error) {
	if err := r.copy.bringKeyStore(&r.config); err != nil {
		return nil, err
	}
	d, err := r.copy.Lead(ctx, term, func() bool { return false })
	if err != nil {
		return nil, err
	}
	r.active = d.(*active)
	return d, nil
}

// Leads and Follows are role's.
func (r *rehearsal) Leads(context.Context, role.Duty, uint64, time.Time) error { return nil }
func (r *rehearsal) Follows(context.Context, uint64, bool) error               { return nil }

// check looks at all that the copy would serve with.
func (r *rehearsal) check() error {
	for _, k := range r.active.keys.Set().Records() {
		if k.State != keyring.Destroyed { // the others are open, or there would be no keys
			r.out.Keys++
		}
	}
	if v := r.active.Vault(); v != nil {
		opened, damaged, err := v.Sample(rehearsalSample)
		if r.out.Tokens = opened; err != nil || damaged > 0 {
			return errors.Join(err, fmt.Errorf("%d of %d tokens don't open", damaged, opened+damaged))
		}
	}
	report, err := backup.Inspect(r.copy.store, r.dir)
	r.out.Records, r.out.Totals = report.Journal.Records, report.Totals
	r.out.Owed, r.out.Shelved, r.out.Lists = report.Owed, report.Shelved, report.Lists
	return err
}

// looksBack says what became of the requests that the copy closed without knowing, where the
// service is: of the first ones.
func (r *rehearsal) looksBack() error {
	p, _, err := r.copy.store.Promoted()
	if err != nil {
		return err
	}
	at := make(map[uint64]int)
	err = r.copy.store.Replay(p.Last+1, func(rec *journal.Record) error {
		if rec.Kind == journal.Closed && len(r.out.Doubts) < rehearsalDoubts {
			at[rec.Txn] = len(r.out.Doubts)
			r.out.Doubts = append(r.out.Doubts, drill.Doubt{Txn: rec.Txn, Became: drill.StillOpen})
		}
		return nil
	})
	if err != nil || len(at) == 0 {
		return err
	}
	return r.of.store.Replay(p.Last+1, func(rec *journal.Record) error {
		i, ok := at[rec.Txn]
		switch {
		case !ok || rec.Kind != journal.Closed:
		case spec.Approved(int(rec.Action)):
			r.out.Doubts[i].Became = drill.Approved
		default:
			r.out.Doubts[i].Became = drill.Declined
		}
		return nil
	})
}

// close ends whatever was begun, in the order in which one needs the other.
func (r *rehearsal) close() (err error) {
	if r.copy == nil {
		return nil
	}
	if r.active != nil {
		err = r.active.Close()
	}
	r.copy.warm.Close()
	if r.copy.replica != nil {
		r.copy.replica.Close()
	}
	err = errors.Join(err, r.shut())
	if r.copy.evidence != nil {
		err = errors.Join(err, r.copy.evidence.Close())
	}
	return err
}
