package lab

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"sync"
	"time"

	"cardswitch/conformance/count"
	"cardswitch/store"
	"cardswitch/store/journal"
	cardswitch "cardswitch/switch"
)

// settle ends the trade, waits until nothing is owed any more, ends the nodes and compares the
// books: those of the partners with the journal of each node.
func (r *run) settle(ctx context.Context) error {
	if _, err := r.whole(ctx); err != nil {
		return err
	}
	r.town.endTrade()
	r.report.Terms = r.town.terms()
	r.report.Refused = int(r.refused.Load())
	if err := r.drain(ctx); err != nil {
		return err
	}
	for _, n := range r.nodes {
		if words, ended := n.died(); ended {
			r.report.Died = append(r.report.Died, words)
		}
	}
	r.end(ctx)
	return r.judge()
}

// end ends all nodes, once all have applied what is agreed.
func (r *run) end(ctx context.Context) {
	pause(ctx, time.Second)
	var killing sync.WaitGroup // at their ends they would still write, and the last one could not
	for _, n := range r.nodes {
		killing.Go(n.kill)
	}
	killing.Wait()
}

// drain waits until the active node says three times that nothing is open and nothing owed.
func (r *run) drain(ctx context.Context) error {
	quiet := 0
	for end := time.Now().Add(settleTime); time.Now().Before(end) && quiet < 3; {
		if !pause(ctx, 100*time.Millisecond) {
			return ctx.Err()
		}
		if _, err := r.whole(ctx); err != nil {
			return err
		}
		owed, err := r.owed(ctx)
		if err != nil {
			continue // one was deposed meanwhile
		}
		r.report.Owed = owed
		if quiet++; r.report.Owed > 0 {
			quiet = 0
		}
	}
	return nil
}

// owed is what is open, owed or on the work lists.
func (r *run) owed(ctx context.Context) (owed int, err error) {
	serve, err := r.serving(ctx)
	if err != nil {
		return 0, err
	}
	for i, group := range r.groups() {
		var s cardswitch.Status
		if err := serve[i].askOf(ctx, group, "GET", "/v1/status", nil, &s); err != nil {
			return 0, err
		}
		owed += s.Open + s.Owed + s.Shelved
	}
	return owed, nil
}

// judge lays the three ledgers side by side, and the nodes' journals.
func (r *run) judge() error {
	books := r.town.books()
	books.Switch = make(map[string]count.Entry)
	for _, group := range r.groups() {
		maps.Copy(books.Switch, r.compare(group))
	}
	c := books.Count()
	r.report.Count = c
	r.report.Lost, r.report.Double = c.Of(count.Lost), c.Of(count.Double)
	r.report.Unexplained = c.Unexplained()
	return nil
}

// compare reads a group's journal at each node, and gives what the first says of each transaction.
func (r *run) compare(group string) map[string]count.Entry {
	var first *book
	for _, n := range r.nodes {
		b, err := n.read(group)
		switch {
		case err != nil:
			r.report.Journals = append(r.report.Journals, fmt.Sprintf("node %d: %v", n.number, err))
			continue
		case first == nil:
			first = b
		case !first.agrees(b):
			r.report.Journals = append(r.report.Journals,
				fmt.Sprintf("node %d's journal %s, through record %d, isn't that of the first, through %d",
					n.number, group, b.last, first.last))
		}
	}
	if first == nil {
		return nil
	}
	return first.entries
}

// book is a node's journal.
type book struct {
	entries map[string]count.Entry // what it says of each transaction
	last    uint64
	times   map[uint64]int64 // of its newest records, by number
}

// newest is how many records at the end are compared; those before them are behind the same hashes.
const newest = 1000

// agrees tells whether two journals are the same as far as both go, and both go nearly as far: one
// node may have been killed a moment before the other.
func (b *book) agrees(o *book) bool {
	both := 0
	for seq, at := range b.times {
		if other, ok := o.times[seq]; ok {
			if other != at {
				return false
			}
			both++
		}
	}
	return both >= newest/2 || both == len(b.times) || both == len(o.times)
}

// read verifies a node's journal and folds it into what it believes of each transaction.
func (n *node) read(group string) (b *book, err error) {
	s, err := store.Open(store.Options{Dir: filepath.Join(n.stage.File("data"), group),
		KeyFile: n.stage.File("data.key")})
	if err != nil {
		return nil, err
	}
	defer func() {
		if e := s.Close(); err == nil {
			err = e
		}
	}()
	found, err := s.Verify(func(uint64) {})
	if err != nil {
		return nil, err
	}
	b = &book{last: found.Last, times: make(map[uint64]int64)}
	err = s.Replay(max(found.First, found.Last-min(found.Last, newest)),
		func(r *journal.Record) error {
			b.times[r.Seq] = r.At
			return nil
		})
	if err != nil {
		return nil, err
	}
	archive := cardswitch.NewArchive(s.Registry())
	b.entries, err = count.FromJournal(s, archive.Dialect)
	return b, err
}
