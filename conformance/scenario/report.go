package scenario

import (
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// Outcome is how a scenario ended.
type Outcome string

const (
	Passed  Outcome = "passed"
	Failed  Outcome = "failed"
	Skipped Outcome = "skipped" // the target doesn't have a door that it needs
)

// Result is what became of one scenario.
type Result struct {
	Scenario string        `json:"scenario"`
	File     string        `json:"file"`
	Line     int           `json:"line"` // of the step that failed
	Outcome  Outcome       `json:"outcome"`
	Step     string        `json:"step,omitempty"`
	Reasons  []string      `json:"reasons,omitempty"`
	Messages []string      `json:"messages,omitempty"` // what was exchanged, masked
	Elapsed  time.Duration `json:"elapsed_ns"`
}

// Report is what became of a suite.
type Report struct {
	Target  string   `json:"target"`
	Results []Result `json:"results"`
}

// Count is the number of scenarios with an outcome.
func (r *Report) Count(o Outcome) int {
	n := 0
	for i := range r.Results {
		if r.Results[i].Outcome == o {
			n++
		}
	}
	return n
}

// OK reports whether something passed and nothing failed.
func (r *Report) OK() bool { return r.Count(Failed) == 0 && r.Count(Passed) > 0 }

// JSON writes the report for programs.
func (r *Report) JSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// Write prints the report for people: a line a scenario, and all there is to know of a failure.
func (r *Report) Write(w io.Writer) error {
	for i := range r.Results {
		if err := r.Results[i].write(w); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "%d passed, %d failed, %d skipped\n", r.Count(Passed),
		r.Count(Failed), r.Count(Skipped))
	return err
}

func (x *Result) write(w io.Writer) error {
	_, err := fmt.Fprintf(w, "%-8s %7s  %s\n", x.Outcome,
		x.Elapsed.Round(time.Millisecond), x.Scenario)
	if x.Outcome == Passed || err != nil {
		return err
	}
	fmt.Fprintf(w, "         %s:%d: %s\n", x.File, x.Line, x.Step)
	for _, reason := range x.Reasons {
		fmt.Fprintf(w, "           %s\n", reason)
	}
	for _, m := range x.Messages {
		fmt.Fprintf(w, "           | %s\n", m)
	}
	_, err = fmt.Fprintln(w)
	return err
}
