package bench

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"text/tabwriter"
)

// Measure is one load on one switch. Its keys in bench.json stay as they are.
type Measure struct {
	Switch       string    `json:"switch"`
	Load         string    `json:"load"`
	TPS          float64   `json:"tps"`
	P50          int64     `json:"p50_us"`
	P99          int64     `json:"p99_us"`
	P999         int64     `json:"p999_us"`
	CPU          float64   `json:"cpu_us_per_txn"`
	Standbys     []float64 `json:"standby_cpu_us_per_txn,omitempty"` // of a cluster's other nodes
	Synced       float64   `json:"bytes_synced_per_txn"`
	Written      float64   `json:"bytes_written_per_txn"` // by the kernel's count
	RSS          float64   `json:"rss_mb"`
	Transactions uint64    `json:"transactions"`
	Rate         int       `json:"rate,omitempty"` // of the open loop
	Money        Money     `json:"money"`
}

// Money is the count after a run: what the merchants hold receipts for, what the issuers posted and
// what the switch says it approved. The three must be equal and nothing may be left over.
type Money struct {
	Receipts      uint64   `json:"receipts"`
	ReceiptAmount uint64   `json:"receipt_amount"`
	Postings      uint64   `json:"postings"`
	PostedAmount  uint64   `json:"posted_amount"`
	Switch        *uint64  `json:"switch,omitempty"` // nil: this switch doesn't count
	Unanswered    uint64   `json:"unanswered"`
	Wrong         []string `json:"wrong,omitempty"` // what isn't as it must be
}

// Result is a whole benchmark; the measure at its top is that of the first load.
type Result struct {
	Measure
	Machine Machine            `json:"machine"`
	Loads   []Measure          `json:"loads"`
	Ratio   map[string]float64 `json:"tps_ratio_to_moov"`
}

func newResult(machine Machine, measures []Measure) Result {
	r := Result{Machine: machine, Loads: measures, Ratio: map[string]float64{}}
	for i, m := range measures {
		if i == 0 {
			r.Measure = m
		}
		base := slices.IndexFunc(measures, func(b Measure) bool {
			return b.Switch == switchMoov && b.Load == m.Load
		})
		if m.Switch == switchOurs && base >= 0 && measures[base].TPS > 0 {
			r.Ratio[m.Load] = m.TPS / measures[base].TPS
		}
	}
	return r
}

// median is the run in the middle by throughput; a run with wrong money is never hidden.
func median(runs []Measure) Measure {
	for _, m := range runs {
		if len(m.Money.Wrong) > 0 {
			return m
		}
	}
	slices.SortFunc(runs, func(a, b Measure) int { return cmp.Compare(a.TPS, b.TPS) })
	return runs[len(runs)/2]
}

// Print writes the result as a table for people.
func (r Result) Print(out io.Writer) error {
	m := r.Machine
	fmt.Fprintf(out, "%s, %d cores, Linux %s, %s, fsync p50 %d µs, p99 %d µs, load average %s\n\n",
		m.CPU, m.Cores, m.Kernel, m.Go, m.FsyncUS, m.Fsync99, m.Busy)
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "switch\tload\tTPS\tp50 µs\tp99 µs\tp999 µs\tCPU µs/txn\tsynced B/txn\t"+
		"written B/txn\tRSS MB\t× moov\tmoney\t\n")
	for _, m := range r.Loads {
		ratio := "-"
		if v, ok := r.Ratio[m.Load]; ok && m.Switch == switchOurs {
			ratio = fmt.Sprintf("%.1f", v)
		}
		money := "exact"
		if len(m.Money.Wrong) > 0 {
			money = "WRONG"
		}
		fmt.Fprintf(t, "%s\t%s\t%.0f\t%d\t%d\t%d\t%.1f\t%.0f\t%.0f\t%.0f\t%s\t%s\t\n", m.Switch,
			m.Load, m.TPS, m.P50, m.P99, m.P999, m.CPU, m.Synced, m.Written, m.RSS, ratio, money)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, m := range r.Loads {
		if len(m.Standbys) > 0 {
			fmt.Fprintf(out, "\n%s at %s: CPU of the standbys, µs/txn: %.1f\n", m.Switch, m.Load,
				m.Standbys)
		}
	}
	return nil
}

// Write writes the result as JSON.
func (r Result) Write(file string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	if err := os.WriteFile(file, append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	return nil
}

// WrongMoney lists every difference between the books.
func (r Result) WrongMoney() []string {
	var wrong []string
	for _, m := range r.Loads {
		for _, w := range m.Money.Wrong {
			wrong = append(wrong, fmt.Sprintf("%s at %s: %s", m.Switch, m.Load, w))
		}
	}
	return wrong
}

// Missed lists the aims that the result doesn't reach.
func (r Result) Missed() []string {
	var missed []string
	miss := func(format string, args ...any) { missed = append(missed, fmt.Sprintf(format, args...)) }
	for _, m := range r.Loads {
		if m.Switch != switchOurs || m.Load != loadPeak.Name {
			continue
		}
		if m.TPS < aimTPS {
			miss("%.0f TPS at %s, the aim is %d", m.TPS, m.Load, aimTPS)
		}
		if m.CPU > aimCPU {
			miss("%.1f µs of CPU a transaction at %s, the aim is %d", m.CPU, m.Load, aimCPU)
		}
		if ratio, ok := r.Ratio[m.Load]; ok && ratio < aimRatio {
			miss("%.1f times the moov-based switch at %s, the aim is %d", ratio, m.Load, aimRatio)
		}
	}
	return missed
}
