package cardswitch

import (
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"cardswitch/store"
	"cardswitch/store/journal"
	"cardswitch/switch/standin"
	"cardswitch/switch/txn"
)

// Stand-in (代行) decides for an issuer that is away. Its mode is a record at each change, and what
// it approved for cards is counted beside the journal, in the batch that has the decision; both are
// there again after a restart. See package standin for the decision itself, and standin_decide.go
// for what follows from one.

// standing is what the switch keeps of an issuer's stand-in. It is guarded by Switch.mu.
type standing struct {
	mode     standin.Mode
	since    int64 // of the mode
	rate     standin.Rate
	well     int64 // since when the issuer can be reached; 0: it can't
	good     int   // good answers in a row
	probe    int64 // when the next request is let through to a failing issuer
	alarmed  int64 // when it was last said that no more cards can be counted
	counters *standin.Counters
	metrics  *standInMetrics
}

// standInProfile is what the configuration says of it, ready for use.
type standInProfile struct {
	config *StandInConfig
	rules  *standin.Rules
	agent  []byte
	bad    map[int]bool
}

func (s *Switch) standInOf(config *Config, c *CenterConfig) (*standInProfile, error) {
	if c.StandIn == nil {
		return nil, nil
	}
	rules, err := config.StandInRules(c.Name, nil)
	if err != nil {
		return nil, err
	}
	p := &standInProfile{config: c.StandIn, rules: rules, agent: []byte(c.StandIn.Agent),
		bad: make(map[int]bool)}
	if len(p.agent) == 0 {
		p.agent = s.institution
	}
	for _, code := range c.StandIn.Failing.Codes {
		p.bad[code] = true
	}
	return p, nil
}

// The keys of stand-in's tables, among those beside the journal.
//
//	sm<center 2>                   mode 4, since 8: unix nanoseconds
//	sc<center 2><hour 4><card 16>  what was approved for a card in an hour: count 4, amount 8
const familyStandIn = 's'

func standInKey(table byte, center uint16) []byte {
	return binary.BigEndian.AppendUint16([]byte{familyStandIn, table}, center)
}

func countKey(center uint16, hour uint32, card [16]byte) []byte {
	key := binary.BigEndian.AppendUint32(standInKey('c', center), hour)
	return append(key, card[:]...)
}

// loadStandIn reads the mode and the counters of a center.
func (s *Switch) loadStandIn(p *profile, to *standing) error {
	id := p.id
	if p.config.Role != RoleIssuer {
		return nil
	}
	to.counters, to.metrics = standin.NewCounters(standInCards), s.metrics.standIn(p.config.Name)
	value, ok, err := s.store.Get(standInKey('m', id))
	if err != nil {
		return err
	}
	if ok {
		if len(value) != 12 {
			return fmt.Errorf("the mode of stand-in for center %d is damaged", id)
		}
		if to.mode, ok = standin.ParseMode(value[:4]); !ok {
			return fmt.Errorf("the mode of stand-in for center %d is damaged", id)
		}
		to.since = int64(binary.BigEndian.Uint64(value[4:]))
	}
	from := standInKey('c', id)
	return s.store.Scan(from, standInKey('c', id+1), func(key, value []byte) bool {
		if len(key) == len(from)+20 && len(value) == 12 {
			to.counters.Put(standin.Card(key[len(from)+4:]), standin.Bucket{
				Hour:   binary.BigEndian.Uint32(key[len(from):]),
				Count:  binary.BigEndian.Uint32(value),
				Amount: binary.BigEndian.Uint64(value[4:])})
		}
		return true
	})
}

// count counts an approval for a card, in the batch that has its record.
func (c *center) count(b *store.Batch, now int64, card [16]byte, amount uint64) {
	bucket := c.stand.counters.Add(card, standin.HourOf(now), amount)
	value := binary.BigEndian.AppendUint32(nil, bucket.Count)
	value = binary.BigEndian.AppendUint64(value, bucket.Amount)
	b.Set(countKey(c.id, bucket.Hour, card), value)
}

// changeStandIn changes the mode of an issuer's stand-in, for a reason of 60x.
func (s *Switch) changeStandIn(now int64, c *center, why txn.Reason, text string) {
	before := c.stand.mode
	after := before.After(why)
	if after == before {
		return
	}
	c.stand.mode, c.stand.since = after, now
	s.rec = journal.Record{At: now, Kind: journal.StandIn, Dest: c.id, Reason: uint16(why),
		Text: text}
	s.pending.batch.Append(&s.rec)
	value := binary.BigEndian.AppendUint64(after.Append(nil), uint64(now))
	s.pending.batch.Set(standInKey('m', c.id), value)
	c.stand.well, c.stand.good, c.stand.probe = 0, 0, now
	c.stand.rate.Forget()
	switch {
	case after.Stands() && !before.Stands():
		s.log.Warn("stand-in decides for an issuer", "center", c.name, "why", why.String(),
			"hint", "see `cardswitch standin status`")
	case before.Stands() && !after.Stands():
		s.log.Info("the issuer decides itself again", "center", c.name, "why", why.String())
	}
	c.stand.metrics.mode(after.Stands())
}

