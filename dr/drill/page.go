package drill

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"time"
)

//go:embed page.html
var page string

// WriteHTML writes a page to be looked at and printed, on A4. It needs nothing else.
func (r *Report) WriteHTML(w io.Writer) error {
	t, err := template.New("drill").Funcs(template.FuncMap{
		"clock": func(at time.Time) string { return at.Local().Format("15:04:05.000") },
		"day":   func(at time.Time) string { return at.Local().Format("2006-01-02 15:04 MST") },
		"round": round, "title": r.title,
	}).Parse(page)
	if err != nil {
		return err
	}
	return t.Execute(w, struct {
		*Report
		Chart *chart
	}{r, r.chart()})
}

// chart is the answers of issuers over time, as bars.
type chart struct {
	Width, Height int
	Bars          []bar
	Ticks         []tick
	Fault         int // where it was
	From, To      int // the longest pause
	Most          int // answers in a bar
	Step          time.Duration
}

// Gap is how wide the pause is.
func (c *chart) Gap() int { return max(0, c.To-c.From) }

type bar struct{ X, Y, Width, Height int }

type tick struct {
	X    int
	Text string
}

const (
	chartWidth  = 960
	chartHeight = 150
	mostBars    = 320
	tickRoom    = 20 // a text at the edge would be cut
)

// chart draws from a second before the fault to some seconds after the pause.
func (r *Report) chart() *chart {
	m := r.Measured
	if m == nil || r.Fault.Before(m.Begin) ||
		r.Fault.Sub(m.Begin) > time.Duration(len(m.Answers))*step {
		return nil
	}
	from := max(0, int((r.Fault.Sub(m.Begin)-time.Second)/step))
	last := later(m.FirstAfter, r.Fault).Add(3 * time.Second)
	to := min(len(m.Answers), int(last.Sub(m.Begin)/step))
	if from >= to {
		return nil
	}
	per := (to - from + mostBars - 1) / mostBars // steps in a bar
	c := &chart{Width: chartWidth, Height: chartHeight, Step: time.Duration(per) * step}
	var sums []int
	for at := from; at < to; at += per {
		sum := 0
		for _, n := range m.Answers[at:min(at+per, to)] {
			sum += n
		}
		sums, c.Most = append(sums, sum), max(c.Most, sum)
	}
	width := max(1, chartWidth/len(sums))
	c.Width = width * len(sums)
	for i, sum := range sums {
		if h := sum * chartHeight / max(1, c.Most); h > 0 {
			c.Bars = append(c.Bars, bar{i * width, chartHeight - h, max(1, width-1), h})
		}
	}
	begin := m.Begin.Add(time.Duration(from) * step)
	x := func(at time.Time) int { return int(at.Sub(begin) * time.Duration(width) / c.Step) }
	c.Fault, c.From, c.To = x(r.Fault), x(m.LastBefore), x(m.FirstAfter)
	for s := -1; ; s++ {
		at := x(r.Fault.Add(time.Duration(s) * time.Second))
		if at > c.Width-tickRoom {
			break
		}
		if at >= tickRoom {
			c.Ticks = append(c.Ticks, tick{at, fmt.Sprintf("%+d s", s)})
		}
	}
	return c
}
