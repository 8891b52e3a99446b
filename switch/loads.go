package cardswitch

import (
	"errors"
	"fmt"
	"strconv"

	"cardswitch/store/negative"
	"cardswitch/store/vault"
	"cardswitch/switch/link"
	"cardswitch/switch/security"
	"cardswitch/switch/txn"
)

// loadClosed is an 1804 with message reason code 8002 whose file is being made.
type loadClosed struct {
	link   *link.Link
	center *center
	in     link.Inbound
	list   *negativeProfile
}

// closeLoad lets the file of a load be made, beside the doors. Its answer comes when the file is in
// its place and its record durable. mu is held.
func (s *Switch) closeLoad(l *link.Link, c *center, a *arrival, n *negativeProfile) {
	n.list.CloseLoad()
	o := &loadClosed{link: l, center: c, list: n}
	o.in.Frame = append([]byte(nil), a.in.Frame...)
	o.in.Prefix = a.in.Prefix
	s.joined.Go(func() { s.makeLoaded(o) })
}

func (s *Switch) makeLoaded(o *loadClosed) {
	s.importing.Lock()
	defer s.importing.Unlock()
	file, m, err := s.buildLoaded(o.list)
	arrived := s.arrivals.Get().(*arrivals)
	defer s.arrivals.Put(arrived)
	t := s.tables.Load()
	if seat, ok := t.seats[o.center.id]; ok {
		o.in.Fault = seat.profile.dialect.Index(&o.in.Message, o.in.Frame)
	}
	known := s.read(o.link, []link.Inbound{o.in}, make([]security.Finding, 1), arrived) != nil
	s.mu.Lock()
	defer s.mu.Unlock()
	why := txn.LoadEnded
	if err != nil {
		s.log.Error("the file of a load can't be made", "center", o.center.name, "error", err,
			"hint", "look at the disk; the issuer's next 1804 with 8002 tries again")
		why = txn.FileNotDone
		o.list.list.ReopenLoad()
	}
	var id uint64
	if known {
		id = s.settle(s.now(), o.link, o.center, &arrived.list[0],
			txn.Decision{Act: txn.Acknowledge, Reason: why, Action: why.Action()})
	}
	if err == nil {
		s.enterFile(o.list, m, file, o.center.id, id)
		o.list.list.EndLoad(s.pending.batch, s.now())
	}
	s.kick()
}

// buildLoaded makes the regular file of what a load has brought.
func (s *Switch) buildLoaded(n *negativeProfile) (*negative.File, negative.Meta, error) {
	var m negative.Meta
	if err := (books{s.store, s}).Change(func(vault.Batch) {}); err != nil { // all before is durable
		return nil, m, err
	}
	s.mu.Lock()
	load := n.list.Load()
	old, _ := n.list.Current(s.now())
	generation := n.list.NextGeneration()
	s.mu.Unlock()
	last, b := uint64(0), s.lists.Builder(n.issuer, generation)
	err := s.lists.Staged(n.issuer, load, func(number uint64, e negative.Entry) error {
		last = number
		return b.Add(&e)
	})
	if err == nil && (b.Count() != load.Number || last != load.Number) {
		err = fmt.Errorf("%d entries of %d are there", b.Count(), load.Number)
	}
	if err != nil {
		return nil, m, errors.Join(err, b.Drop())
	}
	file, m, err := b.Finish(old)
	m.Source = load.Name + ", " + strconv.FormatUint(load.Number, 10) + " messages"
	m.Lines = load.Number
	m.Effective = s.now()
	return file, m, err
}

// litterAtOnce is how many entries of old loads are deleted in one batch.
const litterAtOnce = 4096

// sweepLoads deletes what loads have left.
func (s *Switch) sweepLoads(n *negativeProfile) {
	s.mu.Lock()
	before, some := n.list.Litter()
	s.mu.Unlock()
	if !some {
		return
	}
	keys, err := s.lists.Litter(n.issuer, before, litterAtOnce)
	if err != nil {
		s.log.Error("what a load has left can't be read", "error", err)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range keys {
		s.pending.batch.Delete(key)
	}
	if len(keys) < litterAtOnce {
		n.list.Swept(before)
	}
}
