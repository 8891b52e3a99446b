package txn

// 34x and 35x: what follows a transaction.
const (
	PartReversed         Reason = 341
	SpentOf              Reason = 342
	SpentAll             Reason = 343
	SpentUndone          Reason = 344
	RaisedBy             Reason = 345
	RefersTo             Reason = 346
	AuthorizationExpired Reason = 347
	LoweredBy            Reason = 348
	PartTooMuch          Reason = 351
	MoreThanLeft         Reason = 352
	OtherAmount          Reason = 353
	NothingLeft          Reason = 354
	NoAuthorization      Reason = 355
	DenialKept           Reason = 356
	DeclinedAnyway       Reason = 357
	CurrencyDiffers      Reason = 358
)

// aboutSequels is about what follows a transaction. 950, a violation of a business arrangement, is
// why an answer to an advice refuses liability (reference iso8583-1993 section 3.5).
func aboutSequels(r Reason) reasonText {
	switch r {
	case PartReversed:
		return reasonText{400, "a part was reversed", ""}
	case SpentOf:
		return reasonText{900, "completed or returned in part", ""}
	case SpentAll:
		return reasonText{900, "completed", ""}
	case SpentUndone:
		return reasonText{0, "what completed or returned it came to nothing", ""}
	case RaisedBy:
		return reasonText{0, "supplemented", ""}
	case LoweredBy:
		return reasonText{0, "less was approved, or a supplement was reversed", ""}
	case CurrencyDiffers:
		return reasonText{904, "the original's currency is another", "compare DE 49"}
	case RefersTo:
		return reasonText{0, "refers to another transaction", ""}
	case AuthorizationExpired:
		return reasonText{950, "the authorization has expired", "see the issuer's `authorizations`"}
	case PartTooMuch:
		return reasonText{902, "it takes back nothing, or more than is left",
			"see the center's `adjustments.partial`"}
	case MoreThanLeft:
		return reasonText{950, "more than is left of the original", "see the center's `adjustments`"}
	case OtherAmount:
		return reasonText{904, "the original's amount is another", "compare DE 4 and DE 30"}
	case NothingLeft:
		return reasonText{950, "nothing is left of the original", "compare `journal show`"}
	case NoAuthorization:
		return reasonText{950, "it completes what is no authorization", "check DE 56"}
	case DenialKept:
		return reasonText{900, "advice of a denial kept for delivery", ""}
	case DeclinedAnyway:
		return reasonText{0, "dropped: the issuer declined the original", ""}
	}
	return aboutPeriods(r)
}
