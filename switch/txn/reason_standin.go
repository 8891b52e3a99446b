package txn

// 6xx: stand-in. 60x: why its mode changed. 61x: why it approved. 62x: why it left a request alone.
// 63x and 64x: why it declined.
const (
	StandInSignedOff Reason = 601
	StandInDown      Reason = 602
	StandInFailing   Reason = 603
	StandInAsked     Reason = 604
	StandInUnasked   Reason = 605
	StandInOrdered   Reason = 606
	StandInForbidden Reason = 607
	StandInReleased  Reason = 608
	StandInBack      Reason = 609

	StandInApproved   Reason = 611
	StandInBelowFloor Reason = 612

	StandInNoRule      Reason = 621
	StandInExcluded    Reason = 622
	StandInTransaction Reason = 623
	StandInPIN         Reason = 624
	StandInFull        Reason = 625

	StandInListed     Reason = 631
	StandInCheckDigit Reason = 632
	StandInNoExpiry   Reason = 633
	StandInExpired    Reason = 634
	StandInCategory   Reason = 635
	StandInEntry      Reason = 636
	StandInForeign    Reason = 637
	StandInCurrency   Reason = 638
	StandInOverMost   Reason = 641
	StandInOverAmount Reason = 642
	StandInOverCount  Reason = 643
)

func aboutStandIn(r Reason) reasonText {
	switch r {
	case StandInSignedOff:
		return reasonText{0, "stand-in: the issuer signed off", ""}
	case StandInDown:
		return reasonText{0, "stand-in: no link to the issuer", "see `cardswitch link list`"}
	case StandInFailing:
		return reasonText{0, "stand-in: the issuer fails too often", "call the issuer"}
	case StandInAsked:
		return reasonText{0, "stand-in: the issuer asks for it", ""}
	case StandInUnasked:
		return reasonText{0, "the issuer asks for stand-in no more", ""}
	case StandInOrdered:
		return reasonText{0, "stand-in: ordered by an operator", "`cardswitch standin auto`"}
	case StandInForbidden:
		return reasonText{0, "stand-in forbidden by an operator", "`cardswitch standin auto`"}
	case StandInReleased:
		return reasonText{0, "stand-in left to itself by an operator", ""}
	case StandInBack:
		return reasonText{0, "the issuer is back", ""}
	case StandInApproved:
		return reasonText{0, "approved by stand-in", ""}
	case StandInBelowFloor:
		return reasonText{0, "approved by stand-in, below the floor limit", ""}
	case StandInNoRule:
		return reasonText{0, "no rule of stand-in holds the card", "see the issuer's rule file"}
	case StandInExcluded:
		return reasonText{0, "the card is excluded from stand-in", ""}
	case StandInTransaction:
		return reasonText{0, "no transaction for stand-in", "see `transactions` of its rule"}
	case StandInPIN:
		return reasonText{0, "a PIN that stand-in can't check", ""}
	case StandInFull:
		return reasonText{0, "stand-in counts no more cards", "the issuer must come back"}
	}
	return aboutDecline(r)
}

// aboutDecline has the action codes of stand-in's refusals. None asks to keep the card: that is
// said by a negative file alone.
func aboutDecline(r Reason) reasonText {
	switch r {
	case StandInListed:
		return reasonText{100, "declined by stand-in: in the negative file", ""}
	case StandInCheckDigit:
		return reasonText{111, "declined by stand-in: wrong check digit", ""}
	case StandInNoExpiry:
		return reasonText{101, "declined by stand-in: no expiry date", ""}
	case StandInExpired:
		return reasonText{101, "declined by stand-in: expired", ""}
	case StandInCategory:
		return reasonText{119, "declined by stand-in: merchant category", ""}
	case StandInEntry:
		return reasonText{120, "declined by stand-in: entry mode", ""}
	case StandInForeign:
		return reasonText{119, "declined by stand-in: foreign", ""}
	case StandInCurrency:
		return reasonText{119, "declined by stand-in: currency", ""}
	case StandInOverMost:
		return reasonText{121, "declined by stand-in: amount", ""}
	case StandInOverAmount:
		return reasonText{121, "declined by stand-in: amount of the card's days", ""}
	case StandInOverCount:
		return reasonText{123, "declined by stand-in: count of the card's days", ""}
	}
	return aboutFiles(r)
}
