package cardswitch

import (
	"context"

	"cardswitch/routing"
	"cardswitch/spec"
	"cardswitch/store/journal"
	"cardswitch/switch/link"
	"cardswitch/switch/security"
	"cardswitch/switch/txn"
)

// arrival is one message that came, with everything that can be known of it without the tables.
type arrival struct {
	in      *link.Inbound
	msg     *spec.Message
	mti     spec.MTI
	answer  bool
	service *service
	refused txn.Reason // found wrong before any table was asked
	fault   spec.Fault
	found   security.Finding // what its inspection found; see beside.go

	stan        uint32
	localTime   uint64
	acquirer    uint64
	acquirerLen uint8
	function    int
	amount      uint64
	processing  uint32
	currency    uint16
	day         uint32 // DE 28
	slice       uint16 // DE 29
	pan         spec.PAN
	card        [16]byte
	key         journal.Key
	fingerprint uint32
	route       routing.Route
	routed      bool
	listed      listing // what its issuer's negative list says of the card
	original    spec.Original
	named       bool // DE 56 names an original
	sequel      txn.Sequel
	raised      journal.Key // of the authorization that its original, a supplement, adds to
	recalled    bool        // the index has been asked
	reused      bool        // the kept request of its trace number asks something else
	leftAlone   txn.Reason  // why stand-in didn't decide on it; None: it wasn't asked
	terminal    *terminal
	bought      bool // a token in it was replaced by its card number
	token       carried

	safe [2]int // where its image as it may be kept stands in arrivals.safe
	cut  [2]int // and what was cut out of that, in arrivals.cuts
	all  *arrivals
}

// arrivals is a batch of them, reused.
type arrivals struct {
	list []arrival
	safe []byte
	cuts []byte
}

// needsOriginal tells whether DE 56 decides what happens to the message.
func (a *arrival) needsOriginal() bool {
	return a.named && (a.sequel != txn.NoSequel || a.mti.Function() == 2)
}

// byReference tells whether the original has to be looked for by DE 37, with the card as a safety
// net (reference iso8583-1993 section 5.1). A return's own number is usually new, so it is only
// taken for its sale's where each must have one.
func (a *arrival) byReference(p *center) bool {
	if a.named || a.recalled || a.card == ([16]byte{}) || !a.msg.Has(37) {
		return false
	}
	return a.sequel == txn.Completes ||
		a.sequel == txn.Returns && p.adjustments.Returns == txn.ReturnsLinked
}

// refer names the original as DE 56 would.
func (a *arrival) refer(k journal.Key) {
	a.original = spec.Original{MTI: k.MTI(), STAN: k.STAN(), LocalTime: k.LocalTime(),
		Acquirer: k.Acquirer(), AcquirerLen: k.AcquirerLen()}
	a.named = true
}

// question is what is remembered of it, under the number of its first record.
func (a *arrival) question(number uint64) txn.Question {
	return txn.Question{Txn: number, Fingerprint: a.fingerprint, Card: cardMark(a.card),
		Currency: a.currency, Type: typeOf(a.processing), Amount: a.amount, MTI: a.mti.Original()}
}

// typeOf is what is done, by a processing code: its first two digits.
func typeOf(processing uint32) uint8 { return uint8(processing / 10_000) }

// fingerprint is that of a question. The amount of a reversal is no part of it: the record has how
// much it took back. What else it asks is compared later; see reused.go.
func fingerprint(m spec.MTI, card [16]byte, amount uint64, processing uint32) uint32 {
	if m.Class() == 4 {
		amount = 0
	}
	return txn.Fingerprint(card, amount, processing)
}

// denies tells whether it is an advice of what was denied.
func (a *arrival) denies() bool {
	action := a.msg.ActionCode()
	return a.mti.Function() == 2 && a.mti.Class() < 4 && action >= 0 && !txn.Approves(action)
}

func (a *arrival) image() []byte { return a.all.safe[a.safe[0]:a.safe[1]] }

func (a *arrival) cuts() []byte { return a.all.cuts[a.cut[0]:a.cut[1]] }

// trusted tells whether the message is taken for one of its center.
func (a *arrival) trusted() bool { return a.found.Reason == txn.None }

// read inspects, checks and prepares a batch; nil when the center is no longer configured. What
// was found of the messages already is given, else nil.
func (s *Switch) read(l *link.Link, in []link.Inbound, given []security.Finding,
	to *arrivals) *center {
	t := s.tables.Load()
	seat, ok := t.seats[l.Center().ID()]
	if !ok {
		return nil
	}
	to.safe, to.cuts = to.safe[:0], to.cuts[:0]
	if cap(to.list) < len(in) {
		to.list = make([]arrival, len(in), 2*len(in))
	}
	to.list = to.list[:len(in)]
	at := s.now() / 1e9
	for i := range in {
		a := &to.list[i]
		*a = arrival{in: &in[i], msg: &in[i].Message, all: to}
		if given != nil {
			a.found = given[i]
		} else if p := seat.profile.security; p != nil {
			a.found = s.inspect(context.Background(), l, seat.center, p, &in[i])
		}
		s.redeem(seat.profile, a)
		s.prepare(t, seat.profile, l, a, at)
		s.tokenize(seat.profile, a)
		s.holdTerminal(seat.profile, a)
	}
	return seat.center
}

