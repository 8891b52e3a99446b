package world

import (
	"fmt"
	"hash/fnv"
	"strings"
	"time"
)

// lastLines is how much of a trace is kept for who reads why a seed failed.
const lastLines = 80

// trace is what happened in a world, line by line: a digest of all of it, and its last lines.
type trace struct {
	began  time.Time
	lines  []string
	count  int
	digest uint64
	each   func(string) // nil: nobody reads along
}

func (t *trace) add(format string, args ...any) {
	line := fmt.Sprintf("%12.6f  ", float64(time.Since(t.began))/1e9) + fmt.Sprintf(format, args...)
	h := fnv.New64a()
	fmt.Fprintf(h, "%x %d %s", t.digest, time.Now().UnixNano(), line)
	t.digest = h.Sum64()
	t.count++
	if len(t.lines) >= 2*lastLines {
		t.lines = append(t.lines[:0], t.lines[lastLines:]...)
	}
	t.lines = append(t.lines, line)
	if t.each != nil {
		t.each(line)
	}
}

// last gives the last lines.
func (t *trace) last() string {
	return strings.Join(t.lines[max(0, len(t.lines)-lastLines):], "\n")
}
