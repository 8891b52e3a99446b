package backup

import (
	"fmt"
	"time"
)

// Keep says which backups a prune leaves: the newest Last ones, and the newest of each of so many
// hours, days, weeks and months (UTC) that have one. Tails, by which moments between are brought
// back, stay for Tails; 0: as long as a backup that they follow on.
type Keep struct {
	Last, Hourly, Daily, Weekly, Monthly int
	Tails                                time.Duration
}

// timeOf is when a backup began, by its ID.
func timeOf(id string) (time.Time, error) {
	if len(id) < len(idTime) {
		return time.Time{}, fmt.Errorf("%q names no backup", id)
	}
	return time.Parse(idTime, id[:len(idTime)])
}

// choose tells which of the backups, oldest first, are kept. The newest always is.
func (k Keep) choose(ids []string) (map[string]bool, error) {
	kept := make(map[string]bool)
	periods := []struct {
		most int
		of   func(time.Time) string
	}{
		{k.Hourly, func(t time.Time) string { return t.Format("2006-01-02 15") }},
		{k.Daily, func(t time.Time) string { return t.Format(time.DateOnly) }},
		{k.Weekly, func(t time.Time) string { y, w := t.ISOWeek(); return fmt.Sprint(y, w) }},
		{k.Monthly, func(t time.Time) string { return t.Format("2006-01") }},
	}
	last := make([]string, len(periods)) // the period whose newest backup was met last
	for i := len(ids) - 1; i >= 0; i-- {
		at, err := timeOf(ids[i])
		if err != nil {
			return nil, err
		}
		if len(ids)-i <= max(k.Last, 1) {
			kept[ids[i]] = true
		}
		for n := range periods {
			p := &periods[n]
			if is := p.of(at); p.most > 0 && is != last[n] {
				last[n] = is
				p.most--
				kept[ids[i]] = true
			}
		}
	}
	return kept, nil
}
