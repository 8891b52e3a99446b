package explain

import (
	"fmt"
	"time"

	"cardswitch/spec"
	cardswitch "cardswitch/switch"
	"cardswitch/switch/txn"
)

// Left is what is left of an approved transaction after what followed it, in its currency's
// smallest unit.
type Left struct {
	Approved uint64    `json:"approved"` // supplements included
	Used     uint64    `json:"used"`     // completed of an authorization, returned of a sale
	Reversed uint64    `json:"reversed"`
	Left     uint64    `json:"left"` // can still be reversed, completed or returned
	Currency uint16    `json:"currency"`
	Closed   bool      `json:"closed,omitempty"`  // completed for good
	Expired  bool      `json:"expired,omitempty"` // not completed in time
	Expires  time.Time `json:"expires,omitzero"`  // of an authorization, where its issuer agreed on it
}

// left adds up what followed, where the transaction was approved.
func (s *story) left() error {
	end := s.ended()
	if end == nil || s.first.MTI.Class() > 2 || s.first.Amount == 0 {
		return nil
	}
	standing, r := cardswitch.LeftOf(s.records)
	l := &Left{Approved: r.Approved, Used: r.Spent, Reversed: r.Reversed, Left: r.Left(),
		Currency: s.first.Currency, Closed: r.Closed, Expired: r.Expired}
	switch {
	case standing == txn.Approved:
	case standing == txn.Reversed && (txn.Approves(int(end.Action)) || end.Action == 900):
		l.Reversed, l.Left = l.Reversed+l.Left, 0
	default:
		return nil
	}
	if s.first.MTI.Class() == 1 && l.Left > 0 {
		at, ok, err := cardswitch.ExpiresAt(s.Books, s.first.Seq, end.At)
		if err != nil {
			return err
		}
		if ok {
			l.Expires = at
		}
	}
	s.told.Left = l
	return nil
}

// String says it in a sentence.
func (l *Left) String() string {
	amount := func(v uint64) string {
		if text := spec.AmountText(v, digits(uint64(l.Currency), 3)); text != "" {
			return text
		}
		return fmt.Sprint(v)
	}
	text := fmt.Sprintf("Of %s approved: %s used, %s reversed, %s left", amount(l.Approved),
		amount(l.Used), amount(l.Reversed), amount(l.Left))
	switch {
	case l.Expired:
		text += "; it expired"
	case l.Closed:
		text += "; it is completed for good"
	case !l.Expires.IsZero():
		text += "; it expires on " + l.Expires.Format("2006-01-02 15:04:05 -07:00")
	}
	return text
}
