package torture

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"

	"cardswitch/conformance/load/process"
)

// follow does what the plan says, each fault at its time, and comes back when all are over.
func (r *run) follow(ctx context.Context, plan []Fault) error {
	var lasting sync.WaitGroup
	defer lasting.Wait()
	for _, f := range plan {
		if !pause(ctx, time.Until(r.began.Add(f.At))) {
			return ctx.Err()
		}
		lasting.Go(func() {
			if err := r.hurt(ctx, f); err != nil {
				r.report.cannot(f.Kind, err)
				return
			}
			r.report.did(f.Kind)
		})
	}
	pause(ctx, time.Until(r.began.Add(r.Duration)))
	return ctx.Err()
}

// hurt does one fault and waits for its end. An error says that this machine can't.
func (r *run) hurt(ctx context.Context, f Fault) error {
	switch f.Kind {
	case Kill:
		r.master.end(ctx, f.For, (*process.Child).Kill)
	case Twice:
		r.master.twice(ctx, f.For/4)
	case Restart:
		r.master.end(ctx, f.For, func(c *process.Child) { r.report.stopped(c.Stop(startTime)) })
	case Stop:
		r.master.stop(ctx, f.For)
	case Torn:
		return r.torn(ctx, f.For)
	case Full:
		return r.full(ctx, f.For)
	case Slow:
		r.master.troubled(f.For)
		return r.disk.hog(f.For)
	case Reload:
		r.master.reload()
	case Cutover:
		r.cutOver(ctx, f.Target)
	case Rekey:
		r.rekey(ctx, f.Target)
	case Away:
		r.partners[f.Target].Tell(fmt.Sprintf("away %s %s", f.How, f.For))
		pause(ctx, f.For)
	case Freeze:
		child := r.partners[f.Target]
		child.Signal(syscall.SIGSTOP)
		pause(ctx, f.For)
		child.Signal(syscall.SIGCONT)
	default:
		r.ground.proxies[f.Target].Hurt(f.Kind, f.For)
		pause(ctx, f.For)
	}
	return nil
}

// rekey changes the key of a link. It comes to nothing where the link or the switch is down.
func (r *run) rekey(ctx context.Context, link string) {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	_, err := r.ground.stage.Operate(ctx, "key", "exchange", "zek:"+link, "--why", "torture")
	if err == nil {
		r.report.rekeyed()
	}
}

// torn takes the disk away in the middle of a write. A process that writes nothing more in the time
// is killed.
func (r *run) torn(ctx context.Context, d time.Duration) error {
	r.master.mu.Lock()
	err := errors.New("the switch isn't there")
	if child := r.master.child; child != nil {
		err = r.disk.tear(child.PID(), r.ground.stage.File("data"))
	}
	r.master.mu.Unlock()
	if err != nil {
		return err
	}
	r.master.end(ctx, d, func(c *process.Child) {
		select {
		case <-c.Ended():
			r.report.tore()
		case <-time.After(2 * time.Second):
		}
		c.Kill()
	})
	return nil
}

func (r *run) full(ctx context.Context, d time.Duration) error {
	r.master.troubled(d)
	empty, err := r.disk.fill()
	if err != nil {
		return err
	}
	defer empty()
	pause(ctx, d)
	return nil
}

// settle ends the trade and lets all answers and everything owed arrive, then stops the center from
// its merchants to its issuers.
func (r *run) settle(ctx context.Context) error {
	for _, p := range r.ground.proxies {
		p.Heal()
	}
	if r.master.err != nil {
		return r.master.err
	}
	if err := r.master.serving(ctx); err != nil {
		return err
	}
	r.report.phase("the merchants end")
	if err := r.stopPartners(merchantNames()); err != nil {
		return err
	}
	r.report.phase("what is owed is delivered")
	if err := r.drain(ctx); err != nil {
		return err
	}
	if err := r.compareDays(ctx); err != nil {
		return err
	}
	if err := r.ground.stage.VerifyJournal(ctx); err != nil {
		r.report.Journal = err.Error()
	}
	r.master.mu.Lock()
	child := r.master.take()
	r.master.mu.Unlock()
	r.report.stopped(child.Stop(startTime))
	if err := r.stopPartners(issuerNames()); err != nil {
		return err
	}
	return ctx.Err()
}

// stopPartners asks them to end, all at once: a merchant finishes first what is under way.
func (r *run) stopPartners(names []string) error {
	errs := make([]error, len(names))
	var ending sync.WaitGroup
	for n, name := range names {
		child := r.partners[name]
		select {
		case <-child.Ended():
			return fmt.Errorf("torture: %s ended by itself: %s", name, child.Words())
		default:
		}
		ending.Go(func() { errs[n] = child.Stop(settleTime + startTime) })
	}
	ending.Wait()
	return errors.Join(errs...)
}

// drain waits until the switch says three times that nothing is open and nothing owed.
func (r *run) drain(ctx context.Context) error {
	quiet := 0
	var deaf error // the switch may not say just now what it owes
	for end := time.Now().Add(settleTime); time.Now().Before(end) && quiet < 3; {
		if !pause(ctx, 100*time.Millisecond) {
			return ctx.Err()
		}
		open, shelved, err := r.ground.stage.Owing()
		if deaf = err; deaf != nil {
			quiet = 0
			continue
		}
		r.report.owing(open, shelved)
		if quiet++; open > 0 {
			quiet = 0
		}
	}
	if deaf != nil {
		return fmt.Errorf("torture: %w", deaf)
	}
	return nil
}