// prepare fills in one arrival. The order of the checks is the order of the answers: who asks,
// whether it may ask this, whether the message is complete, where it goes.
func (s *Switch) prepare(t *tables, p *profile, l *link.Link, a *arrival, at int64) {
	m := a.msg
	a.mti = m.MTI()
	a.answer = a.mti.IsResponse()
	a.fault = a.in.Fault
	a.identify()
	if !a.trusted() {
		a.refused, a.fault = a.found.Reason, a.found.Fault
		a.keepImage()
		return // whose question it is, nobody knows
	}
	if a.answer {
		a.prepareAnswer()
		return
	}
	a.service = s.serviceOf(a.mti)
	a.refused = a.screen(p, l, s.diskLow.Load())
	a.keepImage()
	if !a.fault.OK() || a.service == nil || a.mti.Class() == 8 {
		return // no question that could be asked again: a sign-on or echo is new each time
	}
	a.pan = m.PAN()
	if !a.pan.IsZero() {
		a.card = s.store.HashPAN(a.pan)
	}
	a.fingerprint = a.fingerprintOf()
	a.sequel = txn.SequelOf(a.mti, a.function, a.processing)
	a.key = journal.KeyOf(p.id, a.mti, a.localTime, a.stan, a.acquirer, a.acquirerLen)
	if a.refused == txn.TokenUnknown && a.mti.Class() == 4 && m.Has(56) {
		a.readOriginal() // its card is that of the original
	}
	if a.refused != txn.None {
		return
	}
	if a.mti.Class() == 5 {
		return // it goes nowhere
	}
	if m.Has(56) {
		a.readOriginal()
	}
	q := t.routes.Query(m, at)
	q.Merchant = p.place
	a.route, a.routed = t.routes.Choose(&q)
	if a.routed && int(a.route.To[0]) >= len(t.destinations) {
		a.route, a.routed = routing.Route{}, false // an issuer of another shard, which decides on it
	}
	t.look(a, at)
}

// keepImage makes the image of a message that could be read. What is about no card of its own, or
// wasn't understood, has no answer that is ever asked for again: of that no card is kept at all.
func (a *arrival) keepImage() {
	all := a.all
	a.safe[0], a.cut[0] = len(all.safe), len(all.cuts)
	switch {
	case !a.in.Fault.OK():
	case a.refused == txn.Malformed || !a.trusted() || a.mti.Class() == 8:
		all.safe = a.msg.AppendSafe(all.safe)
	default:
		all.safe, all.cuts = a.msg.AppendKept(all.safe, all.cuts)
	}
	a.safe[1], a.cut[1] = len(all.safe), len(all.cuts)
}

// identify reads what names the message, as far as the message could be read.
func (a *arrival) identify() {
	m := a.msg
	stan, _ := m.Number(11)
	a.stan = uint32(stan)
	a.localTime, _ = m.Number(12)
	a.acquirer, _ = m.Number(32)
	var id [16]byte // its digits are counted, not its bytes: packed ones are fewer
	a.acquirerLen = uint8(len(m.Append(id[:0], 32)))
	a.function = -1
	if n, ok := m.Number(24); ok {
		a.function = int(n)
	}
	a.amount, _ = m.Number(4)
	processing, _ := m.Number(3)
	a.processing = uint32(processing)
	currency, _ := m.Number(49)
	a.currency = uint16(currency)
	day, _ := m.Number(28)
	a.day = uint32(day)
	slice, _ := m.Number(29)
	a.slice = uint16(slice)
}

// screen finds what is wrong with a request before any table is asked.
func (a *arrival) screen(p *profile, l *link.Link, low bool) txn.Reason {
	if !a.fault.OK() {
		return txn.Malformed
	}
	if a.service == nil || !p.allows(a.mti.Original()) {
		return txn.NotAllowed
	}
	if a.token.fault != txn.None {
		return a.token.fault
	}
	if a.fault = p.rules.Check(a.msg); !a.fault.OK() {
		return txn.Malformed
	}
	if a.mti.Class() == 8 {
		return txn.None
	}
	if low {
		return txn.JournalNotReady
	}
	switch l.State() {
	case link.SignedOn:
	case link.Draining:
		return txn.ShuttingDown
	default:
		return txn.NotSignedOn
	}
	if p.config.Role == RoleMerchant && a.mti.Class() != 3 && !p.knows(a.acquirer) {
		return txn.UnknownAcquirer
	}
	return txn.None
}

func (a *arrival) prepareAnswer() {
	if !a.fault.OK() {
		a.refused = txn.Malformed
	}
}

func (a *arrival) readOriginal() {
	var value [40]byte
	a.original, a.named = spec.ParseOriginal(a.msg.Append(value[:0], 56))
	// Some partners fill the acquirer up to eleven digits here, though not in element 32.
	if o := &a.original; o.AcquirerLen == 11 && o.Acquirer == a.acquirer {
		o.AcquirerLen = a.acquirerLen
	}
}
