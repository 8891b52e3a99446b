package chaos

import (
	"fmt"
	"time"

	"cardswitch/conformance/load/cards"
	"cardswitch/conformance/load/wire"
)

// kind is the business of one transaction.
type kind uint8

const (
	plain     kind = iota // a sale
	cancelled             // a sale that is taken back once it's approved
	hasty                 // a sale that is taken back without waiting for its answer
	offline               // a sale decided in the shop and told afterwards, 1220
)

// none is an action code that hasn't come.
const none = -1

// sale is one transaction in the merchant's book. Its place in the book is its reference number.
type sale struct {
	kind   kind
	done   bool
	ask    message
	cancel message // of the cancelled and the hasty
}

// message is one of its messages, and what was answered.
type message struct {
	audit  uint32
	local  uint64 // DE 12; 0: not sent yet
	action int16
	sentAt int64 // the last time, unix ns
}

// amount is a function of the reference number, so that both books can be compared without a third.
func amount(sequence uint64) uint64 { return 100 + sequence%9973 }

// want says whether the sale must stand at the bank when everything is over, as its merchant knows
// it.
func (s *sale) want() bool {
	switch s.kind {
	case plain:
		return approved(s.ask.action)
	case offline:
		return s.ask.action == 900 || approved(s.ask.action)
	}
	return false // taken back
}

func approved(action int16) bool { return action >= 0 && action < 100 }

// owesCancel says whether the sale has still to be taken back.
func (s *sale) owesCancel() bool {
	return s.kind == cancelled && approved(s.ask.action) && s.cancel.action == none
}

// waits lists the messages that wait for an answer.
func (s *sale) waits() (ask, cancel bool) {
	if s.done {
		return false, false
	}
	// The hasty don't wait for the answer to their request: they have given up on it.
	return s.ask.action == none && s.kind != hasty, s.cancel.local != 0 && s.cancel.action == none
}

// settle closes the sale if nothing more is to come.
func (s *sale) settle() {
	switch s.kind {
	case plain, offline:
		s.done = s.ask.action != none
	case cancelled:
		s.done = s.ask.action != none && !s.owesCancel()
	case hasty:
		s.done = s.cancel.action != none
	}
}

// localTime is DE 12 of a moment, in Tokyo.
func localTime(t time.Time) uint64 {
	t = t.UTC().Add(9 * time.Hour)
	date := t.Year()%100*10000 + int(t.Month())*100 + t.Day()
	return uint64(date)*1000000 + uint64(t.Hour()*10000+t.Minute()*100+t.Second())
}

// composer writes a merchant lane's messages.
type composer struct {
	lane     uint64
	acquirer string
	cards    []string
}

func newComposer(lane int) *composer {
	return &composer{lane: uint64(lane), acquirer: fmt.Sprintf("910%08d", lane+1), cards: cards.All()}
}

// request writes the message that asks for the sale, or tells of it.
func (c *composer) request(n uint64, s *sale, repeat bool) ([]byte, error) {
	mti := 1200
	elements := append(c.head(n, s.ask),
		wire.Element{Number: 22, Value: "510101513344"},
		wire.Element{Number: 24, Value: "200"})
	if s.kind == offline {
		mti = 1220
		elements = append(elements, wire.Element{Number: 25, Value: "1004"}) // decided in the shop
	}
	elements = append(elements, wire.Element{Number: 26, Value: "5311"},
		c.acquirerElement(), c.reference(n))
	if s.kind == offline {
		elements = append(elements, wire.Element{Number: 38, Value: "OFF001"},
			wire.Element{Number: 39, Value: "000"})
	}
	elements = append(elements, c.shop()...)
	elements = append(elements,
		wire.Element{Number: 43, Value: `AOYAMA DEPT STORE\1-2-3 KITA-AOYAMA\MINATO-KU\107-0061  TKYJPN`},
		wire.Element{Number: 49, Value: "392"})
	return wire.Build(mtiText(mti, repeat), elements...)
}

// reversal writes the 1420 that takes the sale back.
func (c *composer) reversal(n uint64, s *sale, repeat bool) ([]byte, error) {
	original := fmt.Sprintf("1200%06d%012d%02d%s",
		s.ask.audit, s.ask.local, len(c.acquirer), c.acquirer)
	reason := "4000" // cancelled by the customer
	if s.kind == hasty {
		reason = "4021" // time-out waiting for the answer
	}
	elements := append(c.head(n, s.cancel),
		wire.Element{Number: 24, Value: "400"},
		wire.Element{Number: 25, Value: reason},
		c.acquirerElement(), c.reference(n))
	elements = append(elements, c.shop()...)
	elements = append(elements,
		wire.Element{Number: 49, Value: "392"},
		wire.Element{Number: 56, Value: original})
	return wire.Build(mtiText(1420, repeat), elements...)
}

func mtiText(mti int, repeat bool) string {
	if repeat {
		mti++
	}
	return fmt.Sprint(mti)
}

func (c *composer) head(n uint64, m message) []wire.Element {
	return []wire.Element{
		{Number: 2, Value: c.cards[(n*2654435761>>8+c.lane)%uint64(len(c.cards))]},
		{Number: 3, Value: "000000"},
		{Number: 4, Value: fmt.Sprintf("%012d", amount(n))},
		{Number: 11, Value: fmt.Sprintf("%06d", m.audit)},
		{Number: 12, Value: fmt.Sprintf("%012d", m.local)},
	}
}

func (c *composer) acquirerElement() wire.Element {
	return wire.Element{Number: 32, Value: c.acquirer}
}

func (c *composer) reference(n uint64) wire.Element {
	var digits [12]byte
	wire.Reference{Lane: c.lane, Sequence: n}.Put(digits[:])
	return wire.Element{Number: 37, Value: string(digits[:])}
}

func (c *composer) shop() []wire.Element {
	return []wire.Element{
		{Number: 41, Value: fmt.Sprintf("T%07d", c.lane)},
		{Number: 42, Value: "AOYAMA000000001"},
	}
}
