package cardswitch

import (
	"fmt"
	"time"

	"cardswitch/store/journal"
	"cardswitch/switch/link"
	"cardswitch/switch/service/network"
	"cardswitch/switch/settle"
	"cardswitch/switch/txn"
)

// Business days. Each center that reconciles has a book of them. A day ends by the clock, by an
// 1804/821 of the center, by the first message of a giver that names the next one, or by command;
// nothing stops for it, as each message says in which day it counts. Every change is a record, and
// the period's row changes in its batch.

// openBooks reads the books of the centers that reconcile, and begins those of new ones.
func (s *Switch) openBooks() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.inOrder() {
		if c.settling == nil || c.book != nil {
			continue
		}
		book, err := s.readBook(c.id)
		if err != nil {
			return fmt.Errorf("read the business days of %s: %w", c.name, err)
		}
		c.book = book
		if now := s.now(); book.Current() == nil {
			s.cutOver(now, c, c.settling.calendar.At(time.Unix(0, now)), "first day")
		}
	}
	return nil
}

func (s *Switch) readBook(center uint16) (*settle.Book, error) {
	book := new(settle.Book)
	from, to := settle.PeriodsOf(center)
	var damaged error
	err := s.store.Scan(from, to, func(_, value []byte) bool {
		var p settle.Period
		p, damaged = settle.ParsePeriod(value)
		book.Periods = append(book.Periods, p)
		return damaged == nil
	})
	if err == nil {
		err = damaged
	}
	return book, err
}

// keepPeriod writes a period into the batch.
func (s *Switch) keepPeriod(c *center, p *settle.Period) {
	s.pending.batch.Set(settle.PeriodKey(c.id, p.Day), p.Append(nil))
}

// cutOver ends a center's open day and begins another. It uses no scratch: a message may be in the
// middle of being recorded.
func (s *Switch) cutOver(now int64, c *center, day settle.Day, why string) {
	before := c.book.Current()
	rec := journal.Record{At: now, Kind: journal.CutOver, Dest: c.id, Day: uint32(day), Slice: 1,
		Reason: uint16(txn.DayEnded), Text: why}
	c.book.CutOver(day, now, s.pending.batch.Append(&rec))
	if before != nil {
		s.keepPeriod(c, c.book.Find(before.Day))
	}
	s.keepPeriod(c, c.book.Current())
	s.forgetDays(now, c)
	s.log.Info("a business day began", "center", c.name, "day", day.String(), "why", why)
}

// forgetDays drops the days that are agreed and as old as the journal is kept.
func (s *Switch) forgetDays(now int64, c *center) {
	kept := int64(s.tables.Load().config.Data.RetentionDays) * int64(24*time.Hour)
	for len(c.book.Periods) > 1 {
		p := &c.book.Periods[0]
		if p.State != settle.Agreed || now-p.Ended < kept {
			return
		}
		s.pending.batch.ForgetTotals(c.id, uint32(p.Day))
		s.pending.batch.Delete(settle.PeriodKey(c.id, p.Day))
		delete(c.compare, p.Day)
		c.book.Periods = c.book.Periods[1:]
	}
}

// checkpoint begins the next slice of a center's open day.
func (s *Switch) checkpoint(now int64, c *center, why string) {
	p := c.book.Current()
	rec := journal.Record{At: now, Kind: journal.CutOver, Dest: c.id, Day: uint32(p.Day),
		Slice: p.Slice + 1, Reason: uint16(txn.SliceEnded), Text: why}
	s.pending.batch.Append(&rec)
	c.book.Checkpoint(p.Slice+1, now)
	s.keepPeriod(c, p)
}

// days is what the clock does with business days.
func (s *Switch) days() {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	for _, c := range s.inOrder() {
		if c.settling != nil && c.book != nil && !s.draining.Load() {
			s.tendDays(now, c)
		}
	}
	if !s.pending.empty() {
		s.kick()
	}
}

