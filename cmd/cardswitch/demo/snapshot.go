package demo

import (
	"time"

	"cardswitch/conformance/count"
	cardswitch "cardswitch/switch"
	"cardswitch/switch/admin"
)

// Snapshot is one moment of the town: all that the picture shows.
type Snapshot struct {
	Elapsed time.Duration
	Status  cardswitch.Status
	Links   []admin.LinkLine
	Queues  []cardswitch.QueueStatus
	Rate    float64            // requests a second, now
	Rates   []float64          // the last minute's, oldest first
	Flow    map[string]float64 // messages a second by link
	Last    []admin.Line       // transactions, newest last
	Events  []Event            // newest last
	Money   *count.Report      // nil until first counted
	Socket  string             // where more can be asked
	Ending  string             // what the town is doing at its end
}

// Event is something that happened to the town.
type Event struct {
	At   time.Duration // since the beginning
	Text string
}

// Bounds of what a Snapshot keeps.
const (
	ratesKept  = 60
	lastKept   = 40
	eventsKept = 8
)

// Next is the snapshot that follows s: of what only rises, it makes rates.
func (s *Snapshot) Next(now time.Duration, status cardswitch.Status, links []admin.LinkLine,
	queues []cardswitch.QueueStatus) {
	seconds := (now - s.Elapsed).Seconds()
	flow := make(map[string]float64, len(links))
	before := make(map[string]uint64, len(s.Links))
	for i := range s.Links {
		before[linkKey(&s.Links[i])] = s.Links[i].FramesIn + s.Links[i].FramesOut
	}
	for i := range links {
		key := linkKey(&links[i])
		frames := links[i].FramesIn + links[i].FramesOut
		if old, ok := before[key]; ok && frames >= old && seconds > 0 {
			flow[key] = float64(frames-old) / seconds
		}
	}
	if seconds > 0 && status.Counts.Requests >= s.Status.Counts.Requests {
		s.Rate = float64(status.Counts.Requests-s.Status.Counts.Requests) / seconds
	}
	s.Rates = keepLast(append(s.Rates, s.Rate), ratesKept)
	s.Elapsed, s.Status, s.Links, s.Queues, s.Flow = now, status, links, queues, flow
}

// Saw adds an outcome of the journal; other records are not for the picture.
func (s *Snapshot) Saw(line admin.Line) {
	if line.Kind == "closed" || line.Kind == "settled" || line.Kind == "stood in" {
		s.Last = keepLast(append(s.Last, line), lastKept)
	}
}

// Happened adds an event.
func (s *Snapshot) Happened(at time.Duration, text string) {
	s.Events = keepLast(append(s.Events, Event{at, text}), eventsKept)
}

func keepLast[T any](list []T, most int) []T {
	if len(list) > most {
		return append(list[:0:0], list[len(list)-most:]...)
	}
	return list
}

func linkKey(l *admin.LinkLine) string { return l.Center + "/" + l.Link }
