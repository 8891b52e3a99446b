package week

import (
	"context"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// untilEvening sleeps until ten minutes before the cutover, 23:30 in Tokyo.
func untilEvening() {
	now := time.Now().UTC()
	evening := time.Date(now.Year(), now.Month(), now.Day(), 14, 20, 0, 0, time.UTC)
	if !evening.After(now) {
		evening = evening.AddDate(0, 0, 1)
	}
	time.Sleep(time.Until(evening))
}

func TestWeek(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t)
		defer c.close()
		for day := range 7 {
			untilEvening()
			c.evening(func(ctx context.Context) {})
			if r := c.count(); !r.OK() {
				r.Write(os.Stderr)
				t.Fatalf("day %d: the books disagree", day+1)
			}
			for name, i := range c.issuers {
				today, _ := i.Today()
				t.Log(name, today)
			}
			c.night()
		}
	})
}
