package world

import (
	"fmt"
	"strings"
	"time"

	"cardswitch/conformance/ledger"
)

// business is what a sale is about.
type business int

const (
	plain      business = iota
	cancelled           // taken back after its approval
	hasty               // taken back before its answer has come
	offline             // decided in the shop and told afterwards
	credit              // a return
	hold                // an authorization
	shortened           // a part of it is taken back after its approval
	finished            // an authorization that is completed
	completion          // the sale for which one was
	returned            // a sale that is given back
	refund              // the return of one
)

// ask is one message of a shop that wants an answer.
type ask struct {
	sale    *sale
	mti     string
	stan    string
	local   string
	reason  string // of a reversal
	tries   int
	begun   time.Time
	sent    []time.Time // and has no answer yet
	other   int64       // added to the amount, in what isn't the same question
	on      *session    // where it was sent last
	final   bool        // it has its answer
	action  string
	amount  int64  // of the answer
	outcome string // all that an answer to the same question must have again
}

// sale is one transaction in a shop's book.
type sale struct {
	shop     *shop
	rrn      string
	business business
	bank     int
	card     string
	amount   int64
	of       *sale // that a completion or a return names
	ask      *ask
	part     *ask // the reversal of a part
	undo     *ask // the reversal, once the shop wants it undone
	followed bool // its completion or its return has begun
}

// done says whether the shop has nothing more to hear or to say about it.
func (s *sale) done() bool {
	switch {
	case s.part != nil && !s.part.final:
		return false
	case s.undo != nil:
		return s.undo.final
	case s.business == shortened:
		return s.ask.final && (s.part != nil || !accepted(s.ask))
	case s.business == cancelled || s.business == hasty:
		return s.ask.final && s.ask.action >= "100"
	case s.business == finished || s.business == returned:
		return s.ask.final && (s.followed || !accepted(s.ask))
	}
	return s.ask.final
}

// live is what the shop counts on when all is over.
func (s *sale) live() bool { return s.undo == nil && s.ask.final && accepted(s.ask) }

func accepted(a *ask) bool {
	return a.action < "100" || a.mti == "1220" && (a.action == "900" || a.action == "901")
}

// elements are those of the message.
func (a *ask) elements() elements {
	s := a.sale
	e := elements{2: s.card, 3: "000000", 4: fmt.Sprintf("%012d", s.amount+a.other),
		11: a.stan, 12: a.local,
		24: "200", 26: "5311", 32: s.shop.acquirer, 37: s.rrn, 41: s.shop.terminal,
		42: "AOYAMA000000001", 49: "392"}
	if s.business == credit || s.business == refund {
		e[3] = "200000"
	}
	if a.mti == "1420" {
		e[4], e[24], e[25], e[56] = fmt.Sprintf("%012d", s.left()), "400", a.reason, s.ask.named()
		if a == s.part {
			e[4], e[24], e[30] = fmt.Sprintf("%012d", s.kept()), "401", amounts(s.approved())
		}
		return e
	}
	if s.of != nil {
		e[56] = s.of.ask.named()
	}
	e[22], e[43] = "510101513344", `AOYAMA\1-2-3 KITA-AOYAMA\TOKYO\107-0061  TKYJPN`
	if a.mti == "1220" {
		e[25], e[38], e[39] = "1004", "OFF001", "000"
	}
	switch s.business {
	case hold, finished:
		e[24] = "100"
	case completion:
		e[24], e[30] = "202", amounts(s.of.approved())
	}
	return e
}

// named is DE 56 of what refers to the message.
func (a *ask) named() string {
	id := a.sale.shop.acquirer
	return fmt.Sprintf("%s%s%s%02d%s", a.mti, a.stan, a.local, len(id), id)
}

// amounts is DE 30.
func amounts(original int64) string { return fmt.Sprintf("%012d%012d", original, 0) }

// frame is the message as it goes over the wire, as a repeat from the second time on.
func (a *ask) frame() []byte {
	mti := a.mti
	if a.tries > 0 {
		mti = mti[:3] + "1"
	}
	return build(mti, a.elements())
}

// kindOf gives the receipt's word for it.
func (b business) receipt() ledger.Kind {
	switch b {
	case credit, refund:
		return ledger.Return
	case hold, finished:
		return ledger.Authorization
	case completion:
		return ledger.Completion
	case offline:
		return ledger.Offline
	}
	return ledger.Sale
}

// approved is the amount that stands: that of the answer, where it is a part.
func (s *sale) approved() int64 {
	if s.ask.final && s.ask.action == "002" {
		return s.ask.amount
	}
	return s.amount
}

// kept is what is to remain of a sale of which a part is taken back.
func (s *sale) kept() int64 { return s.approved() * 2 / 3 }

// left is what remains now.
func (s *sale) left() int64 {
	if s.part != nil {
		return s.kept()
	}
	return s.approved()
}

// receipt is what the count gets.
func (s *sale) receipt() ledger.Receipt {
	amount := s.left()
	r := ledger.Receipt{RRN: s.rrn, Kind: s.business.receipt(), Shop: s.shop.name, Amount: amount,
		Key: s.ask.mti + "/" + s.ask.stan, Action: s.ask.action, State: ledger.Declined}
	switch {
	case s.live():
		r.State, r.Live = ledger.Approved, amount
	case s.undo != nil:
		r.State = ledger.Cancelled
	case !s.ask.final:
		r.State = ledger.Unknown
	}
	return r
}

// pan makes a card number of a bank, with its check digit.
func pan(bank, n int) string {
	digits := fmt.Sprintf("35281%d%09d", bank, n)
	sum := 0
	for i := range len(digits) {
		d := int(digits[len(digits)-1-i] - '0')
		if i%2 == 0 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return digits + fmt.Sprint((10-sum%10)%10)
}

// summary is an answer without what differs between two of the same.
func summary(m *message) string {
	var b strings.Builder
	for _, n := range []int{3, 4, 38, 39} {
		fmt.Fprintf(&b, "%d=%s ", n, m.text(n))
	}
	return b.String()
}
