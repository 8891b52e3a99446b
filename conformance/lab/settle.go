package lab

import (
	"context"
	"fmt"
	"time"

	"cardswitch/conformance/count"
	"cardswitch/store"
	cardswitch "cardswitch/switch"
)

// settle ends the trade, waits until nothing is owed any more, ends the nodes and compares the
// books: those of the partners with the journal of each node.
func (r *run) settle(ctx context.Context) error {
	if _, err := r.whole(ctx); err != nil {
		return err
	}
	r.town.endTrade()
	if err := r.drain(ctx); err != nil {
		return err
	}
	for _, n := range r.nodes {
		if words, ended := n.died(); ended {
			r.report.Died = append(r.report.Died, words)
		}
	}
	pause(ctx, time.Second) // so that all have applied what is agreed
	for _, n := range r.nodes {
		n.kill() // at their ends they would still write, and the last one alone could not
	}
	return r.judge()
}

// drain waits until the active node says three times that nothing is open and nothing owed.
func (r *run) drain(ctx context.Context) error {
	quiet := 0
	for end := time.Now().Add(settleTime); time.Now().Before(end) && quiet < 3; {
		if !pause(ctx, 100*time.Millisecond) {
			return ctx.Err()
		}
		serves, err := r.whole(ctx)
		if err != nil {
			return err
		}
		var s cardswitch.Status
		if err := serves.ask(ctx, "GET", "/v1/status", nil, &s); err != nil {
			continue // it was deposed meanwhile
		}
		r.report.Owed = s.Open + s.Owed + s.Shelved
		if quiet++; r.report.Owed > 0 {
			quiet = 0
		}
	}
	return nil
}

// judge lays the three ledgers side by side, and the nodes' journals.
func (r *run) judge() error {
	books := r.town.books()
	var head string
	for _, n := range r.nodes {
		entries, is, err := n.read()
		switch {
		case err != nil:
			r.report.Journals = append(r.report.Journals, fmt.Sprintf("node %d: %v", n.number, err))
			continue
		case head == "":
			head, books.Switch = is, entries
		case head != is:
			r.report.Journals = append(r.report.Journals,
				fmt.Sprintf("node %d ends with %s, node 1 with %s", n.number, is, head))
		}
	}
	c := books.Count()
	r.report.Count = c
	r.report.Lost, r.report.Double = c.Of(count.Lost), c.Of(count.Double)
	r.report.Unexplained = c.Unexplained()
	return nil
}

// read verifies a node's journal and folds it into what it believes of each transaction.
func (n *node) read() (entries map[string]count.Entry, head string, err error) {
	s, err := store.Open(store.Options{Dir: n.stage.File("data"), KeyFile: n.stage.File("data.key")})
	if err != nil {
		return nil, "", err
	}
	defer func() {
		if e := s.Close(); err == nil {
			err = e
		}
	}()
	found, err := s.Verify(func(uint64) {})
	if err != nil {
		return nil, "", err
	}
	archive := cardswitch.NewArchive(s.Registry())
	entries, err = count.FromJournal(s, archive.Dialect)
	return entries, fmt.Sprintf("record %d, %x", found.Last, found.Head), err
}
