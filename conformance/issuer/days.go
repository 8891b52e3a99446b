package issuer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"cardswitch/conformance/format"
	"cardswitch/conformance/ledger"
)

// Whose the business days are: who names them in DE 28, and cuts over.
const (
	Ours   = "ours"   // we name the day in each answer, and tell the switch of each new one
	Theirs = "theirs" // we follow the switch
)

// Days say how a center keeps its business days and compares them.
type Days struct {
	Giver      string `yaml:"giver"`      // ours or theirs
	Start      string `yaml:"start"`      // the first, YYMMDD; default today's date
	Cutover    string `yaml:"cutover"`    // hh:mm at which ours ends each day; "": by command only
	Zone       string `yaml:"zone"`       // of the cutover, default Asia/Tokyo
	Convention string `yaml:"convention"` // where reversals count: by_effect (default), by_original
	Currency   string `yaml:"currency"`   // DE 50, default 392
	Sealed     string `yaml:"sealed"`     // what names an agreed day: move (default), or refuse (915)

	zone *time.Location
	at   time.Duration // of the cutover, after midnight
}

const dayLayout = "060102"

func (d *Days) complete() (err error) {
	if d == nil {
		return nil
	}
	for _, v := range []struct {
		value   *string
		first   string
		allowed []string
	}{
		{&d.Giver, Ours, []string{Ours, Theirs}},
		{&d.Convention, ledger.ByEffect, []string{ledger.ByEffect, ledger.ByOriginal}},
		{&d.Sealed, "move", []string{"move", "refuse"}},
	} {
		*v.value = cmp.Or(*v.value, v.first)
		if !slices.Contains(v.allowed, *v.value) {
			return fmt.Errorf("days: %q; choose one of %v", *v.value, v.allowed)
		}
	}
	d.Currency = cmp.Or(d.Currency, "392")
	if d.zone, err = time.LoadLocation(cmp.Or(d.Zone, "Asia/Tokyo")); err != nil {
		return fmt.Errorf("days: %w", err)
	}
	if d.Start == "" {
		d.Start = time.Now().In(d.zone).Format(dayLayout)
	}
	if _, err := time.Parse(dayLayout, d.Start); err != nil {
		return fmt.Errorf("days: start %q; write YYMMDD", d.Start)
	}
	if d.Cutover == "" {
		return nil
	}
	at, err := time.Parse("15:04", d.Cutover)
	if err != nil || d.Giver != Ours {
		return fmt.Errorf("days: cutover %q; write hh:mm, and only where the days are ours", d.Cutover)
	}
	d.at = time.Duration(at.Hour())*time.Hour + time.Duration(at.Minute())*time.Minute
	return nil
}

// next is when the cutover after a moment is.
func (d *Days) next(now time.Time) time.Time {
	local := now.In(d.zone)
	for n := 0; ; n++ {
		day := time.Date(local.Year(), local.Month(), local.Day()+n, int(d.at/time.Hour),
			int(d.at/time.Minute%60), 0, 0, d.zone)
		if day.After(now) {
			return day
		}
	}
}

// calendar is which day it is, and which there were.
type calendar struct {
	mu     sync.Mutex
	open   string
	slices map[string]int  // of each day the slice begun last
	agreed map[string]bool // both sides have the same figures
}

func newCalendar(start string) *calendar {
	return &calendar{open: start, slices: map[string]int{start: 1}, agreed: map[string]bool{}}
}

// assign gives the day in which something counts that names one. What names none, or one that is
// agreed, counts today.
func (c *calendar) assign(named string) (day string, slice int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if named == "" || c.agreed[named] {
		named = c.open
	}
	if c.slices[named] == 0 { // the news of the cutover comes behind it
		c.slices[named] = 1
	}
	return named, c.slices[named]
}

// begin opens a day; one that is open already, or over, stays as it is.
func (c *calendar) begin(day string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if day > c.open {
		c.open = day
		c.slices[day] = max(c.slices[day], 1)
	}
}

func (c *calendar) today() (day string, slice int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open, c.slices[c.open]
}

// standing tells whether a day is known, whether it is still open, whether it is agreed.
func (c *calendar) standing(day string) (known, open, agreed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.slices[day] > 0, day >= c.open, c.agreed[day]
}

func (c *calendar) agree(day string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.agreed[day] = true
}

func (c *calendar) checkpoint(slice int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.slices[c.open] = slice
}

// Today is the open business day and its slice.
func (i *Issuer) Today() (day string, slice int) {
	if i.calendar == nil {
		return "", 0
	}
	return i.calendar.today()
}

var errNoDays = errors.New("the center keeps no business days (option days)")

// Cutover ends the day and opens another, the next date if it isn't named, and tells the switch.
// What was asked before keeps the day that its answer named.
func (i *Issuer) Cutover(ctx context.Context, day string) (string, error) {
	if i.calendar == nil || i.options.Days.Giver != Ours {
		return "", errNoDays
	}
	open, _ := i.calendar.today()
	if day == "" {
		date, err := time.Parse(dayLayout, open)
		if err != nil {
			return "", err
		}
		day = date.AddDate(0, 0, 1).Format(dayLayout)
	}
	if _, err := time.Parse(dayLayout, day); err != nil || day <= open {
		return "", fmt.Errorf("%q is no day after %s; write YYMMDD", day, open)
	}
	i.calendar.begin(day)
	return day, i.accepted(i.insist(ctx, format.New("1804").Set(24, "821").Set(28, day)))
}

// Checkpoint ends the slice of the open day and begins the next.
func (i *Issuer) Checkpoint(ctx context.Context) (int, error) {
	if i.calendar == nil || i.options.Days.Giver != Ours {
		return 0, errNoDays
	}
	day, slice := i.calendar.today()
	i.calendar.checkpoint(slice + 1)
	return slice + 1, i.accepted(i.insist(ctx, format.New("1804").Set(24, "822").Set(28, day).
		Set(29, fmt.Sprintf("%03d", slice+1))))
}

func (i *Issuer) accepted(a *format.Message, err error) error {
	if err == nil && a.Get(39) != "800" {
		err = fmt.Errorf("answered %s", a.Get(39))
	}
	return err
}

// cutOver cuts over at the time of each day.
func (i *Issuer) cutOver(ctx context.Context) {
	for pause(ctx, time.Until(i.options.Days.next(time.Now()))) {
		if day, err := i.Cutover(ctx, ""); err != nil {
			i.options.Logger.Warn("the switch doesn't take the cutover", "issuer", i.options.Name,
				"day", day, "error", err)
		}
	}
}

// dayCame takes a cutover or checkpoint of the switch. Where the days are ours, there are none.
func (i *Issuer) dayCame(m *format.Message) (action string) {
	day := m.Get(28)
	if i.calendar == nil || i.options.Days.Giver == Ours {
		return "915"
	}
	if open, _ := i.calendar.today(); day < open || len(day) != len(dayLayout) {
		return "915"
	}
	i.calendar.begin(day)
	if m.Get(24) == "822" {
		i.calendar.checkpoint(int(m.Number(29)))
	}
	return "800"
}

// dated puts the day into an answer, if we name it or the message named another.
func (i *Issuer) dated(a *format.Message, p *ledger.Posting) {
	if p.Day == "" || i.options.Days.Giver != Ours && a.Get(28) == "" {
		return
	}
	a.Set(28, p.Day)
	if p.Slice > 1 || a.Has(29) {
		a.Set(29, fmt.Sprintf("%03d", p.Slice))
	}
}

func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
