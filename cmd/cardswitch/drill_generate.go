package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"cardswitch/conformance/count"
	"cardswitch/conformance/ledger"
	"cardswitch/conformance/pos"
	"cardswitch/dr/drill"
	"cardswitch/store/journal"
	cardswitch "cardswitch/switch"
)

// generated is what a simulated merchant did during a drill, and what simulated issuers booked.
type generated struct {
	From     uint64                      `json:"from"` // record before which none of it was
	Receipts []ledger.Receipt            `json:"receipts"`
	Issuers  map[string][]ledger.Posting `json:"issuers,omitempty"`
	Gap      time.Duration               `json:"gap_ns"` // the merchant's longest wait for any answer
	P99      time.Duration               `json:"p99_ns"`
}

func generateFlags(command *cobra.Command) {
	flags := command.Flags()
	flags.String("generate", "", "let a merchant of this `file` (of sim pos --file) trade meanwhile")
	flags.Float64("rate", 100, "of it, transactions a second")
	flags.StringArray("ledger", nil,
		"NAME=FILE of an issuer's ledger (sim issuer --ledger), to count")
	_ = command.MarkFlagFilename("generate", "yaml")
}

// shop is a merchant that trades during a drill.
type shop struct {
	*pos.POS
	from  uint64
	stop  context.CancelFunc
	ended chan error

	mu   sync.Mutex
	last time.Time
	gap  time.Duration
	took []time.Duration
}

// ledgerLag is how much later than the last answer an issuer's ledger is read.
const ledgerLag = 3 * time.Second

// openShop begins the trade that is wanted; nil: none is.
func openShop(command *cobra.Command) (*shop, error) {
	flags := command.Flags()
	file, _ := flags.GetString("generate")
	if dry, _ := flags.GetBool("dry-run"); file == "" || dry {
		return nil, nil
	}
	var o pos.Options
	if err := decodeOptions(command, file, &o); err != nil {
		return nil, err
	}
	o.Rate, _ = flags.GetFloat64("rate")
	var st cardswitch.Status
	c, err := newClient(command)
	if err == nil {
		err = c.get(command.Context(), "/v1/status", nil, &st)
	}
	if err != nil {
		return nil, err
	}
	s := &shop{from: st.Journal.LastSeq + 1, ended: make(chan error, 1)}
	o.OnResult = s.came
	lives := context.WithoutCancel(command.Context()) // what is in flight comes to its end
	if s.POS, err = pos.Start(lives, o); err != nil {
		return nil, failed(err, "see `cardswitch sim pos --help`")
	}
	ready, cancel := context.WithTimeout(command.Context(), 15*time.Second)
	defer cancel()
	if err := s.Ready(ready); err != nil {
		s.Close()
		return nil, &failure{Code: exitUnreachable, What: err,
			Hint: "does the active node listen there, and do the envelopes agree?"}
	}
	trades, stop := context.WithCancel(lives)
	s.stop = stop
	go func() { s.ended <- s.Run(trades) }()
	return s, nil
}

func (s *shop) came(r pos.Result) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Receipt.State != ledger.Approved && r.Receipt.State != ledger.Cancelled {
		return
	}
	if !s.last.IsZero() {
		s.gap = max(s.gap, now.Sub(s.last))
	}
	s.last = now
	s.took = append(s.took, r.Elapsed)
}

// compare ends the trade and has the node lay the books side by side.
func (s *shop) compare(command *cobra.Command, c *client, r *drill.Report,
	err error) (*drill.Report, error) {
	s.stop()
	err = errors.Join(err, <-s.ended)
	s.Close()
	if err != nil || r.Outcome == drill.Refused {
		return r, err
	}
	g := generated{From: s.from, Receipts: s.Receipts().All(), Gap: s.gap}
	slices.Sort(s.took)
	if n := len(s.took); n > 0 {
		g.P99 = s.took[min(n-1, n*99/100)]
	}
	files, _ := command.Flags().GetStringArray("ledger")
	if len(files) > 0 {
		time.Sleep(ledgerLag)
		g.Issuers = make(map[string][]ledger.Posting)
	}
	for _, named := range files {
		name, file, _ := strings.Cut(named, "=")
		f, err := os.Open(file)
		if err != nil {
			return r, failed(err, "--ledger takes NAME=FILE")
		}
		g.Issuers[name], err = ledger.ReadPostings(f)
		if err = errors.Join(err, f.Close()); err != nil {
			return r, failed(fmt.Errorf("%s: %w", file, err), "`sim issuer --ledger` writes it")
		}
	}
	compared := new(drill.Report)
	return compared, c.post(command.Context(), "/v1/drills/"+r.ID+"/compare", g, compared)
}

// Compared is admin's: the three books of the transactions that a merchant has receipts of.
func (n *node) Compared(id string, text json.RawMessage) (any, error) {
	var g generated
	if err := json.Unmarshal(text, &g); err != nil {
		return nil, err
	}
	r, err := n.history().Report(id)
	if err != nil {
		return nil, err
	}
	archive := cardswitch.NewArchive(n.store.Registry())
	entries, err := count.FromJournal(since{n, g.From}, archive.Dialect)
	if err != nil {
		return nil, err
	}
	c := g.count(entries)
	r.Seen(c)
	return r, n.history().Keep(r)
}

// since reads a journal from a record on.
type since struct {
	n    *node
	from uint64
}

// Replay is count's.
func (s since) Replay(_ uint64, fn func(*journal.Record) error) error {
	return s.n.store.Replay(s.from, fn)
}

// count compares what the receipts name.
func (g *generated) count(entries map[string]count.Entry) drill.Count {
	ours := make(map[string]bool)
	for i := range g.Receipts {
		ours[g.Receipts[i].RRN] = true
	}
	others := func(rrn string, _ count.Entry) bool { return !ours[rrn] }
	maps.DeleteFunc(entries, others)
	for name, list := range g.Issuers {
		g.Issuers[name] = slices.DeleteFunc(list, func(p ledger.Posting) bool { return !ours[p.RRN] })
	}
	found := count.Books{Receipts: g.Receipts, Switch: entries, Issuers: g.Issuers}.Count()
	c := drill.Count{Transactions: found.Transactions, Receipts: money(found.Receipts),
		Journal: money(found.Switch), Gap: g.Gap, P99: g.P99}
	if g.Issuers == nil {
		c.Unexplained = receiptsDiffer(g.Receipts, entries)
		return c
	}
	c.Issuers, c.Lost = money(found.Issuers), found.Of(count.Lost)
	c.Doubled, c.Unexplained = found.Of(count.Double), found.Unexplained()
	return c
}

// receiptsDiffer counts receipts that the journal contradicts: all that can be told without the
// issuers' books.
func receiptsDiffer(receipts []ledger.Receipt, entries map[string]count.Entry) (n int) {
	for i := range receipts {
		r := &receipts[i]
		e, known := entries[r.RRN]
		if r.State == ledger.Approved && (!known || e.State != ledger.Approved && !e.Owed && !e.Shelf) {
			n++
		}
	}
	return n
}
