package torture

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"cardswitch/conformance/count"
	"cardswitch/conformance/ledger"
	"cardswitch/store"
	cardswitch "cardswitch/switch"
)

// Report is what a run came to. From Died on, all must be zero or empty.
type Report struct {
	Seed    uint64        `json:"seed"`
	Elapsed time.Duration `json:"elapsed"`
	Faults  map[Kind]int  `json:"faults"`
	Cannot  []string      `json:"cannot,omitempty"` // what this machine doesn't let us do
	Starts  int           `json:"starts"`           // of the switch
	Excused int           `json:"excused"`          // it ended by itself when its disk failed or stood
	Torn    int           `json:"torn"`             // it ended in the middle of a write
	Keys    int           `json:"keys"`             // of links, that were changed
	Days    int           `json:"days"`             // business days of issuers that were compared
	Paired  int           `json:"paired"`           // entries there that come to nothing
	Folder  string        `json:"folder,omitempty"` // of the run, if it is left
	Count   *count.Report `json:"count"`

	Died        []string `json:"died,omitempty"`  // by itself, nothing being wrong: its words
	Stuck       []string `json:"stuck,omitempty"` // it was asked to end and didn't
	Lost        int      `json:"lost"`
	Double      int      `json:"double"`
	Unexplained int      `json:"unexplained"`          // in all, those two included
	Owed        int      `json:"owed"`                 // still to be delivered when time was up
	Shelved     int      `json:"shelved"`              // on the work list
	OutOfDay    []string `json:"out_of_day,omitempty"` // where a day differs from its book
	Journal     string   `json:"journal,omitempty"`    // what is wrong with it; "": it is whole

	mu  sync.Mutex
	now string // the phase
}

// Clean says whether no transaction was lost, doubled, left unexplained or owed, and the switch
// never ended without a cause.
func (r *Report) Clean() bool {
	return r.Lost+r.Double+r.Unexplained+r.Owed+r.Shelved+len(r.Died)+len(r.Stuck)+
		len(r.OutOfDay) == 0 &&
		r.Journal == "" && r.Count != nil
}

// Hurt is how many faults there were.
func (r *Report) Hurt() int {
	n := 0
	for _, k := range Kinds() {
		n += r.Faults[k]
	}
	return n
}

func (r *Report) change(fn func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fn()
}

func (r *Report) did(k Kind)       { r.change(func() { r.Faults[k]++ }) }
func (r *Report) rekeyed()         { r.change(func() { r.Keys++ }) }
func (r *Report) tore()            { r.change(func() { r.Torn++ }) }
func (r *Report) phase(now string) { r.change(func() { r.now = now }) }

func (r *Report) owing(open, shelved int) { r.change(func() { r.Owed, r.Shelved = open, shelved }) }

// cannot notes once what a machine doesn't allow.
func (r *Report) cannot(k Kind, err error) {
	r.change(func() {
		if text := fmt.Sprintf("%s: %v", k, err); !slices.Contains(r.Cannot, text) {
			r.Cannot = append(r.Cannot, text)
		}
	})
}

// stopped notes that the switch didn't end when it was asked to.
func (r *Report) stopped(err error) {
	if err != nil && !errors.Is(err, os.ErrClosed) {
		r.change(func() { r.Stuck = append(r.Stuck, err.Error()) })
	}
}

// compared notes how a business day compared with the listing of an issuer's book.
func (r *Report) compared(c cardswitch.Comparison) {
	r.change(func() {
		r.Days++
		for i := range c.Differences {
			d := &c.Differences[i]
			if explained(d) {
				r.Paired++
				continue
			}
			r.OutOfDay = append(r.OutOfDay, fmt.Sprintf("%s %s: %s %s %s, %s: %s", c.Center, c.Day,
				d.MTI, d.STAN, d.Local, d.Cause, d.Why))
		}
	})
}

// judge lays the three ledgers side by side.
func (r *run) judge(ctx context.Context) (err error) {
	r.report.phase("the books are compared")
	books := count.Books{Issuers: make(map[string][]ledger.Posting)}
	for _, name := range merchantNames() {
		list, err := read(r.book(name), ledger.ReadReceipts)
		if err != nil {
			return err
		}
		books.Receipts = append(books.Receipts, list...)
	}
	for _, name := range issuerNames() {
		if books.Issuers[name], err = read(r.book(name), ledger.ReadPostings); err != nil {
			return err
		}
	}
	s, err := store.Open(store.Options{Dir: r.ground.stage.File("data"),
		KeyFile: r.ground.stage.File("data.key")})
	if err != nil {
		return fmt.Errorf("torture: the journal: %w", err)
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	archive := cardswitch.NewArchive(s.Registry())
	if books.Switch, err = count.FromJournal(s, archive.Dialect); err != nil {
		return fmt.Errorf("torture: the journal: %w", err)
	}
	c := books.Count()
	r.report.change(func() {
		r.report.Count, r.report.Elapsed = c, time.Since(r.began)
		r.report.Lost, r.report.Double = c.Of(count.Lost), c.Of(count.Double)
		r.report.Unexplained = c.Unexplained()
	})
	return ctx.Err()
}

func read[T any](name string, parse func(io.Reader) ([]T, error)) ([]T, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("torture: a partner left no book: %w", err)
	}
	defer file.Close()
	return parse(file)
}

// line is how the run stands, in one.
func (r *Report) line(elapsed, of time.Duration, m map[string]float64) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "%s of %s", elapsed.Round(time.Second), of)
	for _, k := range Kinds() {
		if n := r.Faults[k]; n > 0 {
			fmt.Fprintf(&b, "  %s %d", k, n)
		}
	}
	if m != nil {
		fmt.Fprintf(&b, "  owed %.0f", m["cardswitch_owed"]+m["cardswitch_open_transactions"])
	}
	if r.now != "" {
		fmt.Fprintf(&b, "  %s", r.now)
	}
	return b.String()
}

// watch tells how the run stands until the context ends: on a terminal on one line that changes.
func (r *run) watch(ctx context.Context) {
	every := 10 * time.Second
	if r.Live {
		every = time.Second
	}
	for pause(ctx, every) {
		m, _ := r.ground.stage.Metrics() // none while it is down
		line := r.report.line(time.Since(r.began), r.Duration, m)
		if r.Live {
			fmt.Fprintf(r.Progress, "\r\x1b[K%s", line)
			continue
		}
		fmt.Fprintln(r.Progress, line)
	}
	if r.Live {
		fmt.Fprint(r.Progress, "\r\x1b[K")
	}
}
