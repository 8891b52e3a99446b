package world

import (
	"fmt"
	"math/rand/v2"
	"time"

	cardswitch "cardswitch/switch"
)

// listing is what a bank has had on its negative list: a card, from when to when.
type listing struct {
	card    string
	asked   time.Time // that it be listed, for the first time
	sure    time.Time // since the switch has said that it is; zero: not yet
	leaving time.Time // asked that it be taken off; zero: not yet
	gone    time.Time // and the switch has said that it is
}

// fileAction is a 1304 that waits for its answer.
type fileAction struct {
	of       *listing
	function string
	frame    func(tries int) []byte
	tries    int
}

// listedAction is the action code with which the switch refuses a listed card, and nobody else.
const listedAction = "208"

// negative is the list that the switch keeps for a bank.
func (o Options) negative() *cardswitch.NegativeConfig {
	if !o.Lists {
		return nil
	}
	return &cardswitch.NegativeConfig{}
}

// list has a bank list one of its cards, or take off what is listed.
func (w *World) list(r *rand.Rand) {
	w.mu.Lock()
	defer w.mu.Unlock()
	b := w.banks[r.IntN(len(w.banks))]
	if n := len(b.listings); n > 0 && b.listings[n-1].gone.IsZero() {
		if l := b.listings[n-1]; !l.sure.IsZero() && l.leaving.IsZero() {
			l.leaving = time.Now()
			b.act(l, "303")
		}
		return
	}
	place := 0
	for i := range w.banks {
		if w.banks[i] == b {
			place = i
		}
	}
	l := &listing{card: pan(place, r.IntN(w.options.Cards)), asked: time.Now()}
	b.listings = append(b.listings, l)
	b.act(l, "301")
}

// act sends a file action, and again until it is answered.
func (b *bank) act(l *listing, function string) {
	b.stan++
	stan, local := fmt.Sprintf("%06d", b.stan), localTime(time.Now())
	a := &fileAction{of: l, function: function}
	a.frame = func(tries int) []byte {
		return build(fmt.Sprint(1304+min(tries, 1)), elements{2: l.card, 11: stan, 12: local,
			24: function, 25: "3000", 72: listedAction, 93: institution, 94: b.id, 101: "EMERGENCY"})
	}
	b.files[stan+local] = a
	b.again(a)
}

func (b *bank) again(a *fileAction) {
	w := b.world
	for _, s := range b.sessions {
		if s.on && !s.gone {
			w.trace.add("%s/%d sends a file action %s of %s", b.name, s.line, a.function, a.of.card)
			s.send(a.frame(a.tries))
			a.tries++
			break
		}
	}
	w.after(b.timed, 1500*time.Millisecond, func() {
		if a.function != "" {
			b.again(a)
		}
	})
}

// filed takes the answer to a file action.
func (b *bank) filed(m *message) {
	w, a := b.world, b.files[m.text(11)+m.text(12)]
	if a == nil {
		w.violation("%s got an answer to a file action it never sent: %s", b.name, m.text(11))
		return
	}
	action, l := m.text(39), a.of
	w.trace.add("%s gets 1314 of %s: %s", b.name, l.card, action)
	switch {
	case a.function == "" || action >= "902":
		return // answered before, or no outcome: it is asked again
	case action != "300":
		w.violation("%s: file action %s of %s is answered %s", b.name, a.function, l.card, action)
	case a.function == "301":
		l.sure = time.Now()
	default:
		l.gone = time.Now()
	}
	a.function = ""
}

// mustNotCome watches that no request comes of a card that was listed for sure when it began.
func (b *bank) mustNotCome(m *message, begun time.Time) {
	for _, l := range b.listings {
		if l.card == m.text(2) && !l.sure.IsZero() && begun.After(l.sure) && l.leaving.IsZero() {
			b.world.violation("%s: %d of %s comes, whose card was listed before it began", b.name,
				m.kind(), m.text(37))
		}
	}
}

// mayBeRefused tells whether a card can have been listed at some time since a question began.
func (b *bank) mayBeRefused(card string, begun time.Time) bool {
	for _, l := range b.listings {
		if l.card == card && (l.gone.IsZero() || l.gone.After(begun)) {
			return true
		}
	}
	return false
}
