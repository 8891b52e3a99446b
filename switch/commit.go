package cardswitch

import (
	"errors"
	"fmt"
	"time"

	"cardswitch/store"
	"cardswitch/switch/link"
	"cardswitch/switch/security"
	"cardswitch/switch/txn"
)

// effect is something that may happen only once the decision behind it is durable.
type effect struct {
	kind effectKind
	to   *center
	link *link.Link // the connection that asked, for answers and sessions
	tag  uint64
	// where the message stands in pending.out, and the TPDU of the message that it answers
	from, end int
	prefix    link.Prefix
	next      txn.Session
	// held is the connection that counts the request as in flight until its answer is on its way,
	// so that a drain waits for it; nil where none does.
	held txn.Carrier

	pin    *security.Block // of a request, in the zone of who sent it
	asker  *center         // who sent it
	sealed bool            // it is protected already
	why    txn.Reason      // it couldn't be
}

type effectKind uint8

const (
	sendRequest effectKind = iota + 1 // to the issuer's link; must be told if it never left
	sendAnswer                        // to the connection that asked, else another of its center
	sendHere                          // to this connection or not at all
	changeSession
)

// staysHere is the tag of what belongs to its connection: unsent, it goes over no other. No request
// has it, for it names no transaction.
const staysHere = 1

// pending is what waits for the next durable write: records, and the effects they release.
type pending struct {
	batch   *store.Batch
	out     []byte
	effects []effect
}

func (p *pending) empty() bool { return len(p.effects) == 0 && p.batch.Empty() }

func (p *pending) full() bool { return p.batch.Size()+len(p.out) > pendingBytes }

// kick wakes the committer.
func (s *Switch) kick() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// commits is the committer: the only goroutine that writes the journal while the switch runs, and
// the only one that lets a message go. Whatever waits becomes one durable write.
func (s *Switch) commits() {
	spare := &pending{batch: s.store.NewBatch()}
	touched := make([]*link.Link, 0, 64)
	for number := uint64(1); ; number++ {
		select {
		case <-s.wake:
		case <-s.stopped:
			return
		}
		s.mu.Lock()
		taken := s.pending
		if taken.empty() {
			s.mu.Unlock()
			continue
		}
		s.pending = spare
		s.room.Broadcast()
		s.mu.Unlock()

		var took time.Duration
		if records := taken.batch.Len(); !taken.batch.Empty() {
			began := s.now()
			if err := s.store.Commit(taken.batch); err != nil {
				s.refused(err)
				return
			}
			took = time.Duration(s.now() - began)
			s.metrics.committed(records, took)
		}
		touched = s.release(taken, touched[:0])
		s.written(touched, number, took)
		taken.out = taken.out[:0]
		taken.effects = taken.effects[:0]
		spare = taken
	}
}

// release lets go what the commit has made durable: queue by queue, then one flush a link.
func (s *Switch) release(p *pending, touched []*link.Link) []*link.Link {
	if s.fenced.Load() {
		return touched
	}
	var lost []effect
	for i := range p.effects {
		e := &p.effects[i]
		if e.kind == changeSession {
			e.link.SetSignedOn(e.next == txn.SignOn)
			s.hurry()
			continue
		}
		if !e.sealed {
			switch shield := e.to.shield.Load(); {
			case shield == nil && e.pin != nil: // a reload has taken it away
				s.unprotected(e, txn.PINNotTaken, nil)
			case shield != nil && s.protect(p, e, shield):
				continue // beside the doors; it leaves from there
			}
		}
		l := e.queue(p.out[e.from:e.end])
		if l == nil {
			lost = append(lost, *e)
			continue
		}
		touched = touch(touched, l)
	}
	for _, l := range touched {
		l.Flush()
	}
	if len(lost) > 0 {
		s.neverLeft(p, lost)
	}
	return touched
}

// queue gives a message to its link, or an answer to another one of its center. It returns the
// link that took it; nil if none did.
func (e *effect) queue(frame []byte) *link.Link {
	l, tag := e.link, e.tag
	if e.kind == sendHere {
		tag = staysHere
	}
	ok := e.why == txn.None && l.Queue(tag, frame, e.prefix)
	if !ok && e.why == txn.None && e.kind == sendAnswer { // any other connection will do
		l = l.Center().Best()
		ok = l != nil && l.Queue(tag, frame, e.prefix)
	}
	if e.held != nil {
		e.held.Release()
	}
	if !ok {
		return nil
	}
	return l
}

// touch adds a link to those that need a flush. Runs of effects go to few links, so a look at the
// last ones is enough; a second flush of a link costs little.
func touch(touched []*link.Link, l *link.Link) []*link.Link {
	for i := len(touched) - 1; i >= max(0, len(touched)-8); i-- {
		if touched[i] == l {
			return touched
		}
	}
	return append(touched, l)
}

// neverLeft takes back requests that no link would carry, or that could not be protected: nothing
// went out, so there is nothing to
// reverse. An answer that no link would carry stays as the kept answer for the merchant's repeat.
func (s *Switch) neverLeft(p *pending, lost []effect) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	for i := range lost {
		if lost[i].kind == sendRequest {
			s.takeBack(now, lost[i].to, lost[i].tag, p.out[lost[i].from:lost[i].end], lost[i].why)
			continue
		}
		s.metrics.undeliver.Inc()
	}
	s.kick()
}

// refused ends the switch whose batch was not committed: its disk failed or is full, or another
// node leads.
func (s *Switch) refused(err error) {
	if s.deps.Store != nil && s.store.Health().Failure == nil && !errors.Is(err, store.ErrDiskFull) {
		s.endWith(fmt.Errorf("%w: %w", ErrNotActive, err))
		s.network.Fence()
		return
	}
	s.fail(err)
}

// fail takes the node out of service: nothing is answered that isn't durable. It doesn't hang and
// it doesn't go on.
func (s *Switch) fail(err error) {
	if s.endWith(fmt.Errorf("out of service: %w", err)) {
		s.log.Error("out of service: the journal cannot be written", "error", err,
			"hint", "see the disk, then start again; open transactions are reversed at start")
	}
}

// endWith ends the switch with an error; false if it ends already.
func (s *Switch) endWith(why error) (first bool) {
	s.failOnce.Do(func() {
		s.fenced.Store(true)
		s.failure = why
		first = true
		close(s.failed)
	})
	s.mu.Lock()
	s.room.Broadcast()
	s.mu.Unlock()
	return first
}
