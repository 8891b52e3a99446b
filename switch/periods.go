package cardswitch

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"cardswitch/store"
	"cardswitch/store/journal"
	"cardswitch/store/total"
	"cardswitch/switch/settle"
	"cardswitch/switch/txn"
)

// PeriodStatus is one business day of one center.
type PeriodStatus struct {
	Center    string     `json:"center"`
	Role      string     `json:"role"`
	Day       string     `json:"day"`
	State     string     `json:"state"` // open, ended, agreed
	Slice     uint16     `json:"slice"`
	Opened    time.Time  `json:"opened"`
	Ended     *time.Time `json:"ended,omitempty"`
	Agreed    *time.Time `json:"agreed,omitempty"`
	Compared  *time.Time `json:"compared,omitempty"`
	Versions  uint16     `json:"versions"` // how often it was compared
	Out       bool       `json:"out"`      // out of balance
	OutSlices []uint16   `json:"out_slices,omitempty"`
	Waits     bool       `json:"waits"`     // something of it is still on its way
	Undecided int        `json:"undecided"` // of it, on the work list of advices
	Late      bool       `json:"late"`      // it should be agreed by now
}

// PeriodTotals is what a period comes to in one currency.
type PeriodTotals struct {
	Currency uint16               `json:"currency"`
	Net      string               `json:"net"` // DE 97
	Totals   map[string]total.Sum `json:"totals"`
	Elements map[string]string    `json:"elements"` // as they go to the center
}

// Periods are the business days of a center, or of all; the newest last.
func (s *Switch) Periods(name string) ([]PeriodStatus, error) {
	list, err := s.workList()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []PeriodStatus{}
	for _, c := range s.inOrder() {
		if c.settling == nil || c.book == nil || name != "" && c.name != name {
			continue
		}
		for i := range c.book.Periods {
			st := s.periodStatus(c, &c.book.Periods[i])
			st.Undecided = undecided(list, c, &c.book.Periods[i])
			out = append(out, st)
		}
	}
	if len(out) == 0 && name != "" {
		_, err := s.settles(name)
		return nil, err
	}
	return out, nil
}

// inOrder is the centers by name.
func (s *Switch) inOrder() []*center {
	return slices.SortedFunc(maps.Values(s.centers), func(a, b *center) int {
		return strings.Compare(a.name, b.name)
	})
}

func (s *Switch) periodStatus(c *center, p *settle.Period) PeriodStatus {
	at := func(ns int64) *time.Time {
		if ns == 0 {
			return nil
		}
		t := time.Unix(0, ns)
		return &t
	}
	st := PeriodStatus{Center: c.name, Role: c.config.Role, Day: p.Day.String(),
		State: p.State.String(), Slice: p.Slice, Opened: time.Unix(0, p.Opened), Ended: at(p.Ended),
		Agreed: at(p.Agreed), Compared: at(p.Checked), Versions: p.Versions, Out: p.Out,
		OutSlices: p.OutAt, Late: s.isLate(c, p)}
	st.Waits = p.State != settle.Agreed && s.onItsWay(c, p, 0)
	return st
}

// isLate tells of a period that ended long ago and isn't agreed.
func (s *Switch) isLate(c *center, p *settle.Period) bool {
	return p.State == settle.Ended && s.now()-p.Ended > int64(c.settling.config.Alarm)
}

// PeriodTotals are the totals of a center's day, or of one slice of it.
func (s *Switch) PeriodTotals(name string, day settle.Day, slice uint16) ([]PeriodTotals, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.settles(name)
	if err == nil {
		_, err = sinceBefore(c, day)
	}
	if err != nil {
		return nil, err
	}
	sums, out := s.store.Totals().Of(c.id, uint32(day), slice), []PeriodTotals{}
	for _, currency := range slices.Sorted(maps.Keys(sums)) {
		of := sums[currency]
		t := PeriodTotals{Currency: currency, Net: settle.Net(of.Net()),
			Totals: make(map[string]total.Sum), Elements: make(map[string]string)}
		for k := total.Debit; k < total.Kinds; k++ {
			if of[k] != (total.Sum{}) {
				t.Totals[k.String()] = of[k]
			}
		}
		var e elements
		c.settling.convention.Put(&of, &e)
		for i := range e {
			t.Elements[fmt.Sprint(e[i].number)] = string(e[i].value)
		}
		out = append(out, t)
	}
	return out, nil
}

