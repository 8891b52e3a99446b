package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	cardswitch "cardswitch/switch"
	"cardswitch/switch/admin"
)

// checkRun asks about the cards that are left.
type checkRun struct {
	order   checkOrder
	client  *client
	results *results
	lines   []cardLine
	bar     *bar

	mu    sync.Mutex
	later []int // that could not be asked yet
	said  map[string]bool
	err   error
}

const (
	// roomWait is how soon is asked again for what had no room, and roomTries how often before others
	// go first.
	roomWait  = 100 * time.Millisecond
	roomTries = 50
	// laterWait is how long lies between two rounds of what could not be asked.
	laterWait = 5 * time.Second
)

// do asks until all have a result. What can't be asked now, because an issuer is away, say, comes
// again after the others.
func (j *checkRun) do(ctx context.Context, wanted []int) error {
	defer j.bar.end()
	if err := j.open(ctx, len(wanted)); err != nil {
		return err
	}
	for round := wanted; len(round) > 0; {
		j.later, j.said = nil, make(map[string]bool)
		if err := j.round(ctx, round); err != nil {
			return err
		}
		if len(j.later) == len(round) { // nothing went
			select {
			case <-time.After(laterWait):
			case <-ctx.Done():
			}
		}
		round = j.later
	}
	return nil
}

// open opens the job at the switch, or opens again that of the file.
func (j *checkRun) open(ctx context.Context, cards int) error {
	var job admin.CheckJob
	err := j.client.post(ctx, "/v1/checks",
		admin.CheckJob{Job: j.results.job, Cards: cards, Why: j.order.why}, &job)
	if err != nil || job.Job == j.results.job {
		return err
	}
	return j.results.head(job.Job)
}

// round asks about cards at the rate that is wanted, several at once.
func (j *checkRun) round(ctx context.Context, wanted []int) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	work := make(chan int)
	var workers sync.WaitGroup
	for range min(j.order.inFlight, len(wanted)) {
		workers.Go(func() {
			for i := range work {
				if err := j.ask(ctx, &j.lines[i], i); err != nil {
					j.fail(err)
					stop()
				}
			}
		})
	}
	pace := time.NewTicker(time.Second / time.Duration(j.order.rate))
	defer pace.Stop()
feed:
	for _, i := range wanted {
		select {
		case work <- i:
		case <-ctx.Done():
			break feed
		}
		select {
		case <-pace.C:
		case <-ctx.Done():
			break feed
		}
	}
	close(work)
	workers.Wait()
	if j.err == nil && ctx.Err() != nil {
		j.err = failed(errors.New("interrupted"), "the same command goes on where it stopped")
	}
	return j.err
}

func (j *checkRun) fail(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err == nil && !errors.Is(err, context.Canceled) {
		j.err = err
	}
}

// ask asks about one card until it was asked, or has to let others go first.
func (j *checkRun) ask(ctx context.Context, line *cardLine, i int) error {
	q := cardswitch.CardCheck{Line: line.number, Card: line.card, Expiry: line.expiry}
	for try := 1; ; try++ {
		var c cardswitch.CardChecked
		path := fmt.Sprintf("/v1/checks/%d", j.results.job)
		if err := j.client.do(ctx, http.MethodPost, path, nil, q, &c); err != nil {
			return j.stopped(err)
		}
		if c.Asked {
			return j.note(line, &c)
		}
		if c.Action != 907 || try == roomTries {
			j.defers(i, line, &c)
			return nil
		}
		select {
		case <-time.After(roomWait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// stopped adds the way on to what ended the run.
func (j *checkRun) stopped(err error) error {
	var f *failure
	if errors.As(err, &f) && f.Code != exitUsage {
		f.Hint = "when that is mended, the same command goes on where it stopped"
	}
	return err
}

func (j *checkRun) note(line *cardLine, c *cardswitch.CardChecked) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.results.add(resultOf(line.number, c)); err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	j.bar.step(c.Action < 100)
	return nil
}

// defers puts a card behind the others, and says why once a round.
func (j *checkRun) defers(i int, line *cardLine, c *cardswitch.CardChecked) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.later = append(j.later, i)
	if !j.said[c.Why] {
		j.said[c.Why] = true
		j.bar.say(fmt.Sprintf("line %d and others wait: %s", line.number, c.Why))
	}
}
