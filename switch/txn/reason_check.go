package txn

// 9xx: validity checks of the switch's own that are not asked.
const (
	CheckNoCard  Reason = 901
	CheckNoRoom  Reason = 902
	CheckResting Reason = 903
	CheckSpends  Reason = 904
)

// aboutChecks is about them.
func aboutChecks(r Reason) reasonText {
	switch r {
	case CheckNoCard:
		return reasonText{111, "neither a card number nor a token", "look at that line of the file"}
	case CheckNoRoom:
		return reasonText{907, "no room beside the traffic", "wait, or use a quieter hour"}
	case CheckResting:
		return reasonText{912, "the issuer leaves validity checks unanswered",
			"ask it whether it knows function code 108"}
	case CheckSpends:
		return reasonText{902, "a token for one use isn't spent on a check", ""}
	}
	return aboutSequels(r)
}
