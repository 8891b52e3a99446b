package cardswitch

import (
	"bytes"

	"cardswitch/spec"
	"cardswitch/store/journal"
	"cardswitch/switch/link"
	"cardswitch/switch/security"
	"cardswitch/switch/txn"
)

// What a reversal asks isn't in the fingerprint of its question: that is made of the card, the
// amount and the processing code, which two reversals may share. It is in DE 56 and, of a part, in
// the amounts; a repeat is compared in these with the kept request when its kept answer is read.

// reuses tells whether a message that bears the trace number of a kept request asks something else
// than that: it names another original, wants another thing of it, or another part.
func (s *Switch) reuses(r *recall, kept *Images) bool {
	seat, ok := s.tables.Load().seats[r.center.id]
	first := kept.find(journal.Request)
	if !ok || first == nil || first.Err != nil {
		return false // nobody can tell
	}
	if f := seat.profile.dialect.Index(&r.in.Message, r.in.Frame); !f.OK() {
		return false
	}
	now, before := wants(&r.in.Message), wants(&first.Message)
	if now.sequel != before.sequel || now.named && before.named && now.original != before.original {
		return true
	}
	return now.sequel == txn.ReversesPart &&
		(now.amount != before.amount || !sameElement(now.msg, before.msg, 30))
}

// wants reads what a message wants of which original.
func wants(m *spec.Message) *arrival {
	a := &arrival{msg: m, mti: m.MTI()}
	a.identify()
	a.sequel = txn.SequelOf(a.mti, a.function, a.processing)
	a.readOriginal()
	a.original.MTI = a.original.MTI.Original()
	return a
}

func sameElement(a, b *spec.Message, n int) bool {
	return bytes.Equal(a.Append(nil, n), b.Append(nil, n))
}

// enterAgain sends a message through the door again, with what was found out about it.
func (s *Switch) enterAgain(r *recall, lent bool) {
	arrived := s.arrivals.Get().(*arrivals)
	defer s.arrivals.Put(arrived)
	if s.read(r.link, []link.Inbound{r.in}, []security.Finding{r.found}, arrived) == nil {
		return
	}
	a := &arrived.list[0]
	a.recalled, a.reused, a.raised = true, r.reused, r.raised
	if r.reference != "" && r.named != (journal.Key{}) {
		a.refer(r.named)
	}
	a.token.use, a.bought = r.use, r.use != nil || lent
	s.mu.Lock()
	defer s.mu.Unlock()
	s.request(s.now(), r.link, r.center, a)
	s.passed(arrived.list)
	s.kick()
}
