// Package settle decides in which business day a transaction counts, and what the days come to.
//
// A Book holds the days of one center: the open one, those that have ended and still take what
// names them, and those that both sides agreed on, which take nothing more. Everything here is a
// value or a pure function; the switch guards the books, tells them the time, and writes every
// change with its journal record.
package settle

import (
	"errors"
	"fmt"
	"time"
)

// Day is a business day, as element 28 has it: YYMMDD. The zero Day is none. Days compare as
// numbers within a century.
type Day uint32

// Of is the day of a date.
func Of(t time.Time) Day {
	y, m, d := t.Date()
	return Day(y%100*10000 + int(m)*100 + d)
}

// Date is its midnight in a zone, of this century.
func (d Day) Date(zone *time.Location) time.Time {
	return time.Date(2000+int(d/10000), time.Month(d/100%100), int(d%100), 0, 0, 0, 0, zone)
}

// Valid tells whether there is such a date.
func (d Day) Valid() bool { return d != 0 && Of(d.Date(time.UTC)) == d }

// String is YYMMDD.
func (d Day) String() string { return fmt.Sprintf("%06d", uint32(d)) }

// ParseDay reads YYMMDD, or the date as 2026-11-26.
func ParseDay(text string) (Day, error) {
	for _, layout := range []string{"060102", time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil && t.Year() >= 2000 && t.Year() < 2100 {
			return Of(t), nil
		}
	}
	return 0, errors.New("not a day (hint: write it as 261126 or 2026-11-26)")
}

// Calendar says when business days end and which dates are one. The zero Calendar has a day for
// every date, in UTC, from midnight to midnight.
type Calendar struct {
	Zone     *time.Location
	Cutover  time.Duration // after midnight: from then on it is the next day; 0: at its end
	Weekdays bool          // Saturday and Sunday are no business days
	Closed   map[Day]bool  // nor are these
}

func (c *Calendar) zone() *time.Location {
	if c.Zone == nil {
		return time.UTC
	}
	return c.Zone
}

// business tells whether a date is a business day.
func (c *Calendar) business(t time.Time) bool {
	if w := t.Weekday(); c.Weekdays && (w == time.Saturday || w == time.Sunday) {
		return false
	}
	return !c.Closed[Of(t)]
}

// from is the first business day on a date or after it. A calendar closed for a year is no calendar
// and gives the date itself.
func (c *Calendar) from(t time.Time) Day {
	for n := range 366 {
		if d := t.AddDate(0, 0, n); c.business(d) {
			return Of(d)
		}
	}
	return Of(t)
}

// At is the business day of a moment.
func (c *Calendar) At(t time.Time) Day {
	local := t.In(c.zone())
	y, m, d := local.Date()
	date := time.Date(y, m, d, 0, 0, 0, 0, time.UTC) // to count in, as zones have days of 23 hours
	if c.Cutover != 0 && !local.Before(c.moment(date)) {
		date = date.AddDate(0, 0, 1)
	}
	return c.from(date)
}

// moment is when the cutover of a date is.
func (c *Calendar) moment(date time.Time) time.Time {
	y, m, d := date.Date()
	if c.Cutover == 0 {
		return time.Date(y, m, d+1, 0, 0, 0, 0, c.zone())
	}
	return time.Date(y, m, d, int(c.Cutover/time.Hour), int(c.Cutover/time.Minute%60), 0, 0, c.zone())
}

// End is when a day ends.
func (c *Calendar) End(d Day) time.Time { return c.moment(d.Date(time.UTC)) }

// Next is the business day after one.
func (c *Calendar) Next(d Day) Day { return c.from(d.Date(time.UTC).AddDate(0, 0, 1)) }

// unlisted is how many days a calendar may lack that are holidays all the same.
const unlisted = 3

// Latest is the last day that may follow the business day of a moment: the next business day, or
// one soon after, as a holiday that nobody has listed must not have sales refused until it is over.
func (c *Calendar) Latest(t time.Time) Day {
	return Of(c.Next(c.At(t)).Date(time.UTC).AddDate(0, 0, unlisted))
}