func (s *Switch) tendDays(now int64, c *center) {
	terms := c.settling.config
	if c.settling.byTime {
		day := c.settling.calendar.At(time.Unix(0, now))
		if day > c.book.Current().Day {
			s.cutOver(now, c, day, "by the clock")
		}
	}
	p := c.book.Current()
	if terms.Checkpoint != 0 && now-p.SliceAt >= int64(terms.Checkpoint) && p.Slice < mostSlices {
		s.checkpoint(now, c, "by the clock")
	}
	if terms.Announce {
		s.tellDay(now, c)
	}
	if terms.Starts == StartsUs {
		s.compareDue(now, c)
	}
}

// mostSlices is how many slices DE 29 (n3) can name.
const mostSlices = 999

// askedCutOver takes an 1804/821 or 822 of a center. The day that is open already may be told
// again.
func (s *Switch) askedCutOver(now int64, l *link.Link, c *center, a *arrival) {
	d := txn.Decision{Act: txn.Acknowledge, Reason: txn.DayEnded, Action: txn.DayEnded.Action()}
	day, err := settle.Day(a.day), error(nil)
	switch {
	case c.settling == nil || c.book == nil:
		s.refuse(now, l, c, a, txn.Unsupported)
		return
	case a.function == network.Checkpoint:
		d.Reason = txn.SliceEnded
		if p := c.book.Current(); p.Day == day && p.Slice == a.slice {
			break
		}
		if err = c.book.MayCheck(day, a.slice); err == nil {
			s.checkpoint(now, c, "1804/822 of the center")
		}
	case day == c.book.Current().Day:
	default:
		if err = c.book.MayOpen(day); err == nil {
			s.cutOver(now, c, day, "1804/821 of the center")
		}
	}
	if err != nil {
		s.log.Warn("a cutover is refused", "center", c.name, "error", err.Error(),
			"hint", "compare the days of both sides: `cardswitch settle status`")
		s.refuse(now, l, c, a, txn.DayRefused)
		return
	}
	p := c.book.Current()
	p.Told = p.Slice
	s.keepPeriod(c, p)
	s.settle(now, l, c, a, d)
}

// CutOver ends the open day of a center by command; day 0 is the next business day. It tells the
// day that is open now.
func (s *Switch) CutOver(name string, day settle.Day, who string) (settle.Day, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.settles(name)
	if err != nil {
		return 0, err
	}
	if day == 0 {
		day = c.settling.calendar.Next(c.book.Current().Day)
	}
	if err := c.book.MayOpen(day); err != nil {
		return 0, err
	}
	s.cutOver(s.now(), c, day, "by "+who)
	s.kick()
	return day, nil
}

// Checkpoint begins the next slice of a center's open day by command.
func (s *Switch) Checkpoint(name, who string) (slice uint16, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.settles(name)
	if err != nil {
		return 0, err
	}
	p := c.book.Current()
	if err := c.book.MayCheck(p.Day, p.Slice+1); err != nil {
		return 0, err
	}
	s.checkpoint(s.now(), c, "by "+who)
	s.kick()
	return p.Slice, nil
}

// settles gives a center that reconciles, by name.
func (s *Switch) settles(name string) (*center, error) {
	for _, c := range s.centers {
		if c.name != name {
			continue
		}
		if c.settling == nil || c.book == nil {
			return nil, fmt.Errorf("no business days are agreed with %s; configure its reconciliation",
				name)
		}
		return c, nil
	}
	return nil, fmt.Errorf("no center is named %q; see `cardswitch link list`", name)
}

// ToCutOver is how far the nearest end of a business day is that comes by the clock, before now or
// after; false: none does.
func (s *Switch) ToCutOver() (near time.Duration, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Unix(0, s.now())
	for _, c := range s.centers {
		if c.settling == nil || !c.settling.byTime {
			continue
		}
		days := &c.settling.calendar
		for _, of := range [...]time.Time{now, now.Add(-24 * time.Hour)} {
			if far := days.End(days.At(of)).Sub(now).Abs(); !ok || far < near {
				near, ok = far, true
			}
		}
	}
	return near, ok
}
