package txn

// 7xx: business days and reconciliation.
const (
	DayEnded        Reason = 701
	SliceEnded      Reason = 702
	DayAnnounced    Reason = 703
	DayRefused      Reason = 704
	PeriodNotThere  Reason = 711
	TotalsNotReady  Reason = 712
	TotalsAgree     Reason = 713
	TotalsDiffer    Reason = 714
	TotalsTold      Reason = 715
	TotalsDue       Reason = 716
	PeriodAccepted  Reason = 717
	DifferenceFound Reason = 721
	DifferenceDone  Reason = 722
	ReversedProves  Reason = 731
)

// aboutPeriods is about business days. A period that isn't there, and a day that can't be the next,
// are 915.
func aboutPeriods(r Reason) reasonText {
	switch r {
	case DayEnded:
		return reasonText{800, "the business day was cut over", ""}
	case SliceEnded:
		return reasonText{800, "a checkpoint began", ""}
	case DayAnnounced:
		return reasonText{800, "cutover told to the center", ""}
	case DayRefused:
		return reasonText{915, "that day can't be the next", "`cardswitch settle status`"}
	case PeriodNotThere:
		return reasonText{915, "no such period, or it is agreed", "`cardswitch settle status`"}
	case TotalsNotReady:
		return reasonText{503, "totals not available yet", "the period is open, or advices are owed"}
	case TotalsAgree:
		return reasonText{500, "in balance", ""}
	case TotalsDiffer:
		return reasonText{501, "out of balance", "`cardswitch settle compare`"}
	case TotalsTold:
		return reasonText{504, "totals told", ""}
	case TotalsDue:
		return reasonText{0, "totals are to be compared", ""}
	case PeriodAccepted:
		return reasonText{0, "accepted by an operator", ""}
	case DifferenceFound:
		return reasonText{0, "a difference was found", "`cardswitch settle worklist`"}
	case DifferenceDone:
		return reasonText{0, "a difference was resolved", ""}
	case ReversedProves:
		return reasonText{0, "approved, as its accepted reversal proves", ""}
	}
	return aboutStandIn(r)
}