// Reconcile offers the totals of a period, or of one slice of it, to its center now: also again,
// after they were out of balance. They leave when nothing of the period is on its way any more.
func (s *Switch) Reconcile(name string, day settle.Day, slice uint16) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.settles(name)
	if err != nil {
		return err
	}
	p := c.book.Find(day)
	switch {
	case c.config.Role != RoleIssuer:
		return fmt.Errorf("%s is a merchant center; it begins to compare, by 1500 or 1520", name)
	case p == nil:
		return fmt.Errorf("%s has no business day %v; see `cardswitch settle status`", name, day)
	case p.State == settle.Open && (slice == 0 || slice >= p.Slice) || slice > p.Slice:
		return errors.New("it is open yet; `cardswitch settle cutover` ends it")
	case s.onItsWay(c, p, slice):
		return errors.New("something of it is still on its way; see `cardswitch saf list`")
	}
	if err := s.offer(s.now(), c, p, slice); err != nil {
		return err
	}
	s.kick()
	return nil
}

// Accept seals a period that has ended although the two sides' totals were never found equal:
// people settled the rest.
func (s *Switch) Accept(name string, day settle.Day, who, why string) error {
	if who == "" || why == "" {
		return errors.New("say who decides and why")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.settles(name)
	if err != nil {
		return err
	}
	p := c.book.Find(day)
	if p == nil || p.State != settle.Ended {
		return fmt.Errorf("%v of %s has not ended, or is agreed", day, name)
	}
	if s.onItsWay(c, p, 0) {
		return errors.New("something of it is still on its way; see `cardswitch saf list`")
	}
	now := s.now()
	rec := journal.Record{At: now, Kind: journal.Resolved, Dest: c.id, Day: uint32(day),
		Reason: uint16(txn.PeriodAccepted), Text: saidBy("accepted by ", who, why)}
	s.pending.batch.Append(&rec)
	p.Agree(now)
	p.Out = false
	s.keepPeriod(c, p)
	s.kick()
	return nil
}

// AddUp adds all totals up anew from the journal. Of days of which retention has dropped records,
// nothing is said.
func (s *Switch) AddUp() (store.TotalsReport, error) {
	type day struct {
		center uint16
		day    uint32
	}
	s.mu.Lock()
	whole, first := make(map[day]bool), s.store.FirstSeq()
	for id, c := range s.centers {
		if c.book == nil {
			continue
		}
		for i := range c.book.Periods {
			p := &c.book.Periods[i]
			whole[day{id, uint32(p.Day)}] = p.Since >= first
		}
	}
	s.mu.Unlock()
	return s.store.AddUp(func(k total.Key) bool { return whole[day{k.Center, k.Day}] })
}

// Statement is who owes whom for a business day: over all issuers, or of one center. It is agreed
// when the day is agreed with each issuer in it.
func (s *Switch) Statement(day settle.Day, only string) (settle.Statement, error) {
	fees := s.tables.Load().config.Settlement.fees()
	list, err := s.workList()
	if err != nil {
		return settle.Statement{}, err
	}
	parts, err := s.partsOf(day, fees)
	if err != nil {
		return settle.Statement{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	config, registry := s.tables.Load().config, s.store.Registry()
	agreed, found := true, false
	for _, c := range s.issuers {
		if c.book == nil || only != "" && c.name != only && roleOf(&config, only) == RoleIssuer {
			continue
		}
		if p := c.book.Find(day); p != nil {
			found, agreed = true, agreed && p.State == settle.Agreed
		}
	}
	if !found {
		return settle.Statement{}, fmt.Errorf("no issuer has a business day %v; see "+
			"`cardswitch settle status`", day)
	}
	rows := s.store.Totals().List(func(k total.Key) bool {
		c := s.centers[k.Center]
		return k.Day == uint32(day) && c != nil && c.config.Role == RoleIssuer &&
			(only == "" || registry.Name(k.Center) == only || registry.Name(k.Other) == only)
	})
	out := settle.StatementOf(day, rows, parts, fees, registry.Name, config.Node)
	out.Agreed, out.Undecided = agreed, s.undecidedOf(list, day, only)
	return out, nil
}

func roleOf(c *Config, name string) string {
	for i := range c.Centers {
		if c.Centers[i].Name == name {
			return c.Centers[i].Role
		}
	}
	return ""
}

// measureDays brings a center's gauges of business days up to date.
func (s *Switch) measureDays(c *center) {
	if c.settling == nil || c.book == nil {
		return
	}
	ended, late, out := 0, 0, 0
	for i := range c.book.Periods {
		p := &c.book.Periods[i]
		if p.State == settle.Ended {
			ended++
		}
		if s.isLate(c, p) {
			late++
		}
		if p.State != settle.Agreed && (p.Out || len(p.OutAt) > 0) {
			out++
		}
	}
	for i, n := range [...]int{ended, late, out} {
		c.metrics.periods[i].Set(float64(n))
	}
}
