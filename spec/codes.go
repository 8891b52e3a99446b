package spec

// codeRange is what a span of codes means that have no text of their own.
type codeRange struct {
	low, high int
	text      string
}

// nameOf gives the text of a code, or what its range is for, or "".
func nameOf(code int, names map[int]string, ranges []codeRange) string {
	if name := names[code]; name != "" {
		return name
	}
	for _, r := range ranges {
		if code >= r.low && code <= r.high {
			return r.text
		}
	}
	return ""
}

// ActionName says what an action code (element 39) means, "" if it's reserved.
func ActionName(code int) string { return nameOf(code, actionNames, actionRanges) }

// FunctionName says what a function code (element 24) means, "" if it's reserved.
func FunctionName(code int) string { return nameOf(code, functionNames, functionRanges) }

// ReasonName says what a message reason code (element 25) means, "" if it's reserved.
func ReasonName(code int) string { return nameOf(code, reasonNames, reasonRanges) }

// ProcessingName says what a processing code (element 3) of six digits asks for: what is done, and
// the accounts if they aren't the default ones.
func ProcessingName(code int) string {
	name := nameOf(code/10000, transactionNames, transactionRanges)
	from, to := code/100%100, code%100
	if name == "" || from == 0 && to == 0 {
		return name
	}
	return name + ", from " + AccountName(from) + " to " + AccountName(to)
}

// AccountName says what an account type, two digits of a processing code, means.
func AccountName(code int) string {
	if name := accountNames[code]; name != "" {
		return name
	}
	return "other account"
}

// Approved says that an action code approves what was asked for.
func Approved(action int) bool { return action >= 0 && action < 100 }

// PickUp says that an action code denies and asks for the card to be kept.
func PickUp(action int) bool { return action >= 200 && action < 300 }

// Name says what kind of message it is, "" if the 1993 edition doesn't have it.
func (m MTI) Name() string {
	if !m.Valid() {
		return ""
	}
	name := classTexts[m.Class()&15]
	switch party := partyTexts[m.Origin()&6]; m.Class() {
	case 4:
		if m.Origin()&6 == 2 {
			name = "chargeback"
		}
	case 5, 7:
		name = party + " " + name
	}
	name += " " + functionTexts[m.Function()&7]
	if m.IsRepeat() {
		name += " repeat"
	}
	return name
}

var classTexts = [16]string{
	1: "authorization", 2: "financial", 3: "file action", 4: "reversal", 5: "reconciliation",
	6: "administrative", 7: "fee collection", 8: "network management",
}

var functionTexts = [8]string{
	"request", "request response", "advice", "advice response", "notification",
}

var partyTexts = [8]string{0: "acquirer", 2: "issuer", 4: "other"}
