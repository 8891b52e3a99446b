package chaos

import (
	"context"
	"fmt"
	"time"

	"cardswitch/conformance/load/process"
	"cardswitch/conformance/load/wire"
)

// Report is what a run came to. The second half must be all zero.
type Report struct {
	Seed         uint64        `json:"seed"`
	Kills        int           `json:"kills"`
	Cuts         int           `json:"cuts"`
	Elapsed      time.Duration `json:"elapsed"`
	StartP50     time.Duration `json:"start_p50"` // to the first answer
	StartMax     time.Duration `json:"start_max"`
	Transactions int           `json:"transactions"`
	Approved     int           `json:"approved"`
	Declined     int           `json:"declined"`
	Refused      int           `json:"refused"` // by the switch: 9xx
	TakenBack    int           `json:"taken_back"`
	Reversed     int           `json:"reversed"` // postings that a bank undid
	Repeats      int           `json:"repeats"`  // of merchants
	Ahead        int           `json:"ahead"`    // reversals that came before their original
	Again        int           `json:"again"`    // reversals of what was reversed already

	Lost        int      `json:"lost"`        // acknowledged, but not at the bank
	Double      int      `json:"double"`      // standing at the bank more than once
	Unexplained int      `json:"unexplained"` // standing at the bank, but nobody was told so
	Changed     int      `json:"changed"`     // a question with two different answers
	Mismatched  int      `json:"mismatched"`
	Unknown     int      `json:"unknown"`
	Collisions  int      `json:"collisions"` // one question to a bank about two sales
	Malformed   int      `json:"malformed"`
	Unanswered  int      `json:"unanswered"`
	Owed        int      `json:"owed"`              // still to be delivered when time was up
	Shelved     int      `json:"shelved"`           // on the work list
	Journal     string   `json:"journal,omitempty"` // what is wrong with it; empty: it is whole
	Examples    []string `json:"examples,omitempty"`
}

// Clean says whether no transaction was lost, doubled or left unexplained.
func (r Report) Clean() bool {
	return r.Lost+r.Double+r.Unexplained+r.Changed+r.Mismatched+r.Unknown+r.Collisions+
		r.Malformed+r.Unanswered+r.Owed+r.Shelved == 0 && r.Journal == ""
}

// wrong notes one finding with its reference number, which is no card data.
func (r *Report) wrong(count *int, lane, sequence int, what string, args ...any) {
	*count++
	if len(r.Examples) < 20 {
		r.Examples = append(r.Examples,
			fmt.Sprintf("%03d%09d: %s", lane, sequence, fmt.Sprintf(what, args...)))
	}
}

// settle lets all answers and everything owed arrive.
func (r *run) settle(ctx context.Context, child *process.Child, report *Report) error {
	r.merchants.closing.Store(true)
	deadline := time.Now().Add(settleTime)
	quiet := 0
	var deaf error // the switch that was just started may not say yet what it owes
	for time.Now().Before(deadline) && quiet < 3 {
		if err := r.wait(ctx, child, 50*time.Millisecond); err != nil {
			return err
		}
		open, shelved, err := r.stage.Owing()
		if deaf = err; deaf != nil {
			quiet = 0
			continue
		}
		report.Unanswered, report.Owed, report.Shelved = r.merchants.pending(), open, shelved
		if quiet++; report.Unanswered+report.Owed > 0 {
			quiet = 0
		}
	}
	if deaf != nil {
		return fmt.Errorf("chaos: %w", deaf)
	}
	return nil
}

// verify compares the merchants' books with the banks'.
func (r *run) verify(report *Report) {
	report.Kills, report.Cuts = r.kills, r.cuts
	report.StartP50, report.StartMax = quantile(r.starts, 0.5), quantile(r.starts, 1)
	standing := map[wire.Reference]int{}
	for _, b := range r.banks {
		b.book.mu.Lock()
		defer b.book.mu.Unlock()
		b.book.tally(standing, report)
	}
	for _, l := range r.merchants.lanes {
		l.mu.Lock()
		defer l.mu.Unlock()
		report.Repeats += l.counts.Repeats
		report.Changed += l.counts.Changed
		report.Mismatched += l.counts.Mismatched
		report.Unknown += l.counts.Unknown
		compare(int(l.composer.lane), l.sales, standing, report)
	}
}

// tally adds the postings that stand, by reference number.
func (b *book) tally(standing map[wire.Reference]int, report *Report) {
	for _, p := range b.postings {
		if p.reversed {
			report.Reversed++
		}
		if !p.live() {
			continue
		}
		standing[p.reference]++
		if p.amount != amount(p.reference.Sequence) {
			report.wrong(&report.Unexplained, int(p.reference.Lane), int(p.reference.Sequence),
				"posted with another amount")
		}
	}
	report.Collisions += b.counts.Collisions
	report.Malformed += b.counts.Malformed
	report.Ahead += b.counts.Ahead
	report.Again += b.counts.Again
}

// compare holds each sale of a lane against what stands at the banks. The first sale is no sale.
func compare(lane int, sales []sale, standing map[wire.Reference]int, report *Report) {
	for n := 1; n < len(sales); n++ {
		s := &sales[n]
		report.Transactions++
		switch {
		case s.kind == hasty || s.cancel.action != none:
			report.TakenBack++
		case s.ask.action >= 900 && s.kind != offline:
			report.Refused++
		case s.want():
			report.Approved++
		default:
			report.Declined++
		}
		stands := standing[wire.Reference{Lane: uint64(lane), Sequence: uint64(n)}]
		switch {
		case stands > 1:
			report.wrong(&report.Double, lane, n, "stands %d times at the bank", stands)
		case s.want() && stands == 0:
			report.wrong(&report.Lost, lane, n, "answered %03d, doesn't stand at the bank", s.ask.action)
		case !s.want() && stands == 1:
			report.wrong(&report.Unexplained, lane, n, "kind %d, answered %d, taken back %d, "+
				"yet stands at the bank", s.kind, s.ask.action, s.cancel.action)
		}
	}
}
