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
	plain     business = iota
	cancelled          // taken back after its approval
	hasty              // taken back before its answer has come
	offline            // decided in the shop and told afterwards
	credit             // a return
	hold               // an authorization
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
	other   int64    // added to the amount, in what isn't the same question
	on      *session // where it was sent last
	final   bool     // it has its answer
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
	ask      *ask
	undo     *ask // the reversal, once the shop wants it undone
}

// done says whether the shop has nothing more to hear or to say about it.
func (s *sale) done() bool {
	switch {
	case s.undo != nil:
		return s.undo.final
	case s.business == cancelled || s.business == hasty:
		return s.ask.final && s.ask.action >= "100"
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
	if s.business == credit {
		e[3] = "200000"
	}
	if a.mti == "1420" {
		of := s.ask
		e[4] = fmt.Sprintf("%012d", s.approved())
		e[24], e[25] = "400", a.reason
		e[56] = fmt.Sprintf("%s%s%s%02d%s", of.mti, of.stan, of.local, len(s.shop.acquirer),
			s.shop.acquirer)
		return e
	}
	e[22], e[43] = "510101513344", `AOYAMA\1-2-3 KITA-AOYAMA\TOKYO\107-0061  TKYJPN`
	if a.mti == "1220" {
		e[25], e[38], e[39] = "1004", "OFF001", "000"
	}
	if s.business == hold {
		e[24] = "100"
	}
	return e
}

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
	case credit:
		return ledger.Return
	case hold:
		return ledger.Authorization
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

// receipt is what the count gets.
func (s *sale) receipt() ledger.Receipt {
	amount := s.approved()
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
