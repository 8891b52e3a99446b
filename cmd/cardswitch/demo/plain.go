package demo

import (
	"fmt"
	"io"
)

// Plain tells of the town in lines, where there is no terminal to draw on.
type Plain struct {
	out io.Writer
}

// NewPlain writes to out.
func NewPlain(out io.Writer) *Plain { return &Plain{out: out} }

// Event tells what happened at once.
func (p *Plain) Event(e Event) { fmt.Fprintf(p.out, "%s  %s\n", clock(e.At), e.Text) }

// Show tells how it stands.
func (p *Plain) Show(s *Snapshot) {
	c, l := &s.Status.Counts, &s.Status.Latency
	up, lines := 0, 0
	for i := range s.Links {
		lines++
		if s.Links[i].State == "signed-on" {
			up++
		}
	}
	fmt.Fprintf(p.out, "%s  %6.1f/s  links %d/%d  requests %d  approved %d  declined %d  "+
		"timed out %d  reversed %d  to deliver %d  p50 %s  p99 %s\n", clock(s.Elapsed), s.Rate,
		up, lines, c.Requests, c.Approved, c.Declined, c.TimedOut, c.Reversals, s.Status.Owed,
		micros(l.P50), micros(l.P99))
}