// standsIn tells whether stand-in decides on a new request for an issuer that can be reached by
// path. It begins with the first request that finds an issuer away.
func (s *Switch) standsIn(now int64, c *center, path txn.Path, card [16]byte) bool {
	if c.standin == nil {
		return false
	}
	s.noteAway(now, c, path)
	failing := c.stand.mode.Why() == txn.StandInFailing && path == txn.Clear
	if held, _ := c.holds(card); failing && !held && now >= c.stand.probe {
		c.stand.probe = now + int64(c.standin.config.Failing.Probe)
		return false // this one shows how the issuer is
	}
	return c.stand.mode.Stands()
}

// stoodFor tells whether requests pass the center over in a route with others.
func (c *center) stoodFor() bool { return c.standin != nil && c.stand.mode.Stands() }

// noteAway begins stand-in for an issuer that is away.
func (s *Switch) noteAway(now int64, c *center, path txn.Path) {
	if c.stand.mode.Away != txn.None || s.draining.Load() {
		return
	}
	switch path {
	case txn.SignedOff:
		s.changeStandIn(now, c, txn.StandInSignedOff, "")
	case txn.Down:
		s.changeStandIn(now, c, txn.StandInDown, "")
	}
}

// judge counts how an issuer took a message of ours: stand-in begins when it fails too often.
func (s *Switch) judge(now int64, c *center, bad bool) {
	if c.standin == nil {
		return
	}
	f, st := &c.standin.config.Failing, &c.stand
	st.rate.Add(now, int64(f.Within), bad)
	if !bad {
		st.good++
		return
	}
	st.good, st.well = 0, 0
	good, failed := st.rate.Sum(now, int64(f.Within))
	if st.mode.Away == txn.None && failed >= f.Errors && failed*100 >= f.Share*(good+failed) {
		s.changeStandIn(now, c, txn.StandInFailing, fmt.Sprintf("%d of %d failed", failed,
			good+failed))
	}
}

// badEnd tells whether a request's end speaks against its issuer.
func (c *center) badEnd(d txn.Decision) bool {
	switch d.Reason {
	case txn.IssuerAnswered:
		return c.standin != nil && c.standin.bad[int(d.Action)]
	case txn.IssuerTimedOut, txn.LinkLost, txn.InvalidAnswer:
		return true
	}
	return false
}

// tendStandIn lets issuers decide again that have been well for long enough, notes who is away, and
// forgets what no limit asks for any more.
func (s *Switch) tendStandIn() {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	for _, c := range s.issuers {
		s.forgetCounts(now, c)
		if c.standin == nil {
			continue
		}
		st, path := &c.stand, c.path()
		if st.mode.Away == txn.None {
			if s.isReady() {
				s.noteAway(now, c, path)
			}
			continue
		}
		failing := st.mode.Away == txn.StandInFailing
		switch {
		case path != txn.Clear && path != txn.Full, failing && st.good < c.standin.config.Failing.Good:
			st.well = 0
		case st.well == 0:
			st.well = now
		case now-st.well >= int64(c.standin.config.Back):
			s.changeStandIn(now, c, txn.StandInBack, "")
		}
	}
	s.kick()
}

// forgetCounts drops, some at a time, what was approved before the longest limit looks back.
func (s *Switch) forgetCounts(now int64, c *center) {
	days := standin.MaxDays
	if c.standin != nil {
		days = c.standin.rules.Days()
	}
	before := now - int64(days+1)*int64(24*time.Hour)
	c.stand.counters.Forget(standin.HourOf(before), forgottenAtOnce,
		func(card standin.Card, hour uint32) {
			s.pending.batch.Delete(countKey(c.id, hour, card))
		})
}

// signal tells whether an 1804 of the issuer asks for stand-in, or for its end.
func (p *profile) signal(function int, reason uint64) txn.Reason {
	if p.standin == nil {
		return txn.None
	}
	is := func(x StandInSignal) bool {
		return x.Function == function && (x.Reason == 0 || uint64(x.Reason) == reason)
	}
	switch {
	case slices.ContainsFunc(p.standin.config.Begin, is):
		return txn.StandInAsked
	case slices.ContainsFunc(p.standin.config.End, is):
		return txn.StandInUnasked
	}
	return txn.None
}
